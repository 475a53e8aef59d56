/** Offsets of groups. */
import { type At, unknownTopicId } from '../at.ts';
import { type AnyRow, row } from '../row.ts';

const idVersion = 10;

export const offsetRows: readonly AnyRow[] = [
  row('OffsetCommit', {
    names: 'fresh',
    effects: ['groups', 'offsets'],
    prepare: async (at) => at.side.createTopics(['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind))),
    cases: [
      { name: 'allowed', request: (at) => commit(at, 'read', ['read', 'blind']) },
      { name: 'denied: group', request: (at) => commit(at, 'describe', ['read', 'none']) },
      { name: 'denied: group and topics', request: (at) => commit(at, 'none', ['none']) },
      { name: 'denied: topics', request: (at) => commit(at, 'read', ['none', 'describe']) },
      { name: 'partly allowed', request: (at) => commit(at, 'read', ['read', 'describe', 'none', 'blind']) },
      {
        name: 'allowed: unknown member',
        request: (at) => ({ ...commit(at, 'read', ['read', 'none']), memberId: 'x', generationIdOrMemberEpoch: 3 }),
      },
      { name: 'allowed: no such partition', request: (at) => commit(at, 'read', ['read'], 9) },
      {
        name: 'nonexistent',
        to: 9,
        request: (at) => ({
          ...commit(at, 'read', []),
          topics: [entry(at.topic('read', '-not')), entry(at.topic('none', '-not'))],
        }),
      },
      {
        name: 'unknown id',
        from: 10,
        request: (at) => ({
          ...commit(at, 'read', ['read', 'none']),
          topics: [
            ...commit(at, 'read', ['read', 'none']).topics,
            { topicId: unknownTopicId, partitions: committed(0) },
          ],
        }),
      },
      {
        name: 'unknown id: alone',
        from: 10,
        request: (at) => ({
          ...commit(at, 'read', []),
          topics: [{ topicId: unknownTopicId, partitions: committed(0) }],
        }),
      },
      {
        name: 'unknown id: group denied',
        from: 10,
        request: (at) => ({
          ...commit(at, 'none', []),
          topics: [{ topicId: unknownTopicId, partitions: committed(0) }],
        }),
      },
      { name: 'nothing', request: (at) => commit(at, 'read', []) },
      { name: 'empty group id', as: 'oscar', request: (at) => ({ ...commit(at, 'read', ['read']), groupId: '' }) },
    ],
  }),
  row('OffsetFetch', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => fetching(at, [['read', ['read', 'describe']]]) },
      {
        name: 'allowed: READ implies DESCRIBE, one denied does not take it',
        request: (at) => fetching(at, [['barred', ['barred', 'read']]]),
      },
      { name: 'denied: group', request: (at) => fetching(at, [['none', ['read', 'none']]]) },
      { name: 'denied: group, DESCRIBE denied', request: (at) => fetching(at, [['blind', ['read', 'none']]]) },
      { name: 'denied: topics', request: (at) => fetching(at, [['read', ['none', 'blind']]]) },
      { name: 'partly allowed', request: (at) => fetching(at, [['read', ['read', 'none', 'blind', 'describe']]]) },
      { name: 'nonexistent: group', request: (at) => fetching(at, [['read:-not', ['read', 'none']]]) },
      { name: 'nonexistent: topics', to: 9, request: (at) => fetching(at, [['read', ['read:-not', 'none:-not']]]) },
      { name: 'all', from: 2, request: (at) => fetching(at, [['read', null]]) },
      { name: 'all: denied group', from: 2, request: (at) => fetching(at, [['none', null]]) },
      { name: 'all: oscar', as: 'oscar', from: 2, request: (at) => fetching(at, [['none', null]]) },
      {
        name: 'partly allowed: groups',
        from: 8,
        request: (at) =>
          fetching(at, [
            ['read', ['read', 'none']],
            ['none', ['read']],
            ['describe', null],
            ['blind', null],
            ['full', ['none']],
          ]),
      },
      {
        name: 'denied: groups',
        from: 8,
        request: (at) =>
          fetching(at, [
            ['none', ['read']],
            ['blind', null],
          ]),
      },
      {
        name: 'unknown id',
        from: 10,
        request: (at) => ({
          groups: [
            {
              groupId: at.group('read'),
              topics: [
                { topicId: unknownTopicId, partitionIndexes: [0] },
                { topicId: at.id('read'), partitionIndexes: [0] },
                { topicId: at.id('none'), partitionIndexes: [0] },
              ],
            },
          ],
        }),
      },
      {
        name: 'unknown id: alone',
        from: 10,
        request: (at) => ({
          groups: [{ groupId: at.group('read'), topics: [{ topicId: unknownTopicId, partitionIndexes: [0] }] }],
        }),
      },
      {
        name: 'unknown id: group denied',
        from: 10,
        request: (at) => ({
          groups: [{ groupId: at.group('none'), topics: [{ topicId: unknownTopicId, partitionIndexes: [0] }] }],
        }),
      },
      {
        name: 'stable',
        from: 7,
        request: (at) => ({ ...fetching(at, [['read', ['read', 'none']]]), requireStable: true }),
      },
      { name: 'nothing', request: (at) => fetching(at, [['read', []]]) },
    ],
  }),
  row('OffsetDelete', {
    names: 'fresh',
    effects: ['groups', 'offsets'],
    prepare: async (at) => {
      for (const kind of ['delete', 'full', 'blind', 'read', 'none'])
        await at.side.commit(at.group(kind), ['read-q0', 'none-q0', 'describe-q0']);
    },
    cases: [
      { name: 'allowed', request: (at) => deletion(at.group('delete'), ['read-q0']) },
      { name: 'allowed: DESCRIBE denied', request: (at) => deletion(at.group('blind'), ['read-q0', 'blind-q0']) },
      { name: 'denied: group', request: (at) => deletion(at.group('read'), ['read-q0']) },
      { name: 'denied: topics', request: (at) => deletion(at.group('delete'), ['none-q0', 'describe-q0']) },
      { name: 'partly allowed', request: (at) => deletion(at.group('delete'), ['read-q0', 'none-q0', 'describe-q0']) },
      { name: 'nonexistent: group', request: (at) => deletion(at.group('delete', '-not'), ['read-q0', 'none-q0']) },
      { name: 'nonexistent: group, topics denied', request: (at) => deletion(at.group('delete', '-not'), ['none-q0']) },
      { name: 'nonexistent: denied group', request: (at) => deletion(at.group('none', '-not'), ['read-q0']) },
      { name: 'nonexistent: topics', request: (at) => deletion(at.group('delete'), ['read-q0-not', 'none-q0-not']) },
      { name: 'nothing', request: (at) => deletion(at.group('delete'), []) },
    ],
  }),
];

function committed(partitionIndex: number) {
  return [{ partitionIndex, committedOffset: 2n, committedMetadata: 'mine' }];
}

function entry(name: string) {
  return { name, partitions: committed(0) };
}

function commit(at: At, group: string, kinds: readonly string[], partition = 0) {
  return {
    groupId: at.group(group),
    generationIdOrMemberEpoch: -1,
    topics: kinds.map((kind) => ({ ...at.named(kind, idVersion), partitions: committed(partition) })),
  };
}

/** Groups by kind with their topics by kind; `kind:suffix` for a name that nothing has. */
function fetching(at: At, groups: readonly (readonly [string, readonly string[] | null])[]) {
  const asked = groups.map(([group, kinds]) => ({
    groupId: at.group(...split(group)),
    topics:
      kinds?.map((kind) => ({
        ...(at.version >= idVersion ? { topicId: at.id(kind) } : { name: at.topic(...split(kind)) }),
        partitionIndexes: [0, 1],
      })) ?? null,
  }));
  const [first] = asked;
  if (at.version >= 8) return { groups: asked };
  return {
    groupId: first?.groupId ?? '',
    topics:
      first?.topics?.map(({ partitionIndexes, ...rest }) => ({
        name: 'name' in rest ? rest.name : '',
        partitionIndexes,
      })) ?? null,
  };
}

function split(kind: string): [string, string] {
  const [name = '', suffix = ''] = kind.split(':');
  return [name, suffix];
}

function deletion(groupId: string, topics: readonly string[]) {
  return { groupId, topics: topics.map((name) => ({ name, partitions: [{ partitionIndex: 0 }] })) };
}
