/** Record batches of magic 2, taken apart and put together; their headers alone are read in `batch-header.ts`. */
import { crc32c } from '@node-rs/crc32';

import { batchElementsMax, decompressedBatchBytesMax } from '../../../lib/limits.ts';
import type { BatchHeader } from './batch-header.ts';
import { batchAt, batchHeaderBytes, batchLogOverheadBytes, codecOf } from './batch-header.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter, varintBytes, varlongBytes } from './byte-writer.ts';
import { compress, decompress } from './compression.ts';
import { ProtocolError } from './protocol-error.ts';

const crcPosition = 17;
/** The CRC counts from the attributes to the end. */
const crcFrom = 21;
/** The least one record takes: seven numbers of one byte. */
const recordBytesMin = 7;

export interface RecordHeader {
  key: Buffer;
  value: Buffer | null;
}

export interface BatchRecord {
  /** No bit has a meaning yet. */
  attributes: number;
  /** Milliseconds after the batch's `baseTimestamp`. */
  timestampDelta: bigint;
  /** Offsets after the batch's `baseOffset`. */
  offsetDelta: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: RecordHeader[];
}

export interface RecordBatch {
  readonly header: BatchHeader;
  /** Their bytes are views of the batch, or of what it decompressed to. */
  readonly records: BatchRecord[];
}

/** What `buildBatch` takes over into the header; the codec is the one that `attributes` name. */
export type BatchHeaderDraft = Omit<BatchHeader, 'position' | 'sizeBytes' | 'magic' | 'recordsCount'>;

/**
 * Takes the batch at `position` apart: checks its CRC, decompresses it within bounds and reads its records, of which
 * there must be exactly as many as the header says. Throws `ProtocolError`, also for a batch that is cut off (`truncated`)
 * and for magic 0 and 1 (`unsupported-version`).
 */
export function parseBatch(records: Buffer, position: number = 0): RecordBatch {
  const header = batchAt(records, position);
  if (header === null) throw new ProtocolError('truncated', position, 'A record batch is cut off');
  if (header.magic !== 2) {
    throw new ProtocolError('unsupported-version', position, `A batch of magic ${header.magic} is not taken apart`);
  }
  checkCrc(records, header);
  const end = position + header.sizeBytes;
  const compressed = records.subarray(position + batchHeaderBytes, end);
  const plain = decompress(codecOf(header.attributes), compressed, decompressedBatchBytesMax);
  return { header, records: readRecords(plain, header.recordsCount) };
}

function checkCrc(records: Buffer, header: BatchHeader): void {
  const expected = records.readUInt32BE(header.position + crcPosition);
  const actual = crc32c(records.subarray(header.position + crcFrom, header.position + header.sizeBytes));
  if (actual !== expected) {
    throw new ProtocolError('bad-checksum', header.position + crcPosition, 'A record batch does not fit its CRC-32C');
  }
}

function readRecords(plain: Buffer, count: number): BatchRecord[] {
  if (count < 0 || count > batchElementsMax) throw new ProtocolError('bad-length', 57, `A batch of ${count} records`);
  if (count * recordBytesMin > plain.length) {
    throw new ProtocolError('truncated', 57, `A batch of ${count} records in ${plain.length} bytes`);
  }
  const reader = new ByteReader(plain, 0, 'record batch');
  const records: BatchRecord[] = [];
  let headersLeft = batchElementsMax - count;
  for (let index = 0; index < count; index += 1) {
    const record = readRecord(reader, headersLeft);
    headersLeft -= record.headers.length;
    records.push(record);
  }
  reader.finish();
  return records;
}

function readRecord(reader: ByteReader, headersMax: number): BatchRecord {
  const length = reader.varint();
  if (length < 0) throw reader.error('bad-length', `a record of ${length} bytes`);
  if (length > reader.remaining) throw reader.error('truncated', `a record of ${length} bytes`);
  const end = reader.position + length;
  const record: BatchRecord = {
    attributes: reader.int8(),
    timestampDelta: reader.varlong(),
    offsetDelta: reader.varint(),
    key: readNullable(reader),
    value: readNullable(reader),
    headers: readHeaders(reader, headersMax),
  };
  if (reader.position !== end) throw reader.error('bad-length', `a record is not ${length} bytes`);
  return record;
}

function readNullable(reader: ByteReader): Buffer | null {
  const length = reader.varint();
  return length === -1 ? null : reader.view(length);
}

function readHeaders(reader: ByteReader, headersMax: number): RecordHeader[] {
  const count = reader.varint();
  // A header takes two bytes at least.
  if (count < 0 || count * 2 > reader.remaining) throw reader.error('bad-length', `a record with ${count} headers`);
  if (count > headersMax) throw reader.error('bad-length', `more than ${batchElementsMax} records and headers`);
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index += 1) {
    headers.push({ key: reader.view(reader.varint()), value: readNullable(reader) });
  }
  return headers;
}

/** Puts a batch together: writes and compresses the records, then the header with its length, count and CRC. */
export function buildBatch(header: BatchHeaderDraft, records: readonly BatchRecord[]): Buffer {
  const content = compress(codecOf(header.attributes), writeRecords(records));
  const writer = new ByteWriter('record batch', batchHeaderBytes + content.length);
  writer.int64(header.baseOffset);
  writer.int32(batchHeaderBytes - batchLogOverheadBytes + content.length);
  writer.int32(header.partitionLeaderEpoch);
  writer.int8(2);
  writer.int32(0);
  writer.int16(header.attributes);
  writer.int32(header.lastOffsetDelta);
  writer.int64(header.baseTimestamp);
  writer.int64(header.maxTimestamp);
  writer.int64(header.producerId);
  writer.int16(header.producerEpoch);
  writer.int32(header.baseSequence);
  writer.int32(records.length);
  writer.raw(content);
  const batch = writer.finish();
  batch.writeUInt32BE(crc32c(batch.subarray(crcFrom)), crcPosition);
  return batch;
}

function writeRecords(records: readonly BatchRecord[]): Buffer {
  const lengths = records.map(recordBytes);
  const total = lengths.reduce((sum, length) => sum + varintBytes(length) + length, 0);
  const writer = new ByteWriter('record batch', total);
  for (const [index, record] of records.entries()) {
    writer.varint(lengths[index] ?? 0);
    writer.int8(record.attributes);
    writer.varlong(record.timestampDelta);
    writer.varint(record.offsetDelta);
    writeNullable(writer, record.key);
    writeNullable(writer, record.value);
    writer.varint(record.headers.length);
    for (const header of record.headers) {
      writer.varint(header.key.length);
      writer.raw(header.key);
      writeNullable(writer, header.value);
    }
  }
  return writer.finish();
}

/** Bytes of a record after its length. */
function recordBytes(record: BatchRecord): number {
  let bytes = 1 + varlongBytes(record.timestampDelta) + varintBytes(record.offsetDelta);
  bytes += nullableBytes(record.key) + nullableBytes(record.value) + varintBytes(record.headers.length);
  for (const header of record.headers) bytes += nullableBytes(header.key) + nullableBytes(header.value);
  return bytes;
}

function nullableBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

function writeNullable(writer: ByteWriter, bytes: Buffer | null): void {
  writer.varint(bytes === null ? -1 : bytes.length);
  if (bytes !== null) writer.raw(bytes);
}
