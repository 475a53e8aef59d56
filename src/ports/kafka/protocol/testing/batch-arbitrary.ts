/** Arbitrary record batches, for the tests of the codec. */
import fc from 'fast-check';

import { batchHeaderBytes } from '../batch-header.ts';
import type { BatchHeaderDraft, BatchRecord } from '../record-batch.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const int32 = fc.integer();
const int16 = fc.integer({ min: -0x8000, max: 0x7fff });
const bytes = fc.uint8Array({ maxLength: 60 }).map((given) => Buffer.from(given));
const nullableBytes = fc.option(bytes, { nil: null });

const recordArbitrary: fc.Arbitrary<BatchRecord> = fc.record(
  {
    attributes: fc.integer({ min: -128, max: 127 }),
    timestampDelta: fc.oneof(int64, fc.bigInt({ min: -300n, max: 300n })),
    offsetDelta: fc.oneof(int32, fc.nat({ max: 300 })),
    key: nullableBytes,
    value: nullableBytes,
    headers: fc.array(fc.record({ key: bytes, value: nullableBytes }, { noNullPrototype: true }), { maxLength: 3 }),
  },
  { noNullPrototype: true },
);

export const recordsArbitrary: fc.Arbitrary<BatchRecord[]> = fc.array(recordArbitrary, { maxLength: 12 });

/** All bits of the attributes but those of the codec. */
export const headerArbitrary: fc.Arbitrary<BatchHeaderDraft> = fc.record(
  {
    baseOffset: int64,
    partitionLeaderEpoch: int32,
    attributes: int16.map((attributes) => attributes & ~0b111),
    lastOffsetDelta: int32,
    baseTimestamp: int64,
    maxTimestamp: int64,
    producerId: int64,
    producerEpoch: int16,
    baseSequence: int32,
  },
  { noNullPrototype: true },
);

/** A plain header for tests in which only the records count. */
export function plainHeader(attributes: number, recordsCount: number): BatchHeaderDraft {
  return {
    baseOffset: 0n,
    partitionLeaderEpoch: 0,
    attributes,
    lastOffsetDelta: recordsCount - 1,
    baseTimestamp: 1_700_000_000_000n,
    maxTimestamp: 1_700_000_000_000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  };
}

export function plainRecord(offsetDelta: number, value: Buffer | null): BatchRecord {
  return { attributes: 0, timestampDelta: 0n, offsetDelta, key: null, value, headers: [] };
}

/** A batch around content that `buildBatch` would not write; its CRC is left to the caller. */
export function batchAround(template: Buffer, content: Buffer, recordsCount: number): Buffer {
  const batch = Buffer.concat([template.subarray(0, batchHeaderBytes), content]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(recordsCount, 57);
  return batch;
}
