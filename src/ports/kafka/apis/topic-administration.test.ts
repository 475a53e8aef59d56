import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes, zeroUuid } from '../protocol/protocol.ts';
import { deleteTopics } from './delete-topics.ts';
import { describeTopicPartitions } from './describe-topic-partitions.ts';
import { ask, worldOf } from './testing.ts';
import { createPartitions, createTopics, deleteRecords } from './topic-administration.ts';

const denied = errorCodes.TOPIC_AUTHORIZATION_FAILED;
const idA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const idB = 'AAAAAAAAAAAAAAAAAAAAAg';
const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));

describe('CreateTopics', () => {
  for (const version of [2, 7]) {
    it(`v${version}: creates what may be created and refuses the rest`, async () => {
      const outcome = await ask(worldOf(['create topic a']), createTopics, version, { topics: named('a', 'b') });
      assert.deepEqual(
        outcome.forwarded?.topics.map(({ name }) => name),
        ['a'],
      );
      const { topics } = await outcome.deliver({ topics: [{ name: 'a', topicId: idA }] });
      assert.deepEqual(
        topics.map(({ name, errorCode }) => [name, errorCode]),
        [
          ['a', 0],
          ['b', denied],
        ],
      );
    });
  }

  it('sends nothing on where all is denied, and leaves doubles to the broker', async () => {
    assert.equal((await ask(worldOf(), createTopics, 7, { topics: named('a') })).kind, 'answer');
    const doubles = await ask(worldOf(), createTopics, 7, { topics: named('a', 'b', 'b') });
    assert.deepEqual(
      doubles.forwarded?.topics.map(({ name }) => name),
      ['b', 'b'],
    );
  });

  it('shows the configuration of what was made to those only who may describe it', async () => {
    const outcome = await ask(worldOf(['create cluster kafka-cluster']), createTopics, 7, { topics: named('a') });
    const made = {
      name: 'a',
      topicId: idA,
      numPartitions: 3,
      replicationFactor: 1,
      configs: [{ name: 'retention.ms', value: '1' }],
    };
    const { topics } = await outcome.deliver({ topics: [made] });
    assert.deepEqual(topics[0], {
      ...topics[0],
      numPartitions: -1,
      replicationFactor: -1,
      configs: [],
      topicConfigErrorCode: denied,
    });
  });
});

describe('DeleteTopics', () => {
  const topics = { [idA]: 'a', [idB]: 'b' };

  it('by name: asks DESCRIBE and DELETE, and tells what is missing only of what may be described', async () => {
    const world = worldOf(
      ['describe topic a', 'delete topic a', 'delete topic b', 'describe topic gone', 'describe topic a2'],
      topics,
    );
    const outcome = await ask(world, deleteTopics, 1, { topicNames: ['a', 'b', 'gone'] });
    assert.deepEqual(outcome.forwarded?.topicNames, ['a']);
    const { responses } = await outcome.deliver({ responses: [{ name: 'a' }] });
    assert.deepEqual(
      responses.map(({ name, errorCode }) => [name, errorCode]),
      [
        ['a', 0],
        ['b', denied],
        ['gone', errorCodes.UNKNOWN_TOPIC_OR_PARTITION],
      ],
    );
  });

  it('by id: asks DELETE, names a denied topic only to those who may describe it, and asks for no unknown one', async () => {
    const world = worldOf(['delete topic a'], topics);
    const unknown = 'AAAAAAAAAAAAAAAAAAAAAw';
    const asked = { topics: [idA, idB, unknown].map((topicId) => ({ topicId, name: null })) };
    const outcome = await ask(world, deleteTopics, 6, asked);
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ topicId }) => topicId),
      [idA],
    );
    const { responses } = await outcome.deliver({ responses: [{ name: 'a', topicId: idA }] });
    assert.deepEqual(
      responses.slice(1).map(({ name, topicId, errorCode }) => [name, topicId, errorCode]),
      [
        [null, idB, denied],
        [null, unknown, errorCodes.UNKNOWN_TOPIC_ID],
      ],
    );
  });

  it('leaves malformed entries to the broker, which deletes none of them', async () => {
    const both = { name: 'b', topicId: idB };
    const outcome = await ask(worldOf([], topics), deleteTopics, 6, {
      topics: [both, { name: 'a', topicId: zeroUuid }],
    });
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ name, topicId }) => ({ name, topicId })),
      [both],
    );
  });
});

describe('DeleteRecords and CreatePartitions', () => {
  it('deletes records partition by partition', async () => {
    const request = {
      topics: [{ name: 'a', partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, offset: 5n })) }],
    };
    const outcome = await ask(worldOf(['delete topic a 1']), deleteRecords, 2, request);
    assert.deepEqual(
      outcome.forwarded?.topics[0]?.partitions.map(({ partitionIndex }) => partitionIndex),
      [1],
    );
    const { topics } = await outcome.deliver({
      topics: [{ name: 'a', partitions: [{ partitionIndex: 1, lowWatermark: 5n }] }],
    });
    assert.deepEqual(
      topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
      ),
      [
        [1, 0],
        [0, denied],
      ],
    );
    assert.ok((await ask(worldOf(['delete topic a']), deleteRecords, 0, request)).unread);
  });

  it('adds partitions where ALTER is granted', async () => {
    const request = { topics: ['a', 'b'].map((name) => ({ name, count: 2, assignments: null })) };
    const outcome = await ask(worldOf(['alter topic a']), createPartitions, 3, request);
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ name }) => name),
      ['a'],
    );
    const { results } = await outcome.deliver({ results: [{ name: 'a' }] });
    assert.deepEqual(
      results.map(({ errorCode }) => errorCode),
      [0, denied],
    );
    assert.equal((await ask(worldOf(), createPartitions, 0, request)).kind, 'answer');
  });
});

describe('DescribeTopicPartitions', () => {
  const topics = { [idA]: 'a', [idB]: 'b', AAAAAAAAAAAAAAAAAAAAAw: 'c' };

  it('asks for visible topics by name in place of all, from the cursor on', async () => {
    const world = worldOf(['describe topic a', 'describe topic c'], topics);
    const all = await ask(world, describeTopicPartitions, 0, { topics: [], cursor: null });
    assert.deepEqual(all.forwarded?.topics, named('a', 'c'));
    const later = await ask(world, describeTopicPartitions, 0, {
      topics: [],
      cursor: { topicName: 'b', partitionIndex: 1 },
    });
    assert.deepEqual(later.forwarded?.topics, named('c'));
    assert.equal(later.forwarded?.cursor, null);
    assert.equal(
      (await ask(worldOf([], topics), describeTopicPartitions, 0, { topics: [], cursor: null })).kind,
      'answer',
    );
  });

  it('refuses named topics without an id, and a cursor that stands at none of them', async () => {
    const world = worldOf(['describe topic a'], topics);
    const outcome = await ask(world, describeTopicPartitions, 0, { topics: named('a', 'b'), cursor: null });
    const answer = await outcome.deliver({ topics: [{ name: 'a', topicId: idA }], nextCursor: null });
    assert.deepEqual(
      answer.topics.map(({ name, errorCode, topicId }) => [name, errorCode, topicId]),
      [
        ['a', 0, idA],
        ['b', denied, zeroUuid],
      ],
    );
    const lost = await ask(world, describeTopicPartitions, 0, {
      topics: named('a'),
      cursor: { topicName: 'x', partitionIndex: 0 },
    });
    assert.equal(lost.answer?.topics[0]?.errorCode, errorCodes.INVALID_REQUEST);
  });
});
