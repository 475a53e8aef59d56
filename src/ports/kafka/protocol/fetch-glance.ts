/** What the answer to a fetch mostly says, read in place: its layout as in `fetch-scan.ts`. */
import { glancePartitionsMax } from '../../../lib/limits.ts';
import { batchHeaderBytes, batchLogOverheadBytes, isControl, magicPosition, messageBytesMin } from './batch-header.ts';
import { GlanceReader } from './glance-reader.ts';

const sessionVersion = 7;
const replicaVersion = 11;
const flexibleVersion = 12;
const topicIdVersion = 13;
const versionMin = 4;
const versionMax = 18;

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
      for (let left = reader.length(flexible); left > 0 && reader.usual; left -= 1) this.#partition(key, version);
      reader.noTags(flexible);
    }
    reader.noTags(flexible);
    return reader.usual && reader.at === end;
  }

  #partition(key: string, version: number): void {
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
    if (length > 0 && reader.sees(length)) this.#batches(end);
    if (this.count > before) {
      this.topicKeys[before] = key;
      this.partitions[before] = index;
      this.bytes[before] = length;
    }
    reader.skip(end - reader.at);
    reader.noTags(flexible);
  }

  /** Jumps from header to header. A tail that is cut off, as brokers may send one, counts for nothing. */
  #batches(end: number): void {
    const reader = this.#reader;
    let first = -1;
    let last = -1;
    let records = 0;
    while (reader.usual && end - reader.at >= batchLogOverheadBytes) {
      const from = reader.at;
      const base = reader.offset();
      const length = reader.int32();
      if (length < messageBytesMin) reader.usual = false;
      if (length > end - reader.at) break;
      if (length < batchHeaderBytes - batchLogOverheadBytes) {
        reader.usual = false;
        return;
      }
      reader.skip(from + magicPosition - reader.at);
      if (reader.int8() !== 2) reader.usual = false;
      reader.skip(4);
      const attributes = reader.int16();
      last = base + reader.int32();
      if (first === -1) first = base;
      reader.skip(from + batchHeaderBytes - 4 - reader.at);
      const count = reader.int32();
      if (!isControl(attributes)) records += count;
      reader.skip(from + batchLogOverheadBytes + length - reader.at);
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
