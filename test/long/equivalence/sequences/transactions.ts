/** Transactions from their beginning to their end, as clients before and after KIP-890 go through them. */
import { errorCodes } from '../../../../src/ports/kafka/protocol/protocol.ts';
import { buildBatch } from '../../../../src/ports/kafka/protocol/protocol.ts';
import type { Producer } from '../at.ts';
import type { Sequence, Steps } from './sequence.ts';

const none: Producer = { producerId: -1n, producerEpoch: -1 };

/** Asks for as long as the transaction before is still being ended. */
async function begun(steps: Steps, label: string, version: number, at: Producer = none): Promise<Producer> {
  const request = {
    transactionalId: steps.at.transaction('write'),
    transactionTimeoutMs: 60_000,
    ...(version >= 3 ? at : {}),
  };
  const busy: readonly number[] = [
    errorCodes.CONCURRENT_TRANSACTIONS,
    errorCodes.NOT_COORDINATOR,
    errorCodes.COORDINATOR_LOAD_IN_PROGRESS,
  ];
  const answer = await steps.until(
    label,
    'InitProducerId',
    () => steps.quietly('alice', 'InitProducerId', version, request),
    ({ errorCode }) => !busy.includes(errorCode),
  );
  return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
}

function batch({ producerId, producerEpoch }: Producer, baseSequence: number, value: string): Buffer {
  const nowMs = BigInt(Date.now());
  return buildBatch(
    {
      baseOffset: 0n,
      partitionLeaderEpoch: -1,
      attributes: 0x10,
      lastOffsetDelta: 0,
      baseTimestamp: nowMs,
      maxTimestamp: nowMs,
      producerId,
      producerEpoch,
      baseSequence,
    },
    [{ attributes: 0, timestampDelta: 0n, offsetDelta: 0, key: null, value: Buffer.from(value), headers: [] }],
  );
}

async function added(steps: Steps, label: string, producer: Producer, kinds: readonly string[]): Promise<void> {
  const request = {
    v3AndBelowTransactionalId: steps.at.transaction('write'),
    v3AndBelowProducerId: producer.producerId,
    v3AndBelowProducerEpoch: producer.producerEpoch,
    v3AndBelowTopics: kinds.map((kind) => ({ name: steps.at.topic(kind), partitions: [0] })),
  };
  await steps.until(
    label,
    'AddPartitionsToTxn',
    () => steps.quietly('alice', 'AddPartitionsToTxn', 3, request),
    ({ resultsByTopicV3AndBelow: results }) =>
      results.every(({ resultsByPartition }) =>
        resultsByPartition.every(({ partitionErrorCode }) => partitionErrorCode !== errorCodes.CONCURRENT_TRANSACTIONS),
      ),
  );
}

async function produced(
  steps: Steps,
  label: string,
  version: number,
  kinds: readonly string[],
  records: Buffer,
): Promise<void> {
  const request = {
    transactionalId: steps.at.transaction('write'),
    acks: -1,
    timeoutMs: 10_000,
    topicData: kinds.map((kind) => ({ name: steps.at.topic(kind), partitionData: [{ index: 0, records }] })),
  };
  await steps.until(
    label,
    'Produce',
    () => steps.quietly('alice', 'Produce', version, request),
    ({ responses }) =>
      responses.every(({ partitionResponses }) =>
        partitionResponses.every(({ errorCode }) => errorCode !== errorCodes.CONCURRENT_TRANSACTIONS),
      ),
  );
}

async function offsets(
  steps: Steps,
  label: string,
  version: number,
  producer: Producer,
  kinds: readonly string[],
  group = 'read',
): Promise<void> {
  await steps.ask(label, 'alice', 'TxnOffsetCommit', version, {
    transactionalId: steps.at.transaction('write'),
    groupId: steps.at.group(group),
    ...producer,
    topics: kinds.map((kind) => ({
      name: steps.at.topic(kind),
      partitions: [{ partitionIndex: 0, committedOffset: 3n, committedMetadata: 'm' }],
    })),
  });
}

/** What readers of committed records see, and the offsets that came with the transaction. */
async function looked(steps: Steps, label: string): Promise<void> {
  const { at } = steps;
  await at.side.until('the end of the transaction', async () => {
    const asked = { transactionalIds: [at.transaction('write')] };
    const { transactionStates } = await at.side.admin('DescribeTransactions', 0, asked);
    return transactionStates.every(({ transactionState }) => transactionState.startsWith('Complete'));
  });
  const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }];
  await steps.until(
    `${label}: committed records`,
    'Fetch',
    () =>
      steps.quietly('oscar', 'Fetch', 12, {
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 1_000_000,
        isolationLevel: 1,
        sessionEpoch: -1,
        topics: [{ topic: at.topic('write'), partitions }],
      }),
    ({ responses }) => {
      const part = responses[0]?.partitions[0];
      return part !== undefined && part.lastStableOffset === part.highWatermark;
    },
  );
  const groups = [{ groupId: at.group('read'), memberId: null, memberEpoch: -1, topics: null }];
  await steps.until(
    `${label}: committed offsets`,
    'OffsetFetch',
    () => steps.quietly('alice', 'OffsetFetch', 9, { requireStable: true, groups }),
    ({ groups: answers }) =>
      answers.every((group) =>
        group.topics.every((topic) => topic.partitions.every(({ errorCode }) => errorCode === 0)),
      ),
  );
  await steps.ask(`${label}: state`, 'alice', 'DescribeTransactions', 0, {
    transactionalIds: [at.transaction('write')],
  });
}

async function topicsOf(steps: Steps): Promise<void> {
  const { at } = steps;
  await at.side.createTopics(['write', 'read', 'blind', 'none'].map((kind) => at.topic(kind)));
}

export const transactionSequences: readonly Sequence[] = [
  {
    name: 'transactions v1',
    effects: ['transactions', 'offsets'],
    async run(steps) {
      await topicsOf(steps);
      const transactionalId = steps.at.transaction('write');
      const groupId = steps.at.group('read');
      const first = await begun(steps, 'begin', 4);
      await added(steps, 'add what is allowed', first, ['write', 'blind']);
      await added(steps, 'add what is partly denied', first, ['write', 'none']);
      await produced(steps, 'write', 9, ['write'], batch(first, 0, 'one'));
      await produced(steps, 'write what is partly denied', 9, ['blind', 'none'], batch(first, 0, 'two'));
      await steps.ask('offsets of a group', 'alice', 'AddOffsetsToTxn', 3, { transactionalId, ...first, groupId });
      await steps.ask('offsets of a denied group', 'alice', 'AddOffsetsToTxn', 3, {
        transactionalId,
        ...first,
        groupId: steps.at.group('describe'),
      });
      await offsets(steps, 'commit offsets, partly denied', 3, first, ['read', 'none']);
      await steps.ask('commit', 'alice', 'EndTxn', 3, { transactionalId, ...first, committed: true });
      await looked(steps, 'committed');
      await added(steps, 'a second transaction', first, ['write']);
      await produced(steps, 'a second write', 9, ['write'], batch(first, 1, 'never'));
      await steps.ask('abort', 'alice', 'EndTxn', 3, { transactionalId, ...first, committed: false });
      await looked(steps, 'aborted');
      const second = await begun(steps, 'another producer takes over', 4);
      await added(steps, 'the first one is fenced: add', first, ['write']);
      await produced(steps, 'the first one is fenced: write', 9, ['write'], batch(first, 2, 'late'));
      await steps.ask('the first one is fenced: end', 'alice', 'EndTxn', 3, {
        transactionalId,
        ...first,
        committed: true,
      });
      await begun(steps, 'the first one is fenced: begin', 4, first);
      await added(steps, 'the second one goes on', second, ['write']);
      await steps.ask('and ends', 'alice', 'EndTxn', 3, { transactionalId, ...second, committed: true });
      await looked(steps, 'in the end');
    },
  },
  {
    name: 'transactions v2',
    effects: ['transactions', 'offsets'],
    async run(steps) {
      await topicsOf(steps);
      const transactionalId = steps.at.transaction('write');
      const first = await begun(steps, 'begin', 5);
      await produced(steps, 'write, which adds by itself', 12, ['write'], batch(first, 0, 'one'));
      await produced(steps, 'write what is partly denied', 12, ['blind', 'none'], batch(first, 0, 'two'));
      await offsets(steps, 'commit offsets, which adds by itself', 5, first, ['read', 'none']);
      await offsets(steps, 'offsets of a denied group', 5, first, ['read'], 'describe');
      const ended = await steps.ask('commit', 'alice', 'EndTxn', 5, { transactionalId, ...first, committed: true });
      const second: Producer = { producerId: ended.producerId, producerEpoch: ended.producerEpoch };
      await looked(steps, 'committed');
      await produced(steps, 'the epoch before is fenced', 12, ['write'], batch(first, 1, 'late'));
      await produced(steps, 'write in the next epoch', 12, ['write'], batch(second, 0, 'never'));
      const aborted = await steps.ask('abort', 'alice', 'EndTxn', 5, { transactionalId, ...second, committed: false });
      await looked(steps, 'aborted');
      await steps.ask('end again in the epoch before', 'alice', 'EndTxn', 5, {
        transactionalId,
        ...first,
        committed: true,
      });
      const third: Producer = { producerId: aborted.producerId, producerEpoch: aborted.producerEpoch };
      await steps.ask('end what was not begun', 'alice', 'EndTxn', 5, { transactionalId, ...third, committed: true });
    },
  },
];
