import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes, zeroUuid } from '../protocol/protocol.ts';
import { operationsNotAsked } from './authorized-operations.ts';
import { metadata } from './metadata.ts';
import { type World, ask, worldOf } from './testing.ts';

const idA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const idB = 'AAAAAAAAAAAAAAAAAAAAAg';
const missing = { errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION, topicId: zeroUuid };
const existing = { a: idA, b: idB };

function world(...permitted: string[]): World {
  return worldOf(permitted, { [idA]: 'a', [idB]: 'b' });
}

/** A broker that has the topics `a` and `b`, and answers what it is asked. */
function brokerAnswer(names: readonly string[]) {
  return {
    brokers: [
      { nodeId: 1, host: 'broker-1', port: 9092 },
      { nodeId: 9, host: 'broker-9', port: 9092 },
    ],
    topics: names.map((name) =>
      name in existing ? { name, topicId: existing[name as 'a' | 'b'] } : { name, ...missing },
    ),
  };
}

describe('Metadata', () => {
  for (const version of [0, 13]) {
    it(`v${version}: asks for what may be described and refuses the rest without an id`, async () => {
      const outcome = await ask(world('describe topic a'), metadata, version, {
        topics: [{ name: 'a' }, { name: 'b' }],
      });
      assert.deepEqual(
        outcome.forwarded?.topics?.map(({ name }) => name),
        ['a'],
      );
      assert.equal(outcome.forwarded?.allowAutoTopicCreation, false);
      const { topics, brokers } = await outcome.deliver(brokerAnswer(['a']));
      assert.deepEqual(
        topics.map(({ name, errorCode, topicId }) => [name, errorCode, topicId]),
        [
          ['a', 0, version === 0 ? zeroUuid : idA],
          ['b', errorCodes.TOPIC_AUTHORIZATION_FAILED, zeroUuid],
        ],
      );
      assert.deepEqual(
        brokers.map(({ host, port }) => `${host}:${port}`),
        ['gateway:9001'],
        'a broker without an address here is left out',
      );
    });

    it(`v${version}: leaves out of all topics what may not be described`, async () => {
      const outcome = await ask(world('describe topic a'), metadata, version, { topics: version === 0 ? [] : null });
      const { topics } = await outcome.deliver(brokerAnswer(['a', 'b']));
      assert.deepEqual(
        topics.map(({ name }) => name),
        ['a'],
      );
    });
  }

  it('by id: keeps the name of a denied topic to itself, and asks for no unknown one', async () => {
    const unknown = 'AAAAAAAAAAAAAAAAAAAAAw';
    const asked = { topics: [idA, idB, unknown].map((topicId) => ({ topicId, name: null })) };
    const outcome = await ask(world('describe topic a'), metadata, 12, asked);
    assert.deepEqual(
      outcome.forwarded?.topics?.map(({ topicId }) => topicId),
      [idA],
    );
    const { topics } = await outcome.deliver(brokerAnswer(['a']));
    assert.deepEqual(
      topics.map(({ name, topicId, errorCode }) => [name, topicId, errorCode]),
      [
        ['a', idA, 0],
        [null, idB, errorCodes.TOPIC_AUTHORIZATION_FAILED],
        [null, unknown, errorCodes.UNKNOWN_TOPIC_ID],
      ],
    );
  });

  it('computes authorized operations from the policy', async () => {
    const asked = { topics: [{ name: 'a' }], includeTopicAuthorizedOperations: true };
    const outcome = await ask(world('describe topic a', 'read topic a'), metadata, 12, asked);
    const { topics } = await outcome.deliver(brokerAnswer(['a']));
    assert.equal(topics[0]?.topicAuthorizedOperations, (1 << 3) | (1 << 8));
    const silent = await ask(world('describe topic a'), metadata, 12, { topics: [{ name: 'a' }] });
    assert.equal((await silent.deliver(brokerAnswer(['a']))).topics[0]?.topicAuthorizedOperations, operationsNotAsked);
  });
});

describe('Metadata that creates topics', () => {
  const describeAll = ['describe topic new', 'describe topic other', 'describe topic a'];
  const both = { topics: [{ name: 'new' }, { name: 'other' }] };

  it('lets the broker create where all may be created', async () => {
    const outcome = await ask(world(...describeAll, 'create topic new', 'create topic other'), metadata, 4, both);
    assert.equal(outcome.forwarded?.allowAutoTopicCreation, true);
    const whole = await ask(world(...describeAll, 'create cluster kafka-cluster'), metadata, 4, both);
    assert.equal(whole.forwarded?.allowAutoTopicCreation, true);
  });

  it('asks for nothing that it may not create and that is missing, and refuses it', async () => {
    const outcome = await ask(world(...describeAll, 'create topic new'), metadata, 4, both);
    assert.deepEqual(
      outcome.forwarded?.topics?.map(({ name }) => name),
      ['new'],
    );
    const { topics } = await outcome.deliver(brokerAnswer(['a']));
    assert.equal(topics.find(({ name }) => name === 'other')?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
  });

  it('refuses what is missing where nothing may be created', async () => {
    const outcome = await ask(world(...describeAll), metadata, 4, { topics: [{ name: 'new' }, { name: 'a' }] });
    assert.equal(outcome.forwarded?.allowAutoTopicCreation, false);
    const { topics } = await outcome.deliver(brokerAnswer(['new', 'a']));
    assert.deepEqual(
      topics.map(({ name, errorCode }) => [name, errorCode]),
      [
        ['new', errorCodes.TOPIC_AUTHORIZATION_FAILED],
        ['a', 0],
      ],
    );
  });

  it('says that it is missing where the brokers create nothing by themselves', async () => {
    const off = Object.assign(world(...describeAll, 'create topic new'), { autoCreation: false });
    const outcome = await ask(off, metadata, 4, both);
    assert.equal(outcome.forwarded?.allowAutoTopicCreation, false);
    const { topics } = await outcome.deliver(brokerAnswer(['new', 'other']));
    assert.deepEqual(
      topics.map(({ errorCode }) => errorCode),
      [errorCodes.UNKNOWN_TOPIC_OR_PARTITION, errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
    );
  });
});
