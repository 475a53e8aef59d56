/** Records: written, read, and found by offset. */
import { batchOf } from '../../../../harness/batches.ts';
import { type At, unknownTopicId } from '../at.ts';
import { type AnyRow, row } from '../row.ts';

const produceIds = 13;
const fetchIds = 13;

export const recordRows: readonly AnyRow[] = [
  row('Produce', {
    names: 'fresh',
    effects: ['records'],
    prepare: async (at) =>
      at.side.createTopics(['write', 'full', 'read', 'blind', 'none'].map((kind) => at.topic(kind))),
    cases: [
      { name: 'allowed', request: (at) => production(at, ['write', 'full']) },
      { name: 'allowed: acks=1', request: (at) => production(at, ['write'], 1) },
      { name: 'allowed: acks=0', noAnswer: true, request: (at) => production(at, ['write'], 0) },
      { name: 'allowed: DESCRIBE denied', request: (at) => production(at, ['blind']) },
      { name: 'allowed: no such partition', request: (at) => production(at, ['write', 'none'], -1, 9) },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => production(at, ['none']) },
      { name: 'denied', request: (at) => production(at, ['read', 'none']) },
      { name: 'denied: nobody', as: 'nobody', request: (at) => production(at, ['none', 'write']) },
      { name: 'denied: acks=0', noAnswer: true, request: (at) => production(at, ['read'], 0) },
      { name: 'partly allowed', request: (at) => production(at, ['write', 'read', 'none']) },
      { name: 'partly allowed: acks=0', noAnswer: true, request: (at) => production(at, ['write', 'read'], 0) },
      {
        name: 'nonexistent',
        to: 12,
        request: (at) => ({
          acks: -1,
          timeoutMs: 5_000,
          topicData: [part(at.topic('write', '-not')), part(at.topic('none', '-not'))],
        }),
      },
      {
        name: 'unknown id',
        from: 13,
        request: (at) => ({
          acks: -1,
          timeoutMs: 5_000,
          topicData: [
            { topicId: unknownTopicId, partitionData: data(0) },
            { topicId: at.id('write'), partitionData: data(0) },
          ],
        }),
      },
      {
        name: 'unknown id: nobody',
        as: 'nobody',
        from: 13,
        request: () => ({
          acks: -1,
          timeoutMs: 5_000,
          topicData: [{ topicId: unknownTopicId, partitionData: data(0) }],
        }),
      },
      { name: 'invalid: acks=2', request: (at) => production(at, ['write', 'read'], 2) },
      { name: 'invalid: no records', request: () => ({ acks: -1, timeoutMs: 5_000, topicData: [] }) },
    ],
  }),
  row('Fetch', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => fetching(at, ['read', 'full']) },
      { name: 'allowed: DESCRIBE denied', request: (at) => fetching(at, ['blind']) },
      { name: 'denied', request: (at) => fetching(at, ['write', 'barred', 'none']) },
      { name: 'denied: nobody', as: 'nobody', request: (at) => fetching(at, ['read']) },
      { name: 'partly allowed', request: (at) => fetching(at, ['read', 'write', 'none', 'barred']) },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => fetching(at, ['read', 'none']) },
      { name: 'allowed: out of range', request: (at) => fetching(at, ['read'], 0, 99n) },
      { name: 'allowed: no such partition', request: (at) => fetching(at, ['read', 'none'], 9) },
      { name: 'allowed: read committed', request: (at) => ({ ...fetching(at, ['read', 'none']), isolationLevel: 1 }) },
      {
        name: 'nonexistent',
        to: 12,
        request: (at) => ({
          ...wait,
          topics: [
            { topic: at.topic('read', '-not'), partitions: asked(0, 0n) },
            { topic: at.topic('none', '-not'), partitions: asked(0, 0n) },
          ],
        }),
      },
      {
        name: 'unknown id',
        from: 13,
        request: (at) => ({
          ...wait,
          topics: [
            { topicId: unknownTopicId, partitions: asked(0, 0n) },
            { topicId: at.id('read'), partitions: asked(0, 0n) },
          ],
        }),
      },
      {
        name: 'unknown id: nobody',
        as: 'nobody',
        from: 13,
        request: () => ({ ...wait, topics: [{ topicId: unknownTopicId, partitions: asked(0, 0n) }] }),
      },
      { name: 'nothing', request: () => ({ ...wait, topics: [] }) },
      {
        name: 'session: begun',
        from: 7,
        // A connection on which sessions were begun and not gone on with is given no more.
        prepare: async (at) => at.side.drop('alice'),
        request: (at) => ({ ...fetching(at, ['read', 'none']), sessionId: 0, sessionEpoch: 0 }),
      },
      {
        name: 'session: begun, all denied',
        from: 7,
        request: (at) => ({ ...fetching(at, ['write', 'none']), sessionId: 0, sessionEpoch: 0 }),
      },
      {
        name: 'session: not there',
        from: 7,
        request: (at) => ({ ...fetching(at, ['read', 'none']), sessionId: 815, sessionEpoch: 3 }),
      },
      { name: 'replica: denied', to: 14, request: (at) => ({ ...fetching(at, ['read', 'none']), replicaId: 1 }) },
      {
        name: 'replica: denied',
        from: 15,
        request: (at) => ({ ...fetching(at, ['read', 'none']), replicaState: { replicaId: 1, replicaEpoch: 1n } }),
      },
    ],
  }),
  row('ListOffsets', {
    names: 'shared',
    cases: [
      ...[-1n, -2n, 0n].map((timestamp) => ({
        name: `allowed: at ${timestamp}`,
        request: (at: At) => offsets(at, ['read', 'describe'], timestamp),
      })),
      { name: 'allowed: the latest time', from: 7, request: (at) => offsets(at, ['read'], -3n) },
      { name: 'denied', request: (at) => offsets(at, ['none', 'blind', 'create']) },
      { name: 'denied: nobody', as: 'nobody', request: (at) => offsets(at, ['none', 'read']) },
      {
        name: 'partly allowed',
        request: (at) => offsets(at, ['read', 'write', 'delete', 'alter', 'dconf', 'aconf', 'blind', 'barred', 'none']),
      },
      { name: 'allowed: no such partition', request: (at) => offsets(at, ['read', 'none'], -1n, 9) },
      {
        name: 'nonexistent',
        request: (at) => ({
          replicaId: -1,
          topics: [
            { name: at.topic('read', '-not'), partitions: [{ partitionIndex: 0, timestamp: -1n }] },
            { name: at.topic('none', '-not'), partitions: [{ partitionIndex: 0, timestamp: -1n }] },
          ],
        }),
      },
      {
        name: 'invalid: a partition twice',
        request: (at) => ({
          replicaId: -1,
          topics: [
            {
              name: at.topic('read'),
              partitions: [0, 0].map((partitionIndex) => ({ partitionIndex, timestamp: -1n })),
            },
          ],
        }),
      },
      { name: 'replica', request: (at) => ({ ...offsets(at, ['read', 'none']), replicaId: 1 }) },
      { name: 'nothing', request: () => ({ replicaId: -1, topics: [] }) },
    ],
  }),
  row('OffsetForLeaderEpoch', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => epochs(['read', 'describe'].map((kind) => at.topic(kind))) },
      { name: 'denied', request: (at) => epochs([at.topic('none'), at.topic('blind')]) },
      {
        name: 'partly allowed',
        request: (at) => epochs(['read', 'none', 'blind', 'barred'].map((kind) => at.topic(kind))),
      },
      { name: 'allowed: CLUSTER_ACTION', as: 'actor', request: (at) => epochs([at.topic('none'), at.topic('read')]) },
      { name: 'denied: nobody', as: 'nobody', request: (at) => epochs([at.topic('none')]) },
      { name: 'nonexistent', request: (at) => epochs([at.topic('read', '-not'), at.topic('none', '-not')]) },
      {
        name: 'replica',
        from: 3,
        request: (at) => ({ ...epochs(['read', 'none'].map((kind) => at.topic(kind))), replicaId: 1 }),
      },
    ],
  }),
  row('DescribeProducers', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => ({ topics: [{ name: at.topic('read'), partitionIndexes: [0, 1] }] }) },
      {
        name: 'denied',
        request: (at) => ({
          topics: [
            { name: at.topic('none'), partitionIndexes: [0] },
            { name: at.topic('describe'), partitionIndexes: [0] },
          ],
        }),
      },
      {
        name: 'partly allowed',
        request: (at) => ({
          topics: ['read', 'none', 'barred', 'blind'].map((kind) => ({
            name: at.topic(kind),
            partitionIndexes: [0, 1],
          })),
        }),
      },
      {
        name: 'nonexistent',
        request: (at) => ({
          topics: [
            { name: at.topic('read', '-not'), partitionIndexes: [0] },
            { name: at.topic('none', '-not'), partitionIndexes: [0] },
            { name: at.topic('read'), partitionIndexes: [9] },
          ],
        }),
      },
      {
        name: 'invalid name',
        as: 'oscar',
        request: () => ({ topics: [{ name: 'no such/name', partitionIndexes: [0] }] }),
      },
    ],
  }),
];

/** Made once: a batch carries the time. */
const records = batchOf(['v1', 'v2']);
const wait = { maxWaitMs: 20, minBytes: 1 } as const;

function data(index: number) {
  return [{ index, records }];
}

function part(name: string) {
  return { name, partitionData: data(0) };
}

function production(at: At, kinds: readonly string[], acks = -1, index = 0) {
  return {
    acks,
    timeoutMs: 5_000,
    topicData: kinds.map((kind) => ({ ...at.named(kind, produceIds), partitionData: data(index) })),
  };
}

function asked(partition: number, fetchOffset: bigint) {
  return [{ partition, fetchOffset, partitionMaxBytes: 100_000 }];
}

function fetching(at: At, kinds: readonly string[], partition = 0, fetchOffset = 0n) {
  return {
    maxWaitMs: wait.maxWaitMs,
    minBytes: wait.minBytes,
    topics: kinds.map((kind) => ({ ...at.named(kind, fetchIds, 'topic'), partitions: asked(partition, fetchOffset) })),
  };
}

function offsets(at: At, kinds: readonly string[], timestamp = -1n, partitionIndex = 0) {
  return {
    replicaId: -1,
    topics: kinds.map((kind) => ({ name: at.topic(kind), partitions: [{ partitionIndex, timestamp }] })),
  };
}

function epochs(names: readonly string[]) {
  return {
    topics: names.map((topic) => ({
      topic,
      partitions: [
        { partition: 0, leaderEpoch: 0 },
        { partition: 9, leaderEpoch: 0 },
      ],
    })),
  };
}
