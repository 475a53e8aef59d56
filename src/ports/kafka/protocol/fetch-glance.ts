/** What the answer to a fetch mostly says, read in place: its layout as in `fetch-scan.ts`. */
import { glancePartitionsMax } from '../../../lib/limits.ts';
import {
  attributesPosition,
  batchHeaderBytes,
  batchLogOverheadBytes,
  isControl,
  lastOffsetDeltaPosition,
  magicPosition,
  messageBytesMin,
  recordsCountPosition,
} from './batch-header.ts';
import { GlanceReader } from './glance-reader.ts';
import { int16At, int32At } from './int-at.ts';

const sessionVersion = 7;
const replicaVersion = 11;
const flexibleVersion = 12;
const topicIdVersion = 13;
const versionMin = 4;
const versionMax = 18;
/** An offset whose upper half is this or more is no safe integer. */
const safeHighEnd = 0x20_0000;

/**
 * An answer that lies in one chunk, without an error of its own, a tagged field, an aborted transaction or a batch of old
 * magic. It holds the partitions that bring records, filled anew by each reading; after one that gave false what it holds
 * means nothing.
 */
export class FetchAnswerGlance {
  count = 0;
  sessionId = 0;
  /** The topic's name, or its id from version 13 on. */
  readonly topicKeys: string[] = [];
  readonly partitions: Int32Array = new Int32Array(glancePartitionsMax);
  /** Offsets of the first and the last record, both inclusive. */
  readonly firsts: Float64Array = new Float64Array(glancePartitionsMax);
  readonly lasts: Float64Array = new Float64Array(glancePartitionsMax);
  /** Those of control batches left out. */
  readonly records: Float64Array = new Float64Array(glancePartitionsMax);
  readonly bytes: Int32Array = new Int32Array(glancePartitionsMax);
  readonly #reader = new GlanceReader();

  /** @param start where the payload, its header first, begins, and `end` where it ends */
  read(bytes: Buffer, start: number, end: number, version: number, correlationId: number): boolean {
    const reader = this.#reader;
    reader.begin(bytes, start, end);
    this.count = 0;
    const flexible = version >= flexibleVersion;
    if (version < versionMin || version > versionMax) reader.usual = false;
    if (reader.int32() !== correlationId) reader.usual = false;
    reader.noTags(flexible);
    reader.skip(4);
    this.sessionId = 0;
    if (version >= sessionVersion) {
      if (reader.int16() !== 0) reader.usual = false;
      this.sessionId = reader.int32();
    }
    for (let topics = reader.length(flexible); topics > 0 && reader.usual; topics -= 1) {
      const key = reader.topicKey(version >= topicIdVersion, flexible);
      for (let left = reader.length(flexible); left > 0 && reader.usual; left -= 1)
        this.#partition(bytes, key, version);
      reader.noTags(flexible);
    }
    reader.noTags(flexible);
    return reader.usual && reader.at === end;
  }

  #partition(bytes: Buffer, key: string, version: number): void {
    const reader = this.#reader;
    const flexible = version >= flexibleVersion;
    const index = reader.int32();
    // Error code, high watermark, last stable offset, log start offset.
    reader.skip(version >= 5 ? 26 : 18);
    const aborted = flexible ? reader.uvarint() - 1 : reader.int32();
    if (aborted > 0 || aborted < -1) reader.usual = false;
    if (version >= replicaVersion) reader.skip(4);
    const length = reader.length(flexible);
    const end = reader.at + length;
    const before = this.count;
    if (length > 0 && reader.sees(length)) this.#batches(bytes, reader.at, end);
    if (this.count > before) {
      this.topicKeys[before] = key;
      this.partitions[before] = index;
      this.bytes[before] = length;
    }
    reader.skip(end - reader.at);
    reader.noTags(flexible);
  }

  /** Jumps from header to header, as far as `end`, which has come. A tail that is cut off, as brokers may send one, counts for nothing. */
  #batches(bytes: Buffer, start: number, end: number): void {
    const reader = this.#reader;
    let first = -1;
    let last = -1;
    let records = 0;
    for (let at = start; end - at >= batchLogOverheadBytes;) {
      const length = int32At(bytes, at + 8);
      const next = at + batchLogOverheadBytes + length;
      if (length >= messageBytesMin && next > end) break;
      const high = int32At(bytes, at);
      const whole = length >= batchHeaderBytes - batchLogOverheadBytes && bytes[at + magicPosition] === 2;
      if (!whole || high < 0 || high >= safeHighEnd) {
        reader.usual = false;
        return;
      }
      const base = high * 0x1_0000_0000 + (int32At(bytes, at + 4) >>> 0);
      last = base + int32At(bytes, at + lastOffsetDeltaPosition);
      if (first === -1) first = base;
      if (!isControl(int16At(bytes, at + attributesPosition))) records += int32At(bytes, at + recordsCountPosition);
      at = next;
    }
    if (first === -1) return;
    // What would have to be counted in 64 bits, or backwards, is rare enough for a closer look.
    if (this.count === glancePartitionsMax || last < first || last > Number.MAX_SAFE_INTEGER) reader.usual = false;
    this.firsts[this.count] = first;
    this.lasts[this.count] = last;
    this.records[this.count] = records;
    this.count = Math.min(this.count + 1, glancePartitionsMax);
  }
}
