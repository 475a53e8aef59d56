import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../../model/json.ts';
import type { StoredItem } from '../../../recording/recording.ts';
import { type BatchHeaderDraft, buildBatch } from '../protocol/protocol.ts';
import type { ReadItem } from './answers.ts';
import type { ReplayEvent, Resolver } from './contract.ts';
import { replayEvents } from './events.ts';
import { PlanReport, planUnits } from './plan.ts';

const [transactional, control] = [0b1_0000, 0b10_0000];

function batch(base: bigint, values: readonly string[], attributes = 0, producerId = -1n): Buffer {
  const header: BatchHeaderDraft = {
    baseOffset: base,
    partitionLeaderEpoch: 0,
    attributes,
    lastOffsetDelta: values.length - 1,
    baseTimestamp: 1_000n,
    maxTimestamp: 1_000n,
    producerId,
    producerEpoch: 0,
    baseSequence: 0,
  };
  return buildBatch(
    header,
    values.map((value, offsetDelta) => ({
      attributes: 0,
      timestampDelta: BigInt(offsetDelta),
      offsetDelta,
      key: Buffer.from(`k${offsetDelta}`),
      value: Buffer.from(value),
      headers: [{ key: Buffer.from('h'), value: null }],
    })),
  );
}

let clockMs = 0;

function item(kind: StoredItem['kind'], meta: JsonObject, payload: Buffer = Buffer.alloc(0)): StoredItem {
  return { kind, atMs: (clockMs += 10), records: 0, meta: { topic: 't', partition: 0, ...meta }, payload };
}

async function* read(items: readonly StoredItem[]): AsyncGenerator<ReadItem> {
  for (const one of items) yield await Promise.resolve({ item: one, digest: () => Buffer.from('digest') });
}

async function collected<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const one of items) all.push(one);
  return all;
}

async function events(items: readonly StoredItem[], resolve?: Resolver): Promise<ReplayEvent[]> {
  return await collected(replayEvents(read(items), {}, resolve));
}

function told(all: readonly ReplayEvent[]): string[] {
  return all.flatMap((event) => {
    if (event.kind === 'reference') return [`${event.verdict} ${event.firstOffset}-${event.lastOffset}`];
    if (event.kind !== 'batch') return [event.kind];
    const fate = event.fate.kind === 'refused' ? `refused ${event.fate.code}` : event.fate.kind;
    return event.records.map(({ offset, value }) => `${offset ?? '?'} ${String(value)} ${fate}`);
  });
}

describe('replaying what was produced', () => {
  it('puts to each batch what the broker answered to it, whatever the order of the answers', async () => {
    const all = await events([
      item('produced', { exchange: 1 }, batch(0n, ['a', 'b'])),
      item('produced', { exchange: 2 }, batch(0n, ['c'])),
      item('answered', { exchange: 2, error: 0, offset: '12' }),
      item('answered', { exchange: 1, error: 0, offset: '10' }),
      item('produced', { exchange: 3 }, batch(0n, ['d'])),
      item('answered', { exchange: 3, error: 7, offset: '-1' }),
    ]);
    assert.deepEqual(told(all), ['10 a written', '11 b written', '12 c written', '? d refused 7']);
  });

  it('does not wait for an answer that never comes', async () => {
    const all = await events([
      item('produced', { exchange: 1, unanswered: true }, batch(0n, ['acks=0'])),
      item('produced', { exchange: 2 }, batch(0n, ['killed'])),
    ]);
    assert.deepEqual(told(all), ['? acks=0 unknown', '? killed unknown']);
  });

  it('keeps keys, headers and timestamps', async () => {
    const [event] = await events([item('produced', { exchange: 1 }, batch(0n, ['a', 'b'], 4))]);
    assert.ok(event?.kind === 'batch');
    assert.equal(event.codec, 'zstd');
    const [, second] = event.records;
    assert.deepEqual([String(second?.key), second?.timestampMs], ['k1', 1_001n]);
    assert.deepEqual(
      second?.headers.map(({ key, value }) => [String(key), value]),
      [['h', null]],
    );
  });
});

describe('replaying what was delivered', () => {
  it('leaves out what a consumer passes over: before its offset, markers, aborted transactions', async () => {
    const records = Buffer.concat([
      batch(10n, ['before', 'first']),
      batch(12n, ['aborted'], transactional, 5n),
      batch(13n, ['committed'], transactional, 6n),
      batch(14n, ['marker'], transactional | control, 5n),
      batch(15n, ['next of the same producer'], transactional, 5n),
    ]);
    const all = await events([item('delivered', { from: '11', aborted: [['5', '12']] }, records)]);
    assert.deepEqual(told(all), ['11 first written', '13 committed written', '15 next of the same producer written']);
  });

  it('shows a member of a share group what it had acquired', async () => {
    const acquired = [['11', '11']];
    const all = await events([item('delivered', { acquired }, batch(10n, ['a', 'b', 'c']))]);
    assert.deepEqual(told(all), ['11 b written']);
  });

  it('says of a batch that cannot be read that it cannot, and goes on', async () => {
    const bad = batch(10n, ['a']);
    bad.writeUInt8(bad.readUInt8(70) ^ 1, 70);
    const all = await events([item('delivered', {}, bad), item('delivered', {}, batch(11n, ['b']))]);
    assert.deepEqual(told(all), ['note', '11 b written']);
    assert.match(all[0]?.kind === 'note' ? all[0].text : '', /t-0 cannot be read: .*CRC/);
  });
});

describe('replaying references', () => {
  const reference = { offset: '10', last: 1, records: 2, bytes: 80, codec: 'none', digest: 'abc' };

  it('asks for each batch, and passes on why one is not there', async () => {
    const asked: bigint[] = [];
    const resolve: Resolver = async ({ offset }) => {
      asked.push(offset);
      if (offset === 10n) return await Promise.resolve({ batch: batch(10n, ['a', 'b']) });
      return { verdict: 'expired', detail: 'older' };
    };
    const batches = [reference, { ...reference, offset: '12' }, { ...reference, offset: '14', control: true }];
    const all = await events([item('delivered', { from: '11', batches })], resolve);
    assert.deepEqual(told(all), ['11 b written', 'expired 12-13']);
    assert.deepEqual(asked, [10n, 12n]);
  });

  it('knows where produced batches stand by the answer, and does not ask where there was none', async () => {
    const resolve: Resolver = async ({ offset }) => await Promise.resolve({ batch: batch(offset, ['a', 'b']) });
    const produced = { ...reference, offset: '0' };
    const all = await events(
      [
        item('produced', { exchange: 1, batches: [produced] }),
        item('answered', { exchange: 1, error: 0, offset: '40' }),
        item('produced', { exchange: 2, batches: [produced], unanswered: true }),
        item('produced', { exchange: 3, batches: [produced] }),
        item('answered', { exchange: 3, error: 7, offset: '-1' }),
      ],
      resolve,
    );
    assert.deepEqual(told(all), ['40 a written', '41 b written', 'unreadable null-null', 'gone null-null']);
  });

  it('says that nobody was asked, and that metadata has nothing to ask for', async () => {
    const { digest: _, ...bare } = reference;
    const items = [item('delivered', { batches: [reference] }), item('delivered', { batches: [bare] })];
    assert.deepEqual(told(await events(items)), ['not-asked 10-11', 'not-kept 10-11']);
  });
});

describe('the plan of what is written again', () => {
  it('leaves out, and counts, what the broker had refused and what a client sent twice', async () => {
    const items = [
      item('produced', { exchange: 1 }, batch(0n, ['a', 'b'])),
      item('answered', { exchange: 1, error: 0, offset: '10' }),
      item('produced', { exchange: 2 }, batch(0n, ['a', 'b'])),
      item('answered', { exchange: 2, error: 0, offset: '10' }),
      item('produced', { exchange: 3 }, batch(0n, ['c'])),
      item('answered', { exchange: 3, error: 7, offset: '-1' }),
      item('produced', { exchange: 4, partition: 1 }, batch(0n, ['d'])),
      item('answered', { exchange: 4, partition: 1, error: 0, offset: '3' }),
    ];
    const report = new PlanReport();
    const keep = ({ value }: { readonly value: Buffer | null }): boolean => String(value) !== 'b';
    const units = await collected(planUnits(replayEvents(read(items)), { keep }, report));
    const plain = units.map(({ number, partition, records }) => [
      number,
      partition,
      records.map(({ value }) => String(value)),
    ]);
    assert.deepEqual(plain, [
      [0, 0, ['a']],
      [1, 1, ['d']],
    ]);
    assert.deepEqual(Object.fromEntries(report.leftOut), {
      'sent twice by the client, written once by the broker': 2,
      'the broker had refused them': 1,
    });
    assert.deepEqual([report.units, report.records], [2, 2]);
  });
});
