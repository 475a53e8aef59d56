/**
 * The headers of record batches, read without touching a record.
 *
 *   0 baseOffset i64 · 8 batchLength i32 · 12 partitionLeaderEpoch i32 · 16 magic i8 · 17 crc u32 · 21 attributes i16
 *   23 lastOffsetDelta i32 · 27 baseTimestamp i64 · 35 maxTimestamp i64 · 43 producerId i64 · 51 producerEpoch i16
 *   53 baseSequence i32 · 57 recordsCount i32 · 61 records
 *
 * Magic 0 and 1, which old segments may hold, have one message where a batch stands: offset i64, size i32, crc u32,
 * magic i8, attributes i8, then the message.
 */
import type { CompressionCodec } from './compression.ts';
import { compressionCodecs } from './compression.ts';
import { ProtocolError } from './protocol-error.ts';

/** Bytes before the first record of a batch with magic 2. */
export const batchHeaderBytes: number = 61;
/** Offset and length, which the length does not count. */
export const batchLogOverheadBytes: number = 12;
export const magicPosition: number = 16;
export const attributesPosition: number = 21;
export const lastOffsetDeltaPosition: number = 23;
export const recordsCountPosition: number = 57;
/** The least a message of magic 0 takes: CRC, magic, attributes, and the lengths of a key and a value. */
export const messageBytesMin: number = 14;

const codecMask = 0b111;
const logAppendTimeBit = 0b1000;
const transactionalBit = 0b1_0000;
const controlBit = 0b10_0000;

export interface BatchHeader {
  /** Where it starts in the records it was found in, in bytes. */
  readonly position: number;
  /** All of it, header and records, in bytes. */
  readonly sizeBytes: number;
  /** 0, 1 or 2. For 0 and 1 only the offset and the codec mean anything; the rest is as for a batch of one. */
  readonly magic: number;
  readonly baseOffset: bigint;
  readonly partitionLeaderEpoch: number;
  /** As it came: see the functions below. */
  readonly attributes: number;
  /** The offset of the last record less `baseOffset`; compaction may have left fewer records than that. */
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  /** -1 where the producer is not idempotent. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordsCount: number;
}

/** The codec that attributes name. Throws `ProtocolError` for a number that stands for none. */
export function codecOf(attributes: number): CompressionCodec {
  const codec = compressionCodecs[attributes & codecMask];
  if (codec === undefined) throw new ProtocolError('bad-value', 21, `No codec has number ${attributes & codecMask}`);
  return codec;
}

/** The same attributes with another codec. */
export function withCodec(attributes: number, codec: CompressionCodec): number {
  return (attributes & ~codecMask) | compressionCodecs.indexOf(codec);
}

export function isLogAppendTime(attributes: number): boolean {
  return (attributes & logAppendTimeBit) !== 0;
}

export function isTransactional(attributes: number): boolean {
  return (attributes & transactionalBit) !== 0;
}

/** A control batch holds the marker that ends a transaction, or one of Kafka's own log. */
export function isControl(attributes: number): boolean {
  return (attributes & controlBit) !== 0;
}

/**
 * Walks the batches of a partition's records from first to last, reading headers only. A tail that is cut off ends the
 * walk without an error, as brokers may send one: what was not walked starts at the last `position + sizeBytes`.
 * Throws `ProtocolError` for a length that is not possible and for a magic that is not known.
 */
export function* batches(records: Buffer): Generator<BatchHeader, void, undefined> {
  let position = 0;
  for (;;) {
    const header = batchAt(records, position);
    if (header === null) return;
    yield header;
    position += header.sizeBytes;
  }
}

/** The header of the batch that starts at `position`; null where less than a whole batch is left. Throws `ProtocolError`. */
export function batchAt(records: Buffer, position: number): BatchHeader | null {
  const left = records.length - position;
  if (left < batchLogOverheadBytes) return null;
  const length = records.readInt32BE(position + 8);
  if (length < messageBytesMin) {
    throw new ProtocolError('bad-length', position + 8, `A record batch says it has ${length} bytes`);
  }
  const sizeBytes = batchLogOverheadBytes + length;
  if (sizeBytes > left) return null;
  const magic = records.readInt8(position + magicPosition);
  if (magic === 2) return currentHeader(records, position, sizeBytes);
  if (magic === 0 || magic === 1) return oldHeader(records, position, sizeBytes, magic);
  throw new ProtocolError('bad-value', position + magicPosition, `No record batch has magic ${magic}`);
}

function currentHeader(records: Buffer, position: number, sizeBytes: number): BatchHeader {
  if (sizeBytes < batchHeaderBytes) {
    throw new ProtocolError(
      'bad-length',
      position + 8,
      `A record batch of ${sizeBytes} bytes is shorter than its header`,
    );
  }
  return {
    position,
    sizeBytes,
    magic: 2,
    baseOffset: records.readBigInt64BE(position),
    partitionLeaderEpoch: records.readInt32BE(position + 12),
    attributes: records.readInt16BE(position + 21),
    lastOffsetDelta: records.readInt32BE(position + 23),
    baseTimestamp: records.readBigInt64BE(position + 27),
    maxTimestamp: records.readBigInt64BE(position + 35),
    producerId: records.readBigInt64BE(position + 43),
    producerEpoch: records.readInt16BE(position + 51),
    baseSequence: records.readInt32BE(position + 53),
    recordsCount: records.readInt32BE(position + 57),
  };
}

function oldHeader(records: Buffer, position: number, sizeBytes: number, magic: 0 | 1): BatchHeader {
  const timestamp = magic === 1 && sizeBytes >= 26 ? records.readBigInt64BE(position + 18) : -1n;
  return {
    position,
    sizeBytes,
    magic,
    baseOffset: records.readBigInt64BE(position),
    partitionLeaderEpoch: -1,
    attributes: records.readInt8(position + 17),
    lastOffsetDelta: 0,
    baseTimestamp: timestamp,
    maxTimestamp: timestamp,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    recordsCount: 1,
  };
}
