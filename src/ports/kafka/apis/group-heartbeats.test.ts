import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { consumerGroupHeartbeat, shareGroupHeartbeat } from './group-heartbeats.ts';
import { streamsGroupHeartbeat } from './streams-group-heartbeat.ts';
import { ask, worldOf } from './testing.ts';

describe('ConsumerGroupHeartbeat', () => {
  const request = { groupId: 'g', memberId: 'm', subscribedTopicNames: ['a', 'b'] };

  it('needs READ on the group', async () => {
    const outcome = await ask(worldOf(['describe group g', 'describe topic a', 'describe topic b']), consumerGroupHeartbeat, 0, request);
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
    assert.equal((await ask(worldOf(['read group g']), consumerGroupHeartbeat, 0, { groupId: 'g', subscribedTopicNames: null })).unread, true);
  });

  it('does not offer the version that has regular expressions', () => {
    assert.equal(consumerGroupHeartbeat.versions.max, 0);
  });
});

describe('ShareGroupHeartbeat', () => {
  it('needs READ on the group and DESCRIBE on every topic', async () => {
    const request = { groupId: 'g', memberId: 'm', subscribedTopicNames: ['a'] };
    assert.equal((await ask(worldOf(['describe topic a']), shareGroupHeartbeat, 1, request)).answer?.errorCode, 30);
    assert.equal((await ask(worldOf(['read group g']), shareGroupHeartbeat, 1, request)).answer?.errorCode, 29);
    assert.equal((await ask(worldOf(['read group g', 'describe topic a']), shareGroupHeartbeat, 1, request)).unread, true);
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

  it('refuses regular expressions, which the broker would resolve by the gateway\'s rights', async () => {
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
          activePartitions: [{ topic: 'in', partitions: [0] }, { topic: 'hidden', partitions: [0] }],
          standbyPartitions: [{ topic: 'hidden', partitions: [1] }],
        },
      ],
    });
    assert.deepEqual(delivered.partitionsByUserEndpoint?.[0]?.activePartitions.map(({ topic }) => topic), ['in']);
    assert.deepEqual(delivered.partitionsByUserEndpoint?.[0]?.standbyPartitions, []);
  });
});
