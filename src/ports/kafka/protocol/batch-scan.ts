/** The batches of one partition's records, read as `batches` reads them, from chunks. */
import { batchHeaderBytes, batchLogOverheadBytes, isControl, magicPosition, messageBytesMin } from './batch-header.ts';
import type { ChunkCursor } from './chunk-cursor.ts';

/** What is read of a header where it straddles chunks: up to the length, up to the magic, and the rest. */
const upToMagicBytes = magicPosition + 1 - batchLogOverheadBytes;
const restBytes = batchHeaderBytes - magicPosition - 1;

const atLength = 0;
const atMagic = 1;
const atRest = 2;
const atOldAttributes = 3;
type State = typeof atLength | typeof atMagic | typeof atRest | typeof atOldAttributes;

const joined = new DataView(new ArrayBuffer(8));

/** Jumps from header to header and adds up what they say. One object serves one partition after the other. */
export class BatchScan {
  /** Whole batches begun so far. */
  batches = 0;
  /** Records in them, those of control batches left out. */
  records = 0;
  readonly #cursor: ChunkCursor;
  #state: State = atLength;
  /** Where the records begin in the payload. */
  #from = 0;
  /** Bytes of the records after the cursor. */
  #left = 0;
  /** Bytes of the batch after the cursor, while its header is read in parts. */
  #batchLeft = 0;
  // Offsets in halves of 32 bits: a bigint per batch would be garbage.
  #high = 0;
  #low = 0;
  #firstHigh = 0;
  #firstLow = 0;
  #lastHigh = 0;
  #lastLow = 0;
  #lastDelta = 0;

  constructor(cursor: ChunkCursor) {
    this.#cursor = cursor;
  }

  /** The first batch's base offset. */
  get firstOffset(): bigint {
    return joinedOffset(this.#firstHigh, this.#firstLow);
  }

  get lastOffset(): bigint {
    return joinedOffset(this.#lastHigh, this.#lastLow) + BigInt(this.#lastDelta);
  }

  /** Bytes of the records that have come so far. */
  get bytes(): number {
    return this.#cursor.offset - this.#cursor.ahead - this.#from;
  }

  /** Begins records of `sizeBytes`, which the payload must have. */
  begin(sizeBytes: number): void {
    this.#from = this.#cursor.offset;
    this.#left = sizeBytes;
    this.#state = atLength;
    this.batches = 0;
    this.records = 0;
  }

  /** True when all the records' bytes have come; false where they go on in the next chunk. Throws `ProtocolError`. */
  run(): boolean {
    while (this.#state !== atLength || this.#left >= batchLogOverheadBytes) {
      if (!this.#wholeHeader() && !this.#partOfHeader()) return false;
    }
    this.#skip(this.#left);
    return this.#cursor.ahead === 0;
  }

  /** The usual case: a batch of magic 2 whose header lies in the chunk. */
  #wholeHeader(): boolean {
    const cursor = this.#cursor;
    if (this.#state !== atLength || this.#left < batchHeaderBytes || !cursor.sees(batchHeaderBytes)) return false;
    const { bytes, at } = cursor;
    const sizeBytes = batchLogOverheadBytes + bytes.readInt32BE(at + 8);
    // What is unusual or wrong is left to the other way.
    if (bytes[at + magicPosition] !== 2 || sizeBytes < batchHeaderBytes || sizeBytes > this.#left) return false;
    this.#high = bytes.readInt32BE(at);
    this.#low = bytes.readInt32BE(at + 4);
    this.#note(bytes.readInt16BE(at + 21), bytes.readInt32BE(at + 23), bytes.readInt32BE(at + 57));
    this.#skip(sizeBytes);
    return true;
  }

  #partOfHeader(): boolean {
    switch (this.#state) {
      case atLength:
        return this.#length();
      case atMagic:
        return this.#magic();
      case atRest:
        return this.#current();
      default:
        return this.#old();
    }
  }

  #length(): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(batchLogOverheadBytes)) return false;
    this.#left -= batchLogOverheadBytes;
    const { bytes, at } = cursor;
    const length = bytes.readInt32BE(at + 8);
    if (length < messageBytesMin) throw cursor.error('bad-length', `a record batch says it has ${length} bytes`);
    if (length > this.#left) {
      this.#skip(this.#left); // a tail that is cut off, as brokers may send one
      return true;
    }
    this.#high = bytes.readInt32BE(at);
    this.#low = bytes.readInt32BE(at + 4);
    this.#batchLeft = length;
    this.#state = atMagic;
    return true;
  }

  #magic(): boolean {
    const cursor = this.#cursor;
    if (!this.#takeOfBatch(upToMagicBytes)) return false;
    const magic = cursor.bytes[cursor.at + upToMagicBytes - 1] ?? 0;
    if (magic > 2) throw cursor.error('bad-value', `no record batch has magic ${(magic << 24) >> 24}`);
    this.#state = magic === 2 ? atRest : atOldAttributes;
    if (magic === 2 && this.#batchLeft < restBytes) {
      throw cursor.error('bad-length', 'a record batch is shorter than its header');
    }
    return true;
  }

  #current(): boolean {
    if (!this.#takeOfBatch(restBytes)) return false;
    const { bytes, at } = this.#cursor;
    const from = at + restBytes - batchHeaderBytes;
    this.#note(bytes.readInt16BE(from + 21), bytes.readInt32BE(from + 23), bytes.readInt32BE(from + 57));
    this.#endBatch();
    return true;
  }

  #old(): boolean {
    if (!this.#takeOfBatch(1)) return false;
    this.#note(this.#cursor.bytes[this.#cursor.at] ?? 0, 0, 1);
    this.#endBatch();
    return true;
  }

  #takeOfBatch(bytes: number): boolean {
    if (!this.#cursor.take(bytes)) return false;
    this.#left -= bytes;
    this.#batchLeft -= bytes;
    return true;
  }

  #endBatch(): void {
    this.#skip(this.#batchLeft);
    this.#state = atLength;
  }

  #skip(bytes: number): void {
    this.#cursor.skip(bytes);
    this.#left -= bytes;
  }

  /** Adds the batch whose base offset was read. */
  #note(attributes: number, lastOffsetDelta: number, recordsCount: number): void {
    if (this.batches === 0) {
      this.#firstHigh = this.#high;
      this.#firstLow = this.#low;
    }
    this.#lastHigh = this.#high;
    this.#lastLow = this.#low;
    this.#lastDelta = lastOffsetDelta;
    this.batches += 1;
    if (!isControl(attributes)) this.records += recordsCount;
  }
}

/** The 64 bits of a signed number in two halves. */
function joinedOffset(high: number, low: number): bigint {
  joined.setInt32(0, high);
  joined.setInt32(4, low);
  return joined.getBigInt64(0);
}
