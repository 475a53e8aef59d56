/** Fetch sessions (KIP-227): several requests on one connection, each answer compared. */
import type { At } from '../at.ts';
import { unknownTopicId } from '../at.ts';
import { type AnyRow, type Step, row } from '../row.ts';

const idVersion = 13;
const wait = { maxWaitMs: 20, minBytes: 1 } as const;

export const fetchSessionRows: readonly AnyRow[] = [
  row('Fetch', {
    names: 'fresh',
    prepare: async (at) => {
      // A session belongs to its connection: each case has one of its own.
      at.side.drop('alice');
      await at.side.createTopics(['read', 'full', 'none'].map((kind) => at.topic(kind)));
      for (const kind of ['read', 'full', 'none']) await at.side.produce(at.topic(kind), ['one', 'two', 'three']);
    },
    cases: [
      {
        name: 'session: all permitted',
        from: 7,
        request: (at) => begin(at, ['read']),
        followedBy: [next(1), next(2, ['full']), next(3, [], ['read']), next(4, ['full'], [], 3n), next(-1), next(6)],
      },
      {
        name: 'session: partly denied',
        from: 7,
        request: (at) => begin(at, ['read', 'none']),
        followedBy: [
          next(1),
          next(2, ['full', 'none']),
          next(3, [], ['none']),
          next(4, ['none']),
          next(5, ['read'], [], 3n),
        ],
      },
      {
        name: 'session: another epoch',
        from: 7,
        request: (at) => begin(at, ['read', 'none']),
        followedBy: [next(5, [], ['read', 'none']), next(1), next(1), next(2)],
      },
      {
        name: 'session: begun anew',
        from: 7,
        request: (at) => begin(at, ['read', 'none']),
        followedBy: [next(1), next(0, ['full', 'none']), next(2), next(1, [], [], 0n, 1)],
      },
      {
        name: 'session: all forgotten',
        from: 7,
        request: (at) => begin(at, ['read']),
        followedBy: [next(1, [], ['read']), next(2)],
      },
      {
        name: 'session: nothing in it',
        from: 7,
        request: (at) => begin(at, []),
        followedBy: [next(1, ['read']), next(2)],
      },
      {
        name: 'session: nonexistent',
        from: 7,
        to: 12,
        request: (at) => begin(at, ['read', 'read-not', 'none-not']),
        followedBy: [next(1), next(2, [], ['read-not', 'none-not'])],
      },
      {
        name: 'session: unknown id',
        from: 13,
        request: (at) => ({
          ...begin(at, ['read', 'none']),
          topics: [...named(at, ['read', 'none']), { topicId: unknownTopicId, partitions: asked(0n) }],
        }),
        followedBy: [next(1), next(2, ['full'])],
      },
      {
        name: 'session: denied midway',
        from: 7,
        request: (at) => begin(at, ['read', 'full']),
        followedBy: [
          { ...next(1), before: async (at) => at.side.bar('alice', at.topic('read'), true) },
          next(2),
          next(3, ['read', 'none']),
          next(4, [], ['read']),
        ],
      },
      {
        name: 'session: permitted midway',
        from: 7,
        prepare: async (at) => at.side.bar('alice', at.topic('read'), true),
        request: (at) => begin(at, ['read', 'full']),
        followedBy: [
          next(1),
          { ...next(2), before: async (at) => at.side.bar('alice', at.topic('read'), false) },
          next(3),
        ],
      },
      {
        name: 'session: denied midway and permitted again',
        from: 7,
        request: (at) => begin(at, ['read', 'full']),
        followedBy: [
          { ...next(1), before: async (at) => at.side.bar('alice', at.topic('read'), true) },
          { ...next(2), before: async (at) => at.side.bar('alice', at.topic('read'), false) },
        ],
      },
      {
        name: 'session: all denied midway',
        from: 7,
        request: (at) => begin(at, ['read', 'none']),
        followedBy: [{ ...next(1), before: async (at) => at.side.bar('alice', at.topic('read'), true) }, next(2)],
      },
    ],
  }),
];

function asked(fetchOffset: bigint) {
  return [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }];
}

/** A kind may end in `-not`: no such topic. */
function topicOf(at: At, kind: string): string {
  return kind.endsWith('-not') ? at.topic(kind.slice(0, -4), '-not') : at.topic(kind);
}

function named(at: At, kinds: readonly string[], fetchOffset = 0n) {
  return kinds.map((kind) => ({
    ...(at.version >= idVersion ? { topicId: at.id(kind) } : { topic: topicOf(at, kind) }),
    partitions: asked(fetchOffset),
  }));
}

function begin(at: At, kinds: readonly string[]) {
  return { ...wait, sessionId: 0, sessionEpoch: 0, topics: named(at, kinds) };
}

/** @param of which answer gave the session its id */
function next(
  sessionEpoch: number,
  kinds: readonly string[] = [],
  forgotten: readonly string[] = [],
  fetchOffset = 0n,
  of = 0,
): Step<'Fetch'> {
  return {
    request: (at, answers) => ({
      ...wait,
      sessionId: answers[of]?.sessionId ?? -1,
      sessionEpoch,
      topics: named(at, kinds, fetchOffset),
      forgottenTopicsData: forgotten.map((kind) => ({
        ...(at.version >= idVersion ? { topicId: at.id(kind) } : { topic: topicOf(at, kind) }),
        partitions: [0],
      })),
    }),
  };
}
