import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RecordLevel, RecordObligation } from '../../../model/decision.ts';
import type { RecordedItem } from '../../../recording/recording.ts';
import { type BatchHeaderDraft, buildBatch, parseBatch } from '../protocol/protocol.ts';
import { fetch } from './fetch.ts';
import { produce } from './produce.ts';
import { shareFetch } from './share-fetch.ts';
import { type World, ask, worldOf } from './testing.ts';

const idA = 'AAAAAAAAAAAAAAAAAAAAAQ';
const topics = { [idA]: 'a' };

function obligation(level: RecordLevel): RecordObligation {
  return { level, owner: '', classification: '', retentionMs: null };
}

function batch(baseOffset: bigint, ...values: readonly string[]): Buffer {
  const header: BatchHeaderDraft = {
    baseOffset,
    partitionLeaderEpoch: 3,
    attributes: 1, // gzip
    lastOffsetDelta: values.length - 1,
    baseTimestamp: 5n,
    maxTimestamp: 5n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  };
  const record = { attributes: 0, timestampDelta: 0n, key: null, headers: [] };
  return buildBatch(
    header,
    values.map((value, offsetDelta) => ({ ...record, offsetDelta, value: Buffer.from(value) })),
  );
}

function worldThatRecords(level: RecordLevel): World {
  const world = worldOf(['write topic a', 'read topic a', 'read group g'], topics);
  world.obligation = obligation(level);
  return world;
}

async function produceTo(world: World, records: Buffer, acks = -1): Promise<readonly RecordedItem[]> {
  const topicData = [
    {
      topicId: idA,
      partitionData: [
        { index: 0, records },
        { index: 1, records },
      ],
    },
  ];
  const outcome = await ask(world, produce, 13, { acks, transactionalId: null, topicData });
  if (acks !== 0) {
    const partitionResponses = [
      { index: 0, baseOffset: 40n },
      { index: 1, errorCode: 7, baseOffset: -1n },
    ];
    await outcome.deliver({ responses: [{ topicId: idA, partitionResponses }] });
  }
  return world.items;
}

async function fetchFrom(world: World, records: Buffer): Promise<readonly RecordedItem[]> {
  const outcome = await ask(world, fetch, 13, {
    topics: [{ topicId: idA, partitions: [{ partition: 2, fetchOffset: 101n }] }],
  });
  const abortedTransactions = [{ producerId: 9n, firstOffset: 100n }];
  await outcome.deliver({
    responses: [{ topicId: idA, partitions: [{ partitionIndex: 2, records, abortedTransactions }] }],
  });
  return world.items;
}

describe('what handlers hand to the recorder', () => {
  it('is the request once, the bytes as the client produced them, and what the broker said to each', async () => {
    const records = Buffer.concat([batch(0n, 'x', 'y'), batch(2n, 'z')]);
    const items = await produceTo(worldThatRecords('full'), records);
    assert.deepEqual(
      items.filter(({ kind }) => kind === 'request').map(({ meta }) => meta),
      [{ request: 'Produce v13', operations: [{ action: 'write', type: 'topic', name: 'a', partitions: [0, 1] }] }],
    );
    const produced = items.filter(({ kind }) => kind === 'produced');
    assert.deepEqual(
      produced.map(({ meta, records: count }) => [meta['topic'], meta['partition'], count]),
      [
        ['a', 0, 3],
        ['a', 1, 3],
      ],
    );
    for (const { payload } of produced) assert.deepEqual(payload, records);
    assert.deepEqual(
      items
        .filter(({ kind }) => kind === 'answered')
        .map(({ meta }) => [meta['partition'], meta['error'], meta['offset']]),
      [
        [0, 0, '40'],
        [1, 7, '-1'],
      ],
    );
  });

  it('is the bytes as delivered, with what a client passes over of them', async () => {
    const records = batch(100n, 'x', 'y');
    const items = await fetchFrom(worldThatRecords('full'), records);
    const delivered = items.find(({ kind }) => kind === 'delivered');
    assert.deepEqual(delivered?.payload, records);
    assert.deepEqual(delivered?.meta, {
      request: 'Fetch v13',
      topic: 'a',
      partition: 2,
      from: '101',
      aborted: [['9', '100']],
      records: 2,
      bytes: records.length,
    });
  });

  it('has no bytes where only references are kept: offsets, and a digest of what the broker keeps as it is', async () => {
    const [first, second] = [batch(100n, 'x', 'y'), batch(102n, 'z')];
    const items = await fetchFrom(worldThatRecords('reference'), Buffer.concat([first, second]));
    const delivered = items.find(({ kind }) => kind === 'delivered');
    assert.equal(delivered?.payload, null);
    const kept = delivered?.meta['batches'] as { offset: string; records: number; digest: string; codec: string }[];
    assert.deepEqual(
      kept.map(({ offset, records, codec }) => [offset, records, codec]),
      [
        ['100', 2, 'gzip'],
        ['102', 1, 'gzip'],
      ],
    );
    const elsewhere = Buffer.from(first);
    elsewhere.writeInt32BE(8, 12); // another leader epoch is not another content
    const again = await fetchFrom(worldThatRecords('reference'), elsewhere);
    const digestOf = (all: readonly RecordedItem[]): unknown =>
      (all.find(({ kind }) => kind === 'delivered')?.meta['batches'] as { digest: string }[] | undefined)?.[0]?.digest;
    assert.equal(digestOf(again), kept[0]?.digest);
    assert.notEqual(digestOf(await fetchFrom(worldThatRecords('reference'), batch(100n, 'x', 'Y'))), kept[0]?.digest);
    assert.equal(JSON.stringify(items).includes(first.toString('base64')), false);
  });

  it('has neither bytes nor digests where only metadata is kept', async () => {
    const items = await fetchFrom(worldThatRecords('metadata'), batch(100n, 'x', 'y'));
    const delivered = items.find(({ kind }) => kind === 'delivered');
    assert.equal(delivered?.payload, null);
    assert.deepEqual(delivered?.meta['batches'], [{ offset: '100', last: 1, records: 2 }]);
  });

  it('says which records a member of a share group has acquired', async () => {
    const world = worldThatRecords('full');
    const request = { groupId: 'g', memberId: 'm', shareSessionEpoch: 0 };
    const outcome = await ask(world, shareFetch, 2, {
      ...request,
      topics: [{ topicId: idA, partitions: [{ partitionIndex: 0 }] }],
    });
    const records = batch(7n, 'x', 'y', 'z');
    const acquiredRecords = [{ firstOffset: 8n, lastOffset: 9n, deliveryCount: 1 }];
    await outcome.deliver({
      responses: [{ topicId: idA, partitions: [{ partitionIndex: 0, records, acquiredRecords }] }],
    });
    const delivered = world.items.find(({ kind }) => kind === 'delivered');
    assert.deepEqual(delivered?.meta['acquired'], [['8', '9']]);
    assert.deepEqual(
      parseBatch(delivered?.payload ?? Buffer.alloc(0)).records.map(({ value }) => String(value)),
      ['x', 'y', 'z'],
    );
  });

  it('is also what goes without an answer, and nothing where no grant asks for it', async () => {
    const items = await produceTo(worldThatRecords('full'), batch(0n, 'x'), 0);
    assert.deepEqual(items.map(({ kind }) => kind).toSorted(), ['produced', 'produced', 'request']);
    const world = worldOf(['write topic a', 'read topic a'], topics);
    await produceTo(world, batch(0n, 'x'));
    await fetchFrom(world, batch(0n, 'x'));
    assert.deepEqual(world.items, []);
  });

  it('keeps large answers from passing unread: what is recorded is read whole', async () => {
    const world = worldThatRecords('full');
    const partitions = [{ partition: 2, fetchOffset: 0n }];
    const streams = async (): Promise<boolean> => {
      const outcome = await ask(world, fetch, 13, { topics: [{ topicId: idA, partitions }] });
      return outcome.streams;
    };
    assert.equal(await streams(), false);
    world.obligation = null;
    assert.equal(await streams(), true);
  });
});
