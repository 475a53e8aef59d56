/** Topics as clients find them, and their administration. */
import { unknownTopicId } from '../at.ts';
import { type AnyRow, row } from '../row.ts';

const topicKinds = [
  'read',
  'write',
  'describe',
  'create',
  'make',
  'delete',
  'alter',
  'dconf',
  'aconf',
  'full',
  'barred',
  'blind',
  'none',
];

export const topicRows: readonly AnyRow[] = [
  row('Metadata', {
    names: 'shared',
    cases: [
      {
        name: 'allowed',
        request: (at) => ({
          topics: [{ name: at.topic('read') }, { name: at.topic('describe') }],
          ...noCreation(at.version),
        }),
      },
      {
        name: 'denied',
        request: (at) => ({
          topics: [{ name: at.topic('none') }, { name: at.topic('blind') }],
          ...noCreation(at.version),
        }),
      },
      {
        name: 'partly allowed: every kind',
        request: (at) => ({ topics: topicKinds.map((kind) => ({ name: at.topic(kind) })), ...noCreation(at.version) }),
      },
      {
        name: 'denied: nobody',
        as: 'nobody',
        request: (at) => ({ topics: topicKinds.map((kind) => ({ name: at.topic(kind) })), ...noCreation(at.version) }),
      },
      {
        name: 'nonexistent',
        from: 4,
        request: (at) => ({
          topics: [{ name: at.topic('read', '-not') }, { name: at.topic('none', '-not') }],
          ...noCreation(at.version),
        }),
      },
      {
        name: 'invalid name',
        from: 4,
        as: 'oscar',
        request: (at) => ({
          topics: [{ name: 'no such/name' }, { name: at.topic('read') }],
          ...noCreation(at.version),
        }),
      },
      { name: 'all', from: 1, request: () => ({ topics: null }) },
      { name: 'all: nobody', as: 'nobody', from: 1, request: () => ({ topics: null }) },
      { name: 'all: oscar', as: 'oscar', from: 1, request: () => ({ topics: null }) },
      { name: 'all: empty list', to: 0, request: () => ({ topics: [] }) },
      { name: 'none: empty list', from: 1, request: () => ({ topics: [] }) },
      {
        name: 'by id',
        from: 12,
        request: (at) => ({
          topics: ['read', 'none', 'blind', 'barred'].map((kind) => ({ topicId: at.id(kind), name: null })),
        }),
      },
      { name: 'by id: all denied', from: 12, request: (at) => ({ topics: [{ topicId: at.id('none'), name: null }] }) },
      {
        name: 'unknown id',
        from: 12,
        request: (at) => ({
          topics: [
            { topicId: unknownTopicId, name: null },
            { topicId: at.id('read'), name: null },
          ],
        }),
      },
      {
        name: 'unknown id: nobody',
        as: 'nobody',
        from: 12,
        request: () => ({ topics: [{ topicId: unknownTopicId, name: null }] }),
      },
      {
        name: 'allowed: operations of topics',
        from: 8,
        request: (at) => ({
          topics: topicKinds.map((kind) => ({ name: at.topic(kind) })),
          includeTopicAuthorizedOperations: true,
          allowAutoTopicCreation: false,
        }),
      },
      ...(['alice', 'describer', 'oscar'] as const).map((as) => ({
        name: `allowed: operations of the cluster as ${as}`,
        as,
        from: 8,
        to: 10,
        request: () => ({ topics: [], includeClusterAuthorizedOperations: true }),
      })),
    ],
  }),
  row('Metadata', {
    names: 'fresh',
    effects: ['topics'],
    cases: [
      { name: 'allowed: created by asking', request: (at) => ({ topics: [{ name: at.topic('make') }] }) },
      { name: 'denied: not created without CREATE', request: (at) => ({ topics: [{ name: at.topic('describe') }] }) },
      { name: 'denied: not created without DESCRIBE', request: (at) => ({ topics: [{ name: at.topic('create') }] }) },
      {
        name: 'partly allowed: some created',
        request: (at) => ({ topics: ['make', 'describe', 'create', 'none'].map((kind) => ({ name: at.topic(kind) })) }),
      },
      {
        name: 'allowed: created by CREATE on the cluster',
        as: 'creator',
        request: (at) => ({ topics: [{ name: at.topic('make') }, { name: at.topic('none') }] }),
      },
      {
        name: 'nonexistent: creation not asked',
        from: 4,
        request: (at) => ({ topics: [{ name: at.topic('make') }], allowAutoTopicCreation: false }),
      },
    ],
  }),
  row('DescribeTopicPartitions', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => ({ topics: [{ name: at.topic('read') }, { name: at.topic('describe') }] }) },
      { name: 'denied', request: (at) => ({ topics: [{ name: at.topic('none') }] }) },
      { name: 'partly allowed', request: (at) => ({ topics: topicKinds.map((kind) => ({ name: at.topic(kind) })) }) },
      {
        name: 'nonexistent',
        request: (at) => ({ topics: [{ name: at.topic('read', '-not') }, { name: at.topic('none', '-not') }] }),
      },
      { name: 'all: nobody', as: 'nobody', request: () => ({ topics: [] }) },
      {
        name: 'limit',
        request: (at) => ({
          topics: [{ name: at.topic('read') }, { name: at.topic('describe') }, { name: at.topic('none') }],
          responsePartitionLimit: 1,
        }),
      },
      {
        name: 'cursor',
        request: (at) => ({
          topics: [{ name: at.topic('read') }, { name: at.topic('write') }],
          cursor: { topicName: at.topic('read'), partitionIndex: 1 },
        }),
      },
      {
        name: 'cursor of a denied topic',
        request: (at) => ({
          topics: [{ name: at.topic('none') }, { name: at.topic('read') }],
          cursor: { topicName: at.topic('none'), partitionIndex: 1 },
        }),
      },
      {
        name: 'cursor out of range',
        request: (at) => ({
          topics: [{ name: at.topic('read') }],
          cursor: { topicName: at.topic('read'), partitionIndex: -1 },
        }),
      },
    ],
  }),
  // All topics would show what other cases make meanwhile: the limit counts them.
  row('DescribeTopicPartitions', {
    names: 'shared',
    alone: true,
    cases: [
      { name: 'all', request: () => ({ topics: [] }) },
      { name: 'all: oscar', as: 'oscar', request: () => ({ topics: [] }) },
      {
        name: 'all: from a cursor',
        request: (at) => ({ topics: [], cursor: { topicName: at.topic('describe'), partitionIndex: 0 } }),
      },
    ],
  }),
  row('CreateTopics', {
    names: 'fresh',
    effects: ['topics', 'configs'],
    cases: [
      { name: 'allowed', request: (at) => creation([at.topic('create'), at.topic('full')]) },
      { name: 'denied', request: (at) => creation([at.topic('none'), at.topic('describe')]) },
      {
        name: 'partly allowed',
        request: (at) => creation([at.topic('create'), at.topic('none'), at.topic('full'), at.topic('alter')]),
      },
      {
        name: 'allowed: CREATE on the cluster',
        as: 'creator',
        request: (at) => creation([at.topic('none'), at.topic('make')]),
      },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => creation([at.topic('none')]) },
      { name: 'denied: nobody', as: 'nobody', request: (at) => creation([at.topic('none')]) },
      {
        name: 'allowed: with configs',
        request: (at) => creation([at.topic('full')], [{ name: 'retention.ms', value: '1000' }]),
      },
      {
        name: 'allowed: wrong config',
        request: (at) => creation([at.topic('full'), at.topic('none')], [{ name: 'retention.ms', value: 'x' }]),
      },
      {
        name: 'allowed: validate only',
        request: (at) => ({ ...creation([at.topic('full'), at.topic('none')]), validateOnly: true }),
      },
      {
        name: 'invalid: a topic twice',
        request: (at) => creation([at.topic('create'), at.topic('create'), at.topic('none')]),
      },
      {
        name: 'invalid: a denied topic twice',
        request: (at) => creation([at.topic('create'), at.topic('none'), at.topic('none')]),
      },
      { name: 'invalid: the log of the controllers', as: 'oscar', request: () => creation(['__cluster_metadata']) },
      { name: 'invalid: no topic', request: () => creation([]) },
      {
        name: 'exists',
        prepare: async (at) => at.side.createTopics([at.topic('create'), at.topic('none')]),
        request: (at) => creation([at.topic('create'), at.topic('none')]),
      },
    ],
  }),
  row('DeleteTopics', {
    names: 'fresh',
    effects: ['topics'],
    prepare: async (at) =>
      at.side.createTopics(['delete', 'describe', 'none', 'blind', 'full'].map((kind) => at.topic(kind))),
    cases: [
      { name: 'allowed', request: (at) => deletion(at.version, [at.topic('delete'), at.topic('full')]) },
      { name: 'denied', request: (at) => deletion(at.version, [at.topic('describe'), at.topic('none')]) },
      { name: 'denied: DELETE without DESCRIBE', request: (at) => deletion(at.version, [at.topic('blind')]) },
      {
        name: 'denied: nobody',
        as: 'nobody',
        request: (at) => deletion(at.version, [at.topic('none'), at.topic('delete')]),
      },
      {
        name: 'partly allowed',
        request: (at) =>
          deletion(
            at.version,
            ['delete', 'describe', 'none', 'blind'].map((kind) => at.topic(kind)),
          ),
      },
      {
        name: 'nonexistent',
        request: (at) =>
          deletion(at.version, [at.topic('delete', '-not'), at.topic('none', '-not'), at.topic('describe', '-not')]),
      },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => deletion(at.version, [at.topic('none')]) },
      {
        name: 'by id',
        from: 6,
        request: (at) => ({
          topics: ['delete', 'describe', 'none', 'blind'].map((kind) => ({ topicId: at.id(kind), name: null })),
          timeoutMs: 5_000,
        }),
      },
      {
        name: 'by id: all denied',
        from: 6,
        request: (at) => ({ topics: [{ topicId: at.id('none'), name: null }], timeoutMs: 5_000 }),
      },
      {
        name: 'unknown id',
        from: 6,
        request: (at) => ({
          topics: [
            { topicId: unknownTopicId, name: null },
            { topicId: at.id('full'), name: null },
          ],
          timeoutMs: 5_000,
        }),
      },
      {
        name: 'invalid: name and id',
        from: 6,
        request: (at) => ({
          topics: [
            { topicId: at.id('full'), name: at.topic('full') },
            { topicId: at.id('none'), name: at.topic('none') },
          ],
          timeoutMs: 5_000,
        }),
      },
      {
        name: 'invalid: twice',
        request: (at) =>
          deletion(at.version, [at.topic('delete'), at.topic('delete'), at.topic('none'), at.topic('none')]),
      },
      {
        name: 'invalid: name, and the same by id',
        from: 6,
        request: (at) => ({
          topics: [{ name: at.topic('delete') }, { topicId: at.id('delete'), name: null }],
          timeoutMs: 5_000,
        }),
      },
      { name: 'invalid: no topic', request: (at) => deletion(at.version, []) },
    ],
  }),
  row('CreatePartitions', {
    names: 'fresh',
    effects: ['topics'],
    prepare: async (at) => at.side.createTopics(['alter', 'describe', 'none', 'full'].map((kind) => at.topic(kind))),
    cases: [
      { name: 'allowed', request: (at) => growth([at.topic('alter'), at.topic('full')]) },
      { name: 'denied', request: (at) => growth([at.topic('describe'), at.topic('none')]) },
      { name: 'partly allowed', request: (at) => growth([at.topic('alter'), at.topic('none')]) },
      { name: 'nonexistent', request: (at) => growth([at.topic('alter', '-not'), at.topic('none', '-not')]) },
      {
        name: 'invalid: twice',
        request: (at) => growth([at.topic('alter'), at.topic('alter'), at.topic('none'), at.topic('none')]),
      },
      { name: 'invalid: fewer', request: (at) => growth([at.topic('alter')], 1) },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => growth([at.topic('none')]) },
    ],
  }),
  row('DeleteRecords', {
    names: 'fresh',
    effects: ['records'],
    async prepare(at) {
      const names = ['delete', 'read', 'none'].map((kind) => at.topic(kind));
      await at.side.createTopics(names);
      for (const name of names) await at.side.produce(name, ['a', 'b', 'c']);
    },
    cases: [
      { name: 'allowed', request: (at) => cut([at.topic('delete')]) },
      { name: 'denied', request: (at) => cut([at.topic('read'), at.topic('none')]) },
      { name: 'partly allowed', request: (at) => cut([at.topic('delete'), at.topic('read'), at.topic('none')]) },
      { name: 'nonexistent', request: (at) => cut([at.topic('delete', '-not'), at.topic('none', '-not')]) },
      { name: 'allowed: out of range', request: (at) => cut([at.topic('delete')], 99n) },
      {
        name: 'allowed: no such partition',
        request: (at) => ({
          topics: [{ name: at.topic('delete'), partitions: [{ partitionIndex: 7, offset: 1n }] }],
          timeoutMs: 5_000,
        }),
      },
      { name: 'invalid: no topic', request: () => cut([]) },
    ],
  }),
];

/** Before version 4 a request cannot say so. */
function noCreation(version: number): { allowAutoTopicCreation?: boolean } {
  return version >= 4 ? { allowAutoTopicCreation: false } : {};
}

function creation(names: readonly string[], configs: readonly { name: string; value: string }[] = []) {
  return { topics: names.map((name) => ({ name, numPartitions: 2, replicationFactor: 1, configs })), timeoutMs: 5_000 };
}

function deletion(version: number, names: readonly string[]) {
  return version >= 6
    ? { topics: names.map((name) => ({ name })), timeoutMs: 5_000 }
    : { topicNames: names, timeoutMs: 5_000 };
}

function growth(names: readonly string[], count = 4) {
  return { topics: names.map((name) => ({ name, count, assignments: null })), timeoutMs: 5_000 };
}

function cut(names: readonly string[], offset = 2n) {
  return { topics: names.map((name) => ({ name, partitions: [{ partitionIndex: 0, offset }] })), timeoutMs: 5_000 };
}
