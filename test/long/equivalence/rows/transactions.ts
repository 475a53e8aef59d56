/** Transactions and idempotent producers. */
import type { At } from '../at.ts';
import { type AnyRow, row } from '../row.ts';

const ids = ['write', 'describe', 'blind', 'none'];

export const transactionRows: readonly AnyRow[] = [
  row('InitProducerId', {
    names: 'fresh',
    effects: ['transactions'],
    cases: [
      ...ids.map((kind) => ({
        name: `${kind === 'write' || kind === 'blind' ? 'allowed' : 'denied'}: ${kind}`,
        request: (at: At) => ({ transactionalId: at.transaction(kind), transactionTimeoutMs: 10_000 }),
      })),
      ...(['alice', 'idem', 'nobody', 'describer', 'oscar', 'creator'] as const).map((as) => ({
        name: `idempotent: ${as}`,
        as,
        request: () => ({ transactionalId: null, transactionTimeoutMs: 10_000 }),
      })),
      { name: 'invalid: empty id', request: () => ({ transactionalId: '', transactionTimeoutMs: 10_000 }) },
      {
        name: 'invalid: empty id as oscar',
        as: 'oscar',
        request: () => ({ transactionalId: '', transactionTimeoutMs: 10_000 }),
      },
      {
        name: 'invalid: timeout',
        request: (at) => ({ transactionalId: at.transaction('write'), transactionTimeoutMs: 999_999_999 }),
      },
      {
        name: 'invalid: producer id without epoch',
        from: 3,
        request: (at) => ({ transactionalId: at.transaction('write'), transactionTimeoutMs: 10_000, producerId: 7n }),
      },
    ],
  }),
  row('AddPartitionsToTxn', {
    names: 'fresh',
    effects: ['transactions'],
    prepare,
    cases: [
      { name: 'allowed', request: (at) => partitions(at, 'write', ['write', 'blind']) },
      { name: 'denied: transactional id', request: (at) => partitions(at, 'describe', ['write', 'none']) },
      { name: 'denied: topics', request: (at) => partitions(at, 'write', ['none', 'describe']) },
      { name: 'partly allowed', request: (at) => partitions(at, 'write', ['write', 'none', 'blind']) },
      {
        name: 'nonexistent: topics',
        request: (at) => added(at, 'write', [at.topic('write', '-not'), at.topic('write')]),
      },
      {
        name: 'nonexistent: and denied',
        request: (at) =>
          added(at, 'write', [
            at.topic('write', '-not'),
            at.topic('none', '-not'),
            at.topic('write'),
            at.topic('none'),
          ]),
      },
      { name: 'nonexistent: transactional id', request: (at) => added(at, 'write', [at.topic('write')], '-not') },
      { name: 'nothing', request: (at) => added(at, 'write', []) },
    ],
  }),
  row('AddOffsetsToTxn', {
    names: 'fresh',
    effects: ['transactions'],
    prepare,
    cases: [
      ...[
        ['allowed', 'write', 'read'],
        ['denied: group', 'write', 'describe'],
        ['denied: transactional id', 'describe', 'read'],
        ['denied: both', 'none', 'none'],
      ].map(([name = '', id = '', group = '']) => ({
        name,
        request: (at: At) => ({ transactionalId: at.transaction(id), ...at.producer, groupId: at.group(group) }),
      })),
      {
        name: 'nonexistent',
        request: (at) => ({
          transactionalId: at.transaction('write', '-not'),
          ...at.producer,
          groupId: at.group('read'),
        }),
      },
    ],
  }),
  row('EndTxn', {
    names: 'fresh',
    effects: ['transactions', 'records'],
    prepare: async (at) => {
      await prepare(at);
      for (const kind of ['write', 'describe'])
        await at.side.addPartitions(
          at.transaction(kind),
          kind === 'write' ? at.producer : await at.side.initProducer(at.transaction(kind)),
          [at.topic('write')],
        );
    },
    cases: [
      {
        name: 'allowed: commit',
        request: (at) => ({ transactionalId: at.transaction('write'), ...at.producer, committed: true }),
      },
      {
        name: 'allowed: abort',
        request: (at) => ({ transactionalId: at.transaction('write'), ...at.producer, committed: false }),
      },
      {
        name: 'denied',
        request: (at) => ({ transactionalId: at.transaction('describe'), ...at.producer, committed: true }),
      },
      {
        name: 'nonexistent',
        request: (at) => ({ transactionalId: at.transaction('write', '-not'), ...at.producer, committed: true }),
      },
      {
        name: 'nonexistent: denied',
        request: (at) => ({ transactionalId: at.transaction('none', '-not'), ...at.producer, committed: true }),
      },
    ],
  }),
  row('TxnOffsetCommit', {
    names: 'fresh',
    effects: ['transactions', 'groups'],
    prepare: async (at) => {
      await prepare(at);
      const group = at.group('read');
      await at.side.until('offsets in a transaction', async () => {
        const { errorCode } = await at.side.admin('AddOffsetsToTxn', 3, {
          transactionalId: at.transaction('write'),
          ...at.producer,
          groupId: group,
        });
        return errorCode === 0;
      });
    },
    cases: [
      { name: 'allowed', request: (at) => offsets(at, 'write', 'read', ['read-q0']) },
      { name: 'denied: transactional id', request: (at) => offsets(at, 'describe', 'read', ['read-q0']) },
      { name: 'denied: group', request: (at) => offsets(at, 'write', 'describe', ['read-q0']) },
      { name: 'denied: all', request: (at) => offsets(at, 'none', 'none', ['none-q0']) },
      { name: 'denied: topics', request: (at) => offsets(at, 'write', 'read', ['none-q0', 'describe-q0']) },
      { name: 'partly allowed', request: (at) => offsets(at, 'write', 'read', ['read-q0', 'none-q0', 'describe-q0']) },
      {
        name: 'nonexistent: topics',
        request: (at) => offsets(at, 'write', 'read', ['read-q0-not', 'none-q0-not', 'read-q0']),
      },
      { name: 'nothing', request: (at) => offsets(at, 'write', 'read', []) },
    ],
  }),
  row('DescribeTransactions', {
    names: 'shared',
    cases: [
      {
        name: 'allowed',
        request: (at) => ({ transactionalIds: [at.transaction('write'), at.transaction('describe')] }),
      },
      { name: 'denied', request: (at) => ({ transactionalIds: [at.transaction('none'), at.transaction('blind')] }) },
      { name: 'partly allowed', request: (at) => ({ transactionalIds: ids.map((kind) => at.transaction(kind)) }) },
      {
        name: 'nonexistent',
        request: (at) => ({ transactionalIds: [at.transaction('write', '-not'), at.transaction('none', '-not')] }),
      },
      {
        name: 'allowed: oscar',
        as: 'oscar',
        request: (at) => ({ transactionalIds: ids.map((kind) => at.transaction(kind)) }),
      },
    ],
  }),
  row('ListTransactions', {
    names: 'shared',
    cases: [
      ...(['alice', 'nobody', 'describer', 'oscar'] as const).map((as) => ({
        name: `all: ${as}`,
        as,
        request: () => ({}),
      })),
      { name: 'all: of a state', request: () => ({ stateFilters: ['Ongoing', 'Nonsense'] }) },
      { name: 'all: of a duration', from: 1, request: () => ({ durationFilter: 1n }) },
      { name: 'all: of a pattern', from: 2, request: () => ({ transactionalIdPattern: '(write|none)-q0' }) },
      { name: 'invalid: pattern', from: 2, request: () => ({ transactionalIdPattern: '(' }) },
    ],
  }),
];

/** Topics, and a producer of the transactional id `write`. */
async function prepare(at: At): Promise<void> {
  await at.side.createTopics(['write', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)));
  at.producer = await at.side.initProducer(at.transaction('write'));
}

function partitions(at: At, id: string, kinds: readonly string[]) {
  return added(
    at,
    id,
    kinds.map((kind) => at.topic(kind)),
  );
}

function added(at: At, id: string, names: readonly string[], suffix = '') {
  return {
    v3AndBelowTransactionalId: at.transaction(id, suffix),
    v3AndBelowProducerId: at.producer.producerId,
    v3AndBelowProducerEpoch: at.producer.producerEpoch,
    v3AndBelowTopics: names.map((name) => ({ name, partitions: [0, 1] })),
  };
}

function offsets(at: At, id: string, group: string, names: readonly string[]) {
  return {
    transactionalId: at.transaction(id),
    groupId: at.group(group),
    ...at.producer,
    topics: names.map((name) => ({
      name,
      partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: 'm' }],
    })),
  };
}
