import { type CompressionCodec, buildBatch } from '../src/ports/kafka/protocol/protocol.ts';

/** Number of each codec in a batch's attributes. */
const codecNumbers: Readonly<Record<CompressionCodec, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };

/** A record batch as a producer without idempotence sends it: one record for each value, no keys. */
export function batchOf(values: readonly (string | Buffer)[], codec: CompressionCodec = 'none'): Buffer {
  const nowMs = BigInt(Date.now());
  return buildBatch(
    {
      baseOffset: 0n,
      partitionLeaderEpoch: -1,
      attributes: codecNumbers[codec],
      lastOffsetDelta: values.length - 1,
      baseTimestamp: nowMs,
      maxTimestamp: nowMs,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
    },
    values.map((value, offsetDelta) => ({
      attributes: 0,
      timestampDelta: 0n,
      offsetDelta,
      key: null,
      value: typeof value === 'string' ? Buffer.from(value) : value,
      headers: [],
    })),
  );
}
