import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, worldOf } from './testing.ts';
import { describeProducers, describeTransactions, listTransactions } from './transaction-views.ts';
import { addOffsetsToTxn, addPartitionsToTxn, endTxn, initProducerId } from './transactions.ts';
import { txnOffsetCommit } from './txn-offset-commit.ts';

describe('InitProducerId', () => {
  for (const version of [0, 5]) {
    it(`v${version}: WRITE on the transactional id, and no other right stands in for it`, async () => {
      const request = { transactionalId: 'x', transactionTimeoutMs: 1000 };
      const no = await ask(
        worldOf(['describe transactional-id x', 'idempotent-write cluster kafka-cluster']),
        initProducerId,
        version,
        request,
      );
      assert.deepEqual(
        [no.forwarded, no.answer?.errorCode, no.answer?.producerId, no.answer?.producerEpoch],
        [null, 53, -1n, -1],
      );
      assert.equal((await ask(worldOf(['write transactional-id x']), initProducerId, version, request)).unread, true);
    });

    it(`v${version}: without one, IDEMPOTENT_WRITE or WRITE on any topic`, async () => {
      const request = { transactionalId: null, transactionTimeoutMs: 1000 };
      const no = await ask(worldOf(['read topic a', 'write transactional-id x']), initProducerId, version, request);
      assert.deepEqual([no.forwarded, no.answer?.errorCode], [null, 31]);
      assert.equal((await ask(worldOf(['write topic a']), initProducerId, version, request)).unread, true);
      assert.equal(
        (await ask(worldOf(['idempotent-write cluster kafka-cluster']), initProducerId, version, request)).unread,
        true,
      );
    });
  }
});

describe('AddPartitionsToTxn', () => {
  for (const version of [0, 3]) {
    const request = {
      v3AndBelowTransactionalId: 'x',
      v3AndBelowTopics: [
        { name: 'a', partitions: [0, 1] },
        { name: 'b', partitions: [0] },
      ],
    };
    const results = (answer: Awaited<ReturnType<typeof ask<'AddPartitionsToTxn'>>>['answer']) =>
      answer?.resultsByTopicV3AndBelow.flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map(
          ({ partitionIndex, partitionErrorCode }) => `${name}:${partitionIndex}=${partitionErrorCode}`,
        ),
      );

    it(`v${version}: WRITE on the transactional id, else 53 on everything`, async () => {
      const outcome = await ask(worldOf(['write topic a', 'write topic b']), addPartitionsToTxn, version, request);
      assert.equal(outcome.forwarded, null);
      assert.deepEqual(results(outcome.answer), ['a:0=53', 'a:1=53', 'b:0=53']);
    });

    it(`v${version}: one denied partition fails all, and nothing is added`, async () => {
      const permitted = ['write transactional-id x', 'write topic a 0', 'write topic b'];
      const outcome = await ask(
        worldOf(permitted, { AAAAAAAAAAAAAAAAAAAAAQ: 'b' }),
        addPartitionsToTxn,
        version,
        request,
      );
      assert.equal(outcome.forwarded, null);
      assert.deepEqual(results(outcome.answer), ['a:0=55', 'a:1=29', 'b:0=55']);
      const missing = await ask(worldOf(permitted), addPartitionsToTxn, version, request);
      assert.deepEqual(results(missing.answer), ['a:0=55', 'a:1=29', 'b:0=3']);
    });

    it(`v${version}: all permitted passes unread`, async () => {
      const outcome = await ask(
        worldOf(['write transactional-id x', 'write topic a', 'write topic b']),
        addPartitionsToTxn,
        version,
        request,
      );
      assert.equal(outcome.unread, true);
    });
  }

  it('is not offered in the versions that brokers use', () => {
    assert.equal(addPartitionsToTxn.versions.max, 3);
  });
});

describe('AddOffsetsToTxn and EndTxn', () => {
  it('AddOffsetsToTxn needs both the transactional id and the group', async () => {
    const request = { transactionalId: 'x', groupId: 'g' };
    for (const version of [0, 4]) {
      assert.equal((await ask(worldOf(['read group g']), addOffsetsToTxn, version, request)).answer?.errorCode, 53);
      assert.equal(
        (await ask(worldOf(['write transactional-id x', 'describe group g']), addOffsetsToTxn, version, request)).answer
          ?.errorCode,
        30,
      );
      assert.equal(
        (await ask(worldOf(['write transactional-id x', 'read group g']), addOffsetsToTxn, version, request)).unread,
        true,
      );
    }
  });

  it('EndTxn needs the transactional id', async () => {
    for (const version of [0, 5]) {
      const request = { transactionalId: 'x', producerId: 1n, producerEpoch: 0, committed: true };
      assert.equal((await ask(worldOf(['write transactional-id y']), endTxn, version, request)).answer?.errorCode, 53);
      assert.equal((await ask(worldOf(['write transactional-id x']), endTxn, version, request)).unread, true);
    }
  });
});

describe('TxnOffsetCommit', () => {
  const at = (partitionIndex: number) => ({ partitionIndex, committedOffset: 1n });
  for (const version of [0, 5]) {
    const request = {
      transactionalId: 'x',
      groupId: 'g',
      topics: [
        { name: 'a', partitions: [at(0), at(1)] },
        { name: 'b', partitions: [at(0)] },
      ],
    };
    const codes = (
      answer: { topics: { name: string; partitions: { partitionIndex: number; errorCode: number }[] }[] } | null,
    ) =>
      answer?.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => `${name}:${partitionIndex}=${errorCode}`),
      );

    it(`v${version}: the transactional id, then the group, then each partition`, async () => {
      const noId = await ask(
        worldOf(['read group g', 'read topic a', 'read topic b']),
        txnOffsetCommit,
        version,
        request,
      );
      assert.deepEqual(codes(noId.answer), ['a:0=53', 'a:1=53', 'b:0=53']);
      const noGroup = await ask(
        worldOf(['write transactional-id x', 'read topic a', 'read topic b']),
        txnOffsetCommit,
        version,
        request,
      );
      assert.deepEqual(codes(noGroup.answer), ['a:0=30', 'a:1=30', 'b:0=30']);
      const part = await ask(
        worldOf(['write transactional-id x', 'read group g', 'read topic a 1']),
        txnOffsetCommit,
        version,
        request,
      );
      assert.deepEqual(
        part.forwarded?.topics.map(({ name, partitions }) => [name, partitions.map((p) => p.partitionIndex)]),
        [['a', [1]]],
      );
      const delivered = await part.deliver({
        topics: [{ name: 'a', partitions: [{ partitionIndex: 1, errorCode: 0 }] }],
      });
      assert.deepEqual(codes(delivered), ['a:1=0', 'a:0=29', 'b:0=29']);
    });
  }
});

describe('looking at transactions', () => {
  it('DescribeProducers: READ by partition', async () => {
    const outcome = await ask(worldOf(['read topic a 0', 'describe topic b']), describeProducers, 0, {
      topics: [
        { name: 'a', partitionIndexes: [0, 1] },
        { name: 'b', partitionIndexes: [0] },
      ],
    });
    assert.deepEqual(
      outcome.forwarded?.topics.map(({ name, partitionIndexes }) => [name, partitionIndexes]),
      [['a', [0]]],
    );
    const delivered = await outcome.deliver({ topics: [{ name: 'a', partitions: [{ partitionIndex: 0 }] }] });
    assert.deepEqual(
      delivered.topics.flatMap(({ name, partitions }) =>
        partitions.map((p) => `${name}:${p.partitionIndex}=${p.errorCode}`),
      ),
      ['a:0=0', 'a:1=29', 'b:0=29'],
    );
  });

  it('DescribeTransactions: denied ids get 53, hidden topics disappear', async () => {
    const outcome = await ask(
      worldOf(['describe transactional-id mine', 'describe topic a']),
      describeTransactions,
      0,
      { transactionalIds: ['mine', 'yours'] },
    );
    assert.deepEqual(outcome.forwarded?.transactionalIds, ['mine']);
    const delivered = await outcome.deliver({
      transactionStates: [
        {
          transactionalId: 'mine',
          topics: [
            { topic: 'a', partitions: [0] },
            { topic: 'hidden', partitions: [0] },
          ],
        },
      ],
    });
    assert.deepEqual(
      delivered.transactionStates.map(({ transactionalId, errorCode, topics }) => [
        transactionalId,
        errorCode,
        topics.map(({ topic }) => topic),
      ]),
      [
        ['mine', 0, ['a']],
        ['yours', 53, []],
      ],
    );
    const none = await ask(worldOf(), describeTransactions, 0, { transactionalIds: ['yours'] });
    assert.equal(none.forwarded, null);
  });

  it('ListTransactions leaves out what may not be described, in every version', async () => {
    for (const version of [0, 2]) {
      const outcome = await ask(worldOf(['describe transactional-id mine']), listTransactions, version, {});
      const delivered = await outcome.deliver({
        transactionStates: [{ transactionalId: 'mine' }, { transactionalId: 'yours' }],
      });
      assert.deepEqual(
        delivered.transactionStates.map(({ transactionalId }) => transactionalId),
        ['mine'],
      );
    }
  });
});
