import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FetchScan } from './fetch-scan.ts';
import type { FetchResponsePartitionData } from './messages.gen.ts';
import { encodeResponse, decodeResponse } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';
import { buildBatch } from './record-batch.ts';
import { plainHeader, plainRecord } from './testing/batch-arbitrary.ts';
import type { FetchEvent } from './testing/fetch-events.ts';
import { EventLog, expectedEvents, expectedOutput, fetchPayloads, scanInChunks } from './testing/fetch-events.ts';
import { goldenPayloads } from './testing/golden.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';
import type { Draft } from './values.ts';

const versions = Array.from({ length: 15 }, (_, index) => 4 + index);
const runs = 25;
const brokers = [
  { nodeId: 1, host: 'broker-1.internal', port: 9092, rack: 'a' },
  { nodeId: 2, host: 'broker-2.internal', port: 9093, rack: null },
];

function everyByte(payload: Buffer): number[] {
  return Array.from({ length: payload.length }, (_, at) => at);
}

function answer(version: number, partition: Draft<FetchResponsePartitionData>, rest: object = {}): Buffer {
  const topic = { topic: 'orders', topicId: 'AAECAwQFBgcICQoLDA0ODw', partitions: [partition] };
  return encodeResponse('Fetch', version, 5, { responses: [topic], ...rest }).subarray(4);
}

function batchOf(baseOffset: bigint, count: number, attributes: number = 0): Buffer {
  const records = Array.from({ length: count }, (_, index) => plainRecord(index, Buffer.from(`value ${index}`)));
  return buildBatch({ ...plainHeader(attributes, count), baseOffset }, records);
}

test('a scan tells what the decoder gives, and changes no byte but those of addresses, however the answer is cut', () => {
  for (const version of versions) {
    fc.assert(
      fc.property(fetchPayloads(version), fc.array(fc.nat({ max: 2_000 }), { maxLength: 12 }), (payload, cuts) => {
        const expected = { events: expectedEvents(version, payload), output: expectedOutput(version, payload) };
        assert.deepStrictEqual(scanInChunks(version, payload, cuts), expected);
        assert.deepStrictEqual(scanInChunks(version, payload, []), expected);
        assert.deepStrictEqual(scanInChunks(version, payload, everyByte(payload)), expected);
      }),
      { numRuns: runs },
    );
  }
});

test('what goes on decodes as the same answer without the brokers', () => {
  for (const version of [16, 17, 18]) {
    const payload = answer(version, { currentLeader: { leaderId: 2, leaderEpoch: 7 } }, { nodeEndpoints: brokers });
    const { output, events } = scanInChunks(version, payload, everyByte(payload));
    assert.equal(output.length, payload.length);
    for (const text of ['internal', 'broker']) assert.ok(payload.includes(text) && !output.includes(text));
    const { message: before } = decodeResponse('Fetch', version, payload);
    const { message: after } = decodeResponse('Fetch', version, output);
    const [unknown] = after.unknownTags ?? [];
    assert.equal(unknown?.tag, 127);
    assert.ok(unknown.data.length > 40 && unknown.data.every((byte) => byte === 0));
    delete after.unknownTags;
    assert.deepStrictEqual(after, { ...before, nodeEndpoints: [] });
    assert.deepEqual(events.at(-2), ['brokers', brokers]);
  }
});

test('tags that come after the blanked one stay, in order, and take numbers that nobody knows where they must', () => {
  const tagSets = [[1], [1, 2, 3], [1, 126], [125, 126, 127], [126, 127, 128], [200], [1, 16_384], everyTag(126)];
  for (const tags of tagSets) {
    const unknownTags = tags.map((tag) => ({ tag, data: Buffer.from([tag & 0xff]) }));
    const payload = answer(18, {}, { nodeEndpoints: brokers, unknownTags });
    const { output } = scanInChunks(18, payload, everyByte(payload));
    const { message } = decodeResponse('Fetch', 18, output);
    assert.deepEqual(message.nodeEndpoints, []);
    const [blanked, ...kept] = message.unknownTags ?? [];
    assert.equal(blanked?.tag, 127 - tags.length);
    assert.deepEqual(
      kept.map(({ data }) => data),
      unknownTags.map(({ data }) => data),
    );
    for (const [index, { tag }] of kept.entries()) assert.ok(tag === tags[index] || tag >= 127 - tags.length);
  }
  const tooMany = everyTag(127).map((tag) => ({ tag, data: Buffer.alloc(0) }));
  assertRefused(18, answer(18, {}, { nodeEndpoints: brokers, unknownTags: tooMany }), 'bad-value');
});

function everyTag(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

test('addresses under a number that is written longer than it needs do not get through', () => {
  const payload = answer(18, {}, { nodeEndpoints: brokers });
  // Between them the field's length, the array's count, the first node id and the length of its host.
  const tagAt = payload.indexOf('broker-1') - 8;
  assert.deepEqual([...payload.subarray(tagAt - 1, tagAt + 1)], [1, 0], 'one tagged field, number 0');
  const longer = Buffer.concat([payload.subarray(0, tagAt), Buffer.from([0x80, 0x00]), payload.subarray(tagAt + 1)]);
  assert.equal(decodeResponse('Fetch', 18, longer).message.nodeEndpoints.length, 2, 'other readers take it');
  const log = new EventLog();
  const scan = new FetchScan(longer.length, 18, log);
  scan.push(longer, 0, tagAt + 1);
  assert.throws(() => scan.push(longer, tagAt + 1), refusal('bad-value', longer.length));
});

test('before version 16 there are no addresses, and the number is not theirs', () => {
  const payload = answer(15, {}, { unknownTags: [{ tag: 0, data: Buffer.from('future') }] });
  assert.ok(scanInChunks(15, payload, []).output.equals(payload));
});

test('records are told when the last of them has passed, and only what stands in whole batches', () => {
  const records = Buffer.concat([
    batchOf(10n, 3),
    batchOf(13n, 1, 0b10_0000),
    batchOf(14n, 5),
    batchOf(19n, 2).subarray(0, 70),
  ]);
  const payload = answer(12, { partitionIndex: 4, records });
  const recordsEnd = payload.indexOf(records) + records.length;
  const log = new EventLog();
  const scan = new FetchScan(payload.length, 12, log);
  scan.push(payload, 0, recordsEnd - 1);
  assert.deepEqual(log.events, [
    ['head', 0, 0],
    ['topic', 'orders', 'AAAAAAAAAAAAAAAAAAAAAA'],
    ['partition', 4, 0],
  ]);
  scan.push(payload, recordsEnd - 1, recordsEnd);
  assert.deepEqual(log.events.at(-1), ['records', 4, 10n, 18n, 8, records.length]);
  assert.equal(scan.ended, false);
  scan.push(payload, recordsEnd);
  assert.deepEqual(log.events.at(-1), ['end']);
  assert.equal(scan.ended, true);
  assert.throws(() => scan.push(Buffer.alloc(1)), refusal('trailing-bytes', payload.length));
});

test('a connection that ends within records has what passed of them told', () => {
  const batches = [batchOf(10n, 3), batchOf(13n, 4), batchOf(17n, 5)] as const;
  const payload = answer(18, { partitionIndex: 4, records: Buffer.concat(batches) });
  const from = payload.indexOf(batches[0]);
  const cutAfter = (passed: number): FetchEvent | undefined => {
    const log = new EventLog();
    const scan = new FetchScan(payload.length, 18, log);
    scan.push(payload, 0, from + passed);
    scan.cut();
    assert.throws(() => scan.push(payload, from + passed), ProtocolError);
    return log.events.slice(3)[0];
  };
  const two = batches[0].length + batches[1].length;
  assert.equal(cutAfter(60), undefined);
  assert.deepEqual(cutAfter(61), ['records', 4, 10n, 12n, 3, 61]);
  assert.deepEqual(cutAfter(two), ['records', 4, 10n, 16n, 7, two]);
  assert.deepEqual(cutAfter(two + 60), ['records', 4, 10n, 16n, 7, two + 60]);
  assert.deepEqual(cutAfter(two + 61), ['records', 4, 10n, 21n, 12, two + 61]);
});

test('a batch that cannot be is refused, whole or in pieces', () => {
  const good = batchOf(10n, 3);
  const damages: [string, number, number[]][] = [
    ['bad-length', 8, [0, 0, 0, 13]],
    ['bad-length', 8, [0xff, 0xff, 0xff, 0xff]],
    ['bad-length', 8, [0, 0, 0, 48]],
    ['bad-value', 16, [3]],
    ['bad-value', 16, [0xff]],
  ];
  for (const [code, at, bytes] of damages) {
    const records = Buffer.concat([batchOf(0n, 1), good]);
    records.set(bytes, records.length - good.length + at);
    assertRefused(11, answer(11, { records }), code);
    assertRefused(18, answer(18, { records }), code);
  }
});

test('no part of an answer ends a scan, and neither does an answer with one byte more', () => {
  for (const version of versions) {
    for (const payload of fc.sample(fetchPayloads(version), 2)) {
      const step = Math.max(1, Math.floor(payload.length / 60));
      for (let length = 0; length < payload.length; length += step) {
        assertRefused(version, payload.subarray(0, length), 'truncated');
        const log = new EventLog();
        const scan = new FetchScan(payload.length, version, log);
        scan.push(Buffer.from(payload.subarray(0, length)));
        assert.ok(!scan.ended && log.events.every(([name]) => name !== 'end'));
      }
      assertRefused(version, Buffer.concat([payload, Buffer.alloc(1)]), 'trailing-bytes');
    }
  }
});

for (const { file, version, payload } of goldenPayloads('Fetch', 'response')) {
  test(`${file}: a scan of what a broker sent`, () => {
    const expected = { events: expectedEvents(version, payload), output: expectedOutput(version, payload) };
    assert.deepStrictEqual(scanInChunks(version, payload, []), expected);
    assert.deepStrictEqual(scanInChunks(version, payload, everyByte(payload)), expected);
  });
}

test('a version that is not laid out is refused', () => {
  for (const version of [-1, 0, 3, 19, 4.5, Number.NaN]) {
    assert.throws(() => new FetchScan(100, version, new EventLog()), refusal('unsupported-version', 0));
  }
});

test('what a visitor throws ends the scan', () => {
  const payload = answer(18, {});
  const log = new EventLog();
  log.partition = () => {
    throw new RangeError('from the visitor');
  };
  const scan = new FetchScan(payload.length, 18, log);
  assert.throws(() => scan.push(payload), RangeError);
  assert.throws(() => scan.push(payload), ProtocolError);
});

test('damaged answers are refused where the decoder refuses them, and else tell the same, however they are cut', () => {
  const mutator = new Mutator(fuzzSeed);
  let refused = 0;
  let taken = 0;
  for (const version of versions) {
    for (const payload of fc.sample(fetchPayloads(version), { numRuns: 6, seed: fuzzSeed })) {
      for (let left = fuzzIterations * 4; left > 0; left -= 1) {
        const damaged = mutator.mutate(payload);
        const cuts = Array.from({ length: mutator.next(6) }, () => mutator.next(damaged.length + 1));
        const scanned = attempt(() => scanInChunks(version, damaged, cuts).events, damaged.length);
        const expected = attempt(() => expectedEvents(version, damaged), Infinity);
        const label = `v${version}, seed ${fuzzSeed}, cuts ${cuts.join()}, ${damaged.toString('hex')}`;
        if (scanned === null) refused += 1;
        else taken += 1;
        if (scanned === null && expected !== null && isLongerThanNeeded(version, damaged)) continue;
        assert.deepStrictEqual(withoutBrokers(scanned), withoutBrokers(expected), label);
      }
    }
  }
  assert.ok(refused > taken / 10 && taken > refused / 10, `${refused} refused, ${taken} taken`);
});

/** Numbers may take more bytes than they need: where the scan would have to write such a one, it refuses the answer. */
function isLongerThanNeeded(version: number, payload: Buffer): boolean {
  return (
    attempt(
      () => {
        scanInChunks(version, payload, []);
        return [];
      },
      payload.length,
      /takes more bytes than it needs|tags after one to be blanked/,
    ) === null
  );
}

function withoutBrokers(events: readonly FetchEvent[] | null): readonly FetchEvent[] | null {
  return events?.filter(([name]) => name !== 'brokers') ?? null;
}

function attempt(scan: () => FetchEvent[], length: number, message: RegExp = /./): FetchEvent[] | null {
  try {
    return scan();
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.byteOffset < 0 || error.byteOffset > length) throw error;
    assert.match(error.message, message);
    return null;
  }
}

function refusal(code: string, length: number): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.byteOffset >= 0 && error.byteOffset <= length, error.message);
    return true;
  };
}

function assertRefused(version: number, payload: Buffer, code: string): void {
  assert.throws(() => scanInChunks(version, payload, []), refusal(code, payload.length));
  assert.throws(() => scanInChunks(version, payload, everyByte(payload)), refusal(code, payload.length));
}
