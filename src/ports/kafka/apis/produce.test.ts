import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BatchHeaderDraft, buildBatch, errorCodes } from '../protocol/protocol.ts';
import { listOffsets, offsetForLeaderEpoch } from './list-offsets.ts';
import { produce } from './produce.ts';
import { ask, worldOf } from './testing.ts';

const idA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const idB = 'AAAAAAAAAAAAAAAAAAAAAg';
const topics = { [idA]: 'a', [idB]: 'b' };
const denied = errorCodes.TOPIC_AUTHORIZATION_FAILED;
const transactional = 0b1_0000;

function batch(attributes = 0): Buffer {
  const header: BatchHeaderDraft = {
    baseOffset: 0n,
    partitionLeaderEpoch: -1,
    attributes,
    lastOffsetDelta: 1,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  };
  return buildBatch(
    header,
    [0, 1].map((offsetDelta) => ({
      attributes: 0,
      timestampDelta: 0n,
      offsetDelta,
      key: null,
      value: Buffer.from('v'),
      headers: [],
    })),
  );
}

function production(version: number, acks = -1, records = batch(), transactionalId: string | null = null) {
  const partitionData = [0, 1].map((index) => ({ index, records }));
  const topicData = Object.entries(topics).map(([topicId, name]) => ({
    ...(version >= 13 ? { topicId } : { name }),
    partitionData,
  }));
  return { acks, transactionalId, topicData };
}

describe('Produce', () => {
  for (const version of [3, 13]) {
    it(`v${version}: writes partition by partition what may be written, and enters it with its offsets`, async () => {
      const world = worldOf(['write topic a 1'], topics);
      const outcome = await ask(world, produce, version, production(version));
      assert.deepEqual(
        outcome.forwarded?.topicData.map(({ partitionData }) => partitionData.map(({ index }) => index)),
        [[1]],
      );
      const own = version >= 13 ? { topicId: idA } : { name: 'a' };
      const { responses } = await outcome.deliver({
        responses: [{ ...own, partitionResponses: [{ index: 1, baseOffset: 7n }] }],
      });
      const codes = responses.flatMap(({ partitionResponses }) =>
        partitionResponses.map(({ index, errorCode }) => [index, errorCode]),
      );
      assert.deepEqual(codes, [
        [1, 0],
        [0, denied],
        [0, denied],
        [1, denied],
      ]);
      assert.deepEqual(world.flows, ['write a 1 7-8 2']);
    });
  }

  it('answers by itself where all is denied, and never forwards an id that no topic has', async () => {
    assert.equal((await ask(worldOf([], topics), produce, 12, production(12))).kind, 'answer');
    const outcome = await ask(worldOf(['write topic a', 'write topic b'], { [idA]: 'a' }), produce, 13, production(13));
    assert.deepEqual(
      outcome.forwarded?.topicData.map(({ topicId }) => topicId),
      [idA],
    );
  });

  it('closes the connection where acks=0 leaves no room to say no, and writes nothing', async () => {
    const outcome = await ask(worldOf(['write topic a'], topics), produce, 9, production(9, 0));
    assert.equal(outcome.kind, 'close');
    const world = worldOf(['write topic a', 'write topic b'], topics);
    assert.equal((await ask(world, produce, 9, production(9, 0))).kind, 'forward');
    assert.equal(world.flows.length, 4, 'entered though no offset is known');
  });

  it('asks for the transactional id of a transactional batch, which must have one', async () => {
    const permitted = ['write topic a', 'write topic b'];
    for (const id of ['t', null]) {
      const outcome = await ask(worldOf(permitted, topics), produce, 9, production(9, -1, batch(transactional), id));
      const codes = outcome.answer?.responses.flatMap(({ partitionResponses }) =>
        partitionResponses.map(({ errorCode }) => errorCode),
      );
      assert.deepEqual(new Set(codes), new Set([errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]));
    }
    const outcome = await ask(
      worldOf([...permitted, 'write transactional-id t'], topics),
      produce,
      9,
      production(9, -1, batch(transactional), 't'),
    );
    assert.equal(outcome.kind, 'forward');
  });
});

describe('ListOffsets and OffsetForLeaderEpoch', () => {
  it('look up partition by partition what may be described', async () => {
    const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }));
    const request = {
      replicaId: -1,
      topics: [
        { name: 'a', partitions },
        { name: 'b', partitions },
      ],
    };
    const outcome = await ask(worldOf(['describe topic a 1']), listOffsets, 11, request);
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ name, partitions: own }) => [
        name,
        own.map(({ partitionIndex }) => partitionIndex),
      ]),
      [['a', [1]]],
    );
    const answer = await outcome.deliver({ topics: [{ name: 'a', partitions: [{ partitionIndex: 1, offset: 9n }] }] });
    assert.deepEqual(
      answer.topics.map(({ name, partitions: own }) => [name, own.map(({ errorCode }) => errorCode)]),
      [
        ['a', [0]],
        ['a', [denied]],
        ['b', [denied, denied]],
      ],
    );
    assert.ok((await ask(worldOf(['describe topic a', 'describe topic b']), listOffsets, 1, request)).unread);
  });

  it('let CLUSTER_ACTION look up the epochs of every topic', async () => {
    const request = { topics: [{ topic: 'a', partitions: [{ partition: 0, leaderEpoch: 0 }] }] };
    assert.ok((await ask(worldOf(['cluster-action cluster kafka-cluster']), offsetForLeaderEpoch, 4, request)).unread);
    const { answer } = await ask(worldOf(), offsetForLeaderEpoch, 2, request);
    assert.equal(answer?.topics[0]?.partitions[0]?.errorCode, denied);
  });
});
