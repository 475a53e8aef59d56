import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { crc32c } from '@node-rs/crc32';
import { createRecordsBatch, Reader, readRecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { compressSync } from 'snappy';

import { batches, codecOf, isControl, isLogAppendTime, isTransactional, withCodec } from './batch-header.ts';
import { compressionCodecs, decompress } from './compression.ts';
import { ProtocolError } from './protocol-error.ts';
import type { ProtocolErrorCode } from './protocol-error.ts';
import { buildBatch, parseBatch } from './record-batch.ts';
import { batchAround, headerArbitrary, plainHeader, plainRecord, recordsArbitrary } from './testing/batch-arbitrary.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';

function refused(run: () => unknown, code: ProtocolErrorCode): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

function withCrc(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

const textBatch = (codec: (typeof compressionCodecs)[number]): Buffer =>
  buildBatch(
    plainHeader(withCodec(0, codec), 3),
    ['one', 'two', 'three'].map((text, index) => plainRecord(index, Buffer.from(text.repeat(20)))),
  );

test('the CRC is CRC-32C (the check value of the Castagnoli polynomial)', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
});

test('a batch that is built parses to the same header and records, with every codec', () => {
  for (const codec of compressionCodecs) {
    fc.assert(
      fc.property(headerArbitrary, recordsArbitrary, (draft, records) => {
        const header = { ...draft, attributes: withCodec(draft.attributes, codec) };
        const batch = buildBatch(header, records);
        const parsed = parseBatch(Buffer.concat([Buffer.alloc(5), batch]), 5);
        assert.deepStrictEqual(parsed.records, records);
        assert.deepStrictEqual(parsed.header, {
          ...header,
          position: 5,
          sizeBytes: batch.length,
          magic: 2,
          recordsCount: records.length,
        });
        assert.equal(codecOf(parsed.header.attributes), codec);
      }),
      { numRuns: 150 },
    );
  }
});

test('another client reads what is built, and what it builds is read', () => {
  const messages = Array.from({ length: 500 }, (_, index) => ({
    topic: 't',
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`value ${index}`.repeat(30)),
    headers: new Map([[Buffer.from('h'), Buffer.from('v')]]),
    timestamp: 1_700_000_000_000n + BigInt(index),
  }));
  for (const codec of compressionCodecs) {
    const theirs = Buffer.from(createRecordsBatch(messages, { compression: codec }).buffer);
    const parsed = parseBatch(theirs);
    assert.equal(codecOf(parsed.header.attributes), codec);
    assert.equal(parsed.records.length, 500);
    assert.deepEqual(
      parsed.records.map((record) => record.value),
      messages.map((message) => message.value),
    );
    const ours = buildBatch(parsed.header, parsed.records);
    const read = readRecordsBatch(Reader.from(ours));
    assert.deepEqual(
      read.records.map(({ key, value, headers, offsetDelta, timestampDelta }) => ({
        key,
        value,
        headers,
        offsetDelta,
        timestampDelta,
      })),
      messages.map(({ key, value }, index) => ({
        key,
        value,
        headers: [[Buffer.from('h'), Buffer.from('v')]],
        offsetDelta: index,
        timestampDelta: BigInt(index),
      })),
    );
    assert.equal(read.crc, crc32c(ours.subarray(21)));
  }
});

test('the walk gives every whole batch, and stops at one that is cut off', () => {
  const one = textBatch('none');
  const two = textBatch('zstd');
  const records = Buffer.concat([one, two, one]);
  for (let length = 0; length <= records.length; length += 1) {
    const found = [...batches(records.subarray(0, length))];
    const whole = [one.length, one.length + two.length, records.length].filter((end) => end <= length).length;
    assert.equal(found.length, whole);
    const end = found.reduce((sum, header) => sum + header.sizeBytes, 0);
    assert.deepEqual(
      found.map((header) => header.recordsCount),
      found.map(() => 3),
    );
    assert.ok(end <= length);
  }
  refused(() => parseBatch(records.subarray(0, one.length - 1)), 'truncated');
});

test('attributes tell codec, control, transaction and time', () => {
  const attributes = withCodec(0b11_1000, 'lz4');
  assert.deepEqual(
    [codecOf(attributes), isControl(attributes), isTransactional(attributes), isLogAppendTime(attributes)],
    ['lz4', true, true, true],
  );
  assert.deepEqual([isControl(0), isTransactional(0), isLogAppendTime(0)], [false, false, false]);
  refused(() => codecOf(5), 'bad-value');
});

test('messages of magic 0 and 1 are recognised by the walk and not taken apart', () => {
  const message = Buffer.alloc(12 + 22);
  message.writeBigInt64BE(42n, 0);
  message.writeInt32BE(22, 8);
  for (const magic of [0, 1]) {
    message.writeInt8(magic, 16);
    const [header] = [...batches(message)];
    assert.deepEqual([header?.magic, header?.baseOffset, header?.recordsCount, header?.sizeBytes], [magic, 42n, 1, 34]);
    refused(() => parseBatch(message), 'unsupported-version');
  }
  message.writeInt8(3, 16);
  refused(() => [...batches(message)], 'bad-value');
});

test('a length that is not possible is refused, not walked over', () => {
  for (const length of [-1, 0, 13, -0x8000_0000]) {
    const batch = textBatch('none');
    batch.writeInt32BE(length, 8);
    refused(() => [...batches(batch)], 'bad-length');
  }
  const short = textBatch('none');
  short.writeInt32BE(40, 8);
  refused(() => [...batches(short)], 'bad-length');
});

test('any flipped bit under the CRC is noticed', () => {
  const batch = textBatch('gzip');
  for (let at = 17; at < batch.length; at += 1) {
    const damaged = Buffer.from(batch);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    refused(() => parseBatch(damaged), 'bad-checksum');
  }
});

test('a count that is not the number of records is refused', () => {
  for (const codec of compressionCodecs) {
    for (const [count, code] of [
      [2, 'trailing-bytes'],
      [4, 'truncated'],
      [-1, 'bad-length'],
      [0x7fff_ffff, 'bad-length'],
      [999_999, 'truncated'],
    ] as const) {
      const batch = textBatch(codec);
      batch.writeInt32BE(count, 57);
      refused(() => parseBatch(withCrc(batch)), code);
    }
  }
});

test('records and headers without number are refused', () => {
  const headers = Array.from({ length: 600_000 }, () => ({ key: Buffer.alloc(0), value: null }));
  const record = { ...plainRecord(0, null), headers };
  refused(() => parseBatch(buildBatch(plainHeader(withCodec(0, 'zstd'), 2), [record, record])), 'bad-length');
});

test('bombs are refused by every codec, before they go off', () => {
  const limit = 1_000_000;
  const zeros = Buffer.alloc(50_000_000);
  const xerial = Buffer.from('82534e41505059000000000100000001', 'hex');
  const block = compressSync(zeros.subarray(0, 600_000));
  const length = Buffer.alloc(4);
  length.writeInt32BE(block.length);
  const lz4 = parseable('lz4', zeros.subarray(0, 5_000_000));
  for (const [codec, bomb] of [
    ['gzip', gzipSync(zeros)],
    ['gzip', Buffer.concat([gzipSync(zeros.subarray(0, 600_000)), gzipSync(zeros.subarray(0, 600_000))])],
    ['zstd', zstdCompressSync(zeros)],
    [
      'zstd',
      Buffer.concat([zstdCompressSync(zeros.subarray(0, 600_000)), zstdCompressSync(zeros.subarray(0, 600_000))]),
    ],
    ['snappy', compressSync(zeros)],
    ['snappy', Buffer.concat([xerial, length, block, length, block])],
    ['lz4', lz4],
  ] as const) {
    const before = process.memoryUsage().arrayBuffers;
    refused(() => decompress(codec, bomb, limit), 'bad-compression');
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * limit, codec);
  }
});

/** What `buildBatch` makes of one value, without the header. */
function parseable(codec: 'lz4', value: Buffer): Buffer {
  return buildBatch(plainHeader(withCodec(0, codec), 1), [plainRecord(0, value)]).subarray(61);
}

test('a snappy length beyond what its bytes can give is refused unread', () => {
  refused(() => decompress('snappy', Buffer.from('ffffff3f00', 'hex'), 134_217_728), 'bad-compression');
  refused(() => decompress('snappy', Buffer.from('ffffffffff0f', 'hex'), 134_217_728), 'bad-compression');
});

test('raw snappy, several gzip members and several zstd frames are read to their end', () => {
  const plain = Buffer.from('some text, some text, some text');
  const half = [plain.subarray(0, 9), plain.subarray(9)] as const;
  for (const [codec, compressed] of [
    ['snappy', compressSync(plain)],
    ['gzip', Buffer.concat(half.map((part) => gzipSync(part)))],
    ['zstd', Buffer.concat(half.map((part) => zstdCompressSync(part)))],
  ] as const) {
    assert.ok(decompress(codec, compressed, plain.length).equals(plain), codec);
    if (codec !== 'snappy') refused(() => decompress(codec, compressed, plain.length - 1), 'bad-compression');
  }
});

test('damaged batches with a right CRC, every codec: only ProtocolError comes out', () => {
  const mutator = new Mutator(fuzzSeed);
  for (const codec of compressionCodecs) {
    const batch = textBatch(codec);
    for (let left = fuzzIterations * 25; left > 0; left -= 1) {
      const content = mutator.mutate(batch.subarray(61));
      const damaged = withCrc(batchAround(batch, content, 3));
      try {
        for (const header of batches(mutator.mutate(Buffer.concat([batch, batch])))) assert.ok(header.sizeBytes > 0);
        parseBatch(damaged);
      } catch (error) {
        assert.ok(
          error instanceof ProtocolError,
          `${codec}, seed ${fuzzSeed}, ${damaged.toString('hex')}: ${String(error)}`,
        );
      }
    }
  }
});
