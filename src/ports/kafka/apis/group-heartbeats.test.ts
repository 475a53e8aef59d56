import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { consumerGroupHeartbeat } from './consumer-group-heartbeat.ts';
import { shareGroupHeartbeat } from './share-group-heartbeat.ts';
import { streamsGroupHeartbeat } from './streams-group-heartbeat.ts';
import type { ConsumerGroupHeartbeatRequest, Draft } from '../protocol/protocol.ts';
import { type Outcome, type World, ask, worldOf } from './testing.ts';

describe('ConsumerGroupHeartbeat', () => {
  const request = { groupId: 'g', memberId: 'm', subscribedTopicNames: ['a', 'b'] };

  it('needs READ on the group', async () => {
    const outcome = await ask(
      worldOf(['describe group g', 'describe topic a', 'describe topic b']),
      consumerGroupHeartbeat,
      0,
      request,
    );
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 30]);
  });

  it('one hidden topic refuses the whole', async () => {
    const world = worldOf(['read group g', 'describe topic b']);
    const outcome = await ask(world, consumerGroupHeartbeat, 0, request);
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode, outcome.answer?.assignment], [null, 29, null]);
    assert.deepEqual(world.asked, ['read group g', 'describe topic a', 'describe topic b']);
  });

  it('passes unread where all is permitted, and where nothing changed', async () => {
    const world = worldOf(['read group g', 'describe topic a', 'describe topic b']);
    assert.equal((await ask(world, consumerGroupHeartbeat, 0, request)).unread, true);
    assert.equal(
      (await ask(worldOf(['read group g']), consumerGroupHeartbeat, 0, { groupId: 'g', subscribedTopicNames: null }))
        .unread,
      true,
    );
  });
});

describe('ConsumerGroupHeartbeat by regular expression', () => {
  const ids = {
    AAAAAAAAAAAAAAAAAAAAAQ: 'pay-a',
    AAAAAAAAAAAAAAAAAAAAAg: 'pay-hidden',
    AAAAAAAAAAAAAAAAAAAAAw: 'other',
  };
  const sees = ['read group g', 'describe topic pay-a', 'describe topic other', 'describe topic pay-new'];
  const beat = async (world: World, memberEpoch: number, more: Draft<ConsumerGroupHeartbeatRequest> = {}) =>
    await ask(world, consumerGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', memberEpoch, ...more });
  const sent = (outcome: Outcome<'ConsumerGroupHeartbeat'>) => [
    outcome.forwarded?.subscribedTopicNames,
    outcome.forwarded?.subscribedTopicRegex,
  ];

  it('the broker gets the names that the principal may describe, and never the expression', async () => {
    const world = worldOf(sees, ids);
    const first = await beat(world, 0, { subscribedTopicNames: ['other'], subscribedTopicRegex: 'pay-.*' });
    assert.deepEqual(sent(first), [['other', 'pay-a'], null]);
    assert.deepEqual(
      sent(await beat(world, 0, { subscribedTopicRegex: '.*' })),
      [['other', 'pay-a'], null],
      'the names given before stay',
    );
  });

  it('matches whole names', async () => {
    assert.deepEqual(sent(await beat(worldOf(sees, ids), 0, { subscribedTopicRegex: 'pay' })), [[], null]);
  });

  it('a later heartbeat that says nothing passes unread, until topics or policy change', async () => {
    const world = worldOf(sees, ids);
    await beat(world, 0, { subscribedTopicRegex: 'pay-.*' });
    assert.equal((await beat(world, 1)).unread, true);
    world.topics.set('AAAAAAAAAAAAAAAAAAAABA', 'pay-new');
    assert.deepEqual(sent(await beat(world, 1)), [['pay-a', 'pay-new'], null]);
    assert.equal((await beat(world, 1)).unread, true);
    world.permitted.delete('describe topic pay-a');
    assert.deepEqual(sent(await beat(world, 2)), [['pay-new'], null]);
    world.permitted.add('describe topic pay-hidden');
    assert.deepEqual(sent(await beat(world, 3)), [['pay-hidden', 'pay-new'], null]);
  });

  it('gives the names again where the broker refused them', async () => {
    const world = worldOf(sees, ids);
    const first = await beat(world, 0, { subscribedTopicRegex: 'pay-.*' });
    await first.deliver({ errorCode: 16 });
    assert.deepEqual(sent(await beat(world, 1)), [['pay-a'], null]);
  });

  it('a member that comes over another connection is made to say everything again, once', async () => {
    const world = worldOf(sees, ids);
    await beat(world, 0, { subscribedTopicRegex: 'pay-.*' });
    world.connection = {};
    const asked = await beat(world, 5);
    assert.deepEqual([asked.forwarded, asked.answer?.errorCode], [null, 14]);
    assert.deepEqual(sent(await beat(world, 5, { subscribedTopicNames: [], subscribedTopicRegex: 'pay-.*' })), [
      ['pay-a'],
      null,
    ]);
    world.connection = {};
    await beat(world, 5);
    assert.equal((await beat(world, 5)).unread, true, 'one that has nothing to say is not asked forever');
  });

  it('an expression that is taken back takes its topics along', async () => {
    const world = worldOf(sees, ids);
    await beat(world, 0, { subscribedTopicNames: ['other'], subscribedTopicRegex: 'pay-.*' });
    const gone = await beat(world, 1, { subscribedTopicRegex: '' });
    assert.deepEqual(gone.forwarded?.subscribedTopicNames, ['other']);
    assert.equal((await beat(world, 2)).unread, true);
  });

  it('does not let the expression through with a member that leaves', async () => {
    const outcome = await beat(worldOf(sees, ids), -1, { subscribedTopicRegex: '.*' });
    assert.deepEqual(sent(outcome), [null, null]);
  });

  it('refuses what is no expression, is too long, or grows too large', async () => {
    for (const regex of ['[', 'a'.repeat(2000), 'a{1000}b{1000}c{1000}', 'a*+']) {
      const outcome = await beat(worldOf(sees, ids), 0, { subscribedTopicRegex: regex });
      assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 128], regex.slice(0, 30));
    }
  });
});

describe('ShareGroupHeartbeat', () => {
  it('needs READ on the group and DESCRIBE on every topic', async () => {
    const request = { groupId: 'g', memberId: 'm', subscribedTopicNames: ['a'] };
    assert.equal((await ask(worldOf(['describe topic a']), shareGroupHeartbeat, 1, request)).answer?.errorCode, 30);
    assert.equal((await ask(worldOf(['read group g']), shareGroupHeartbeat, 1, request)).answer?.errorCode, 29);
    assert.equal(
      (await ask(worldOf(['read group g', 'describe topic a']), shareGroupHeartbeat, 1, request)).unread,
      true,
    );
  });
});

describe('StreamsGroupHeartbeat', () => {
  const topology = {
    epoch: 1,
    subtopologies: [
      {
        subtopologyId: '0',
        sourceTopics: ['in'],
        repartitionSinkTopics: ['app-re'],
        repartitionSourceTopics: [{ name: 'app-re' }],
        stateChangelogTopics: [{ name: 'app-log' }],
      },
    ],
  };
  const request = { groupId: 'app', memberId: 'm', topology };
  const sees = ['read group app', 'describe topic in', 'describe topic app-re', 'describe topic app-log'];

  it('needs READ on the group', async () => {
    assert.equal((await ask(worldOf(sees.slice(1)), streamsGroupHeartbeat, 0, request)).answer?.errorCode, 30);
  });

  it('needs DESCRIBE on every topic of the topology', async () => {
    for (const hidden of sees.slice(1)) {
      const world = worldOf([...sees.filter((other) => other !== hidden), 'create cluster kafka-cluster']);
      const outcome = await ask(world, streamsGroupHeartbeat, 0, request);
      assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode, outcome.answer?.status], [null, 29, []], hidden);
    }
  });

  it('does not have missing internal topics made for one who may not create them', async () => {
    const world = worldOf([...sees, 'create topic app-re'], { AAAAAAAAAAAAAAAAAAAAAQ: 'in' });
    const outcome = await ask(world, streamsGroupHeartbeat, 0, request);
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 29]);
    assert.match(outcome.answer?.errorMessage ?? '', /app-log/);
    assert.doesNotMatch(outcome.answer?.errorMessage ?? '', /app-re/);
    assert.equal(world.asked.at(-1), 'create topic app-log');
  });

  it('passes where they exist, or may be created', async () => {
    const existing = worldOf(sees, { AAAAAAAAAAAAAAAAAAAAAQ: 'app-re', AAAAAAAAAAAAAAAAAAAAAg: 'app-log' });
    assert.equal((await ask(existing, streamsGroupHeartbeat, 0, request)).unread, true);
    for (const right of [['create cluster kafka-cluster'], ['create topic app-re', 'create topic app-log']]) {
      assert.equal((await ask(worldOf([...sees, ...right]), streamsGroupHeartbeat, 0, request)).unread, true);
    }
  });

  it("refuses regular expressions, which the broker would resolve by the gateway's rights", async () => {
    const world = worldOf(sees);
    const outcome = await ask(world, streamsGroupHeartbeat, 0, {
      ...request,
      topology: { epoch: 1, subtopologies: [{ subtopologyId: '0', sourceTopicRegex: ['.*'] }] },
    });
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 42]);
    assert.deepEqual(world.refusals, ['streams-topic-regex']);
  });

  it('leaves out hidden topics of other members', async () => {
    const outcome = await ask(worldOf(sees), streamsGroupHeartbeat, 0, { groupId: 'app', memberId: 'm' });
    const delivered = await outcome.deliver({
      partitionsByUserEndpoint: [
        {
          userEndpoint: { host: 'app-1', port: 1 },
          activePartitions: [
            { topic: 'in', partitions: [0] },
            { topic: 'hidden', partitions: [0] },
          ],
          standbyPartitions: [{ topic: 'hidden', partitions: [1] }],
        },
      ],
    });
    assert.deepEqual(
      delivered.partitionsByUserEndpoint?.[0]?.activePartitions.map(({ topic }) => topic),
      ['in'],
    );
    assert.deepEqual(delivered.partitionsByUserEndpoint?.[0]?.standbyPartitions, []);
  });
});
