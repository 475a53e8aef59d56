/** The records that every client sends, and what must have become of them. */
import assert from 'node:assert/strict';
import type { Received, WireRecord } from './task.ts';

const keys = 17;

/** Keys, headers and values of all bytes and of lengths from a few to some hundred bytes; no two values are equal. */
export function binaryRecords(count: number): WireRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const tail = Buffer.from(Array.from({ length: (index * 37) % 300 }, (__, at) => (index * 7 + at * 13) % 256));
    return {
      key: base64(`key-${index % keys}`),
      value: Buffer.concat([Buffer.from(`value-${index}-`), tail]).toString('base64'),
      headers: [
        ['index', base64(String(index))],
        ['bytes', Buffer.from([0, 255, index % 256, 10, 13]).toString('base64')],
        ['empty', ''],
      ],
    };
  });
}

/** Lines, for a client that reads them from a terminal; one header for all. */
export function textRecords(count: number): WireRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: base64(`key-${index % keys}`),
    value: base64(`value-${index}-${'ä'.repeat(index % 60)}`),
    headers: [['sent-by', base64('kcat')]],
  }));
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** Every record once, byte for byte; in a partition in the order they were sent; a key in one partition. */
export function assertAllReceived(sent: readonly WireRecord[], received: readonly Received[]): void {
  const indexOf = new Map(sent.map(({ value }, index) => [value, index]));
  const seen = new Set<number>();
  const partitionOf = new Map<string, number>();
  const last = new Map<number, { index: number; offset: number }>();
  for (const record of received) {
    const index = indexOf.get(record.value);
    assert.ok(index !== undefined, `a value came that was not sent: ${record.value.slice(0, 40)}`);
    assert.ok(!seen.has(index), `record ${index} came twice`);
    seen.add(index);
    const { key, headers } = sent[index] as WireRecord;
    assert.equal(record.key, key, `key of record ${index}`);
    assert.deepEqual(record.headers, headers, `headers of record ${index}`);
    const before = last.get(record.partition) ?? { index: -1, offset: -1 };
    assert.ok(before.index < index, `record ${index} came after ${before.index} in partition ${record.partition}`);
    assert.ok(before.offset < record.offset, `offset ${record.offset} came after ${before.offset}`);
    last.set(record.partition, { index, offset: record.offset });
    assert.equal(
      partitionOf.get(key) ?? record.partition,
      record.partition,
      `key of record ${index} changed partition`,
    );
    partitionOf.set(key, record.partition);
  }
  assert.equal(seen.size, sent.length, `${sent.length - seen.size} of ${sent.length} records did not come`);
  assert.ok(last.size > 1, 'all records went to one partition');
}

/** Share groups promise neither order nor that a record comes once only; every record comes. */
export function assertAllShared(sent: readonly WireRecord[], received: readonly Received[]): void {
  const byValue = new Map(received.map((record) => [record.value, record]));
  for (const [index, { key, value, headers }] of sent.entries()) {
    const record = byValue.get(value);
    assert.ok(record !== undefined, `record ${index} did not come`);
    assert.deepEqual([record.key, record.headers], [key, headers], `record ${index}`);
  }
  assert.equal(byValue.size, sent.length);
}
