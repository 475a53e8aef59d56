/** What a produce request and its answer mostly say, read in place: layouts as in `produce-walk.ts`. */
import { glancePartitionsMax } from '../../../lib/limits.ts';
import {
  attributesPosition,
  batchHeaderBytes,
  batchLogOverheadBytes,
  magicPosition,
  recordsCountPosition,
} from './batch-header.ts';
import { GlanceReader } from './glance-reader.ts';
import { int16At, int32At } from './int-at.ts';

const produceKey = 0;
const flexibleFrom = 9;
const topicIdsFrom = 13;
/** Transactional or control: bits 4 and 5 of a batch's attributes. */
const unusualAttributes = 0x30;
/** Of each: a partition's, its topic's and the request's. */
const tailTagBytes = 3;

/**
 * The partitions of a request or an answer, one place each. Filled anew by each reading; after one that gave false what
 * it holds means nothing.
 */
class PartitionList {
  count = 0;
  /** The topic's name, or its id from version 13 on. */
  readonly topicKeys: string[] = [];
  readonly partitions: Int32Array = new Int32Array(glancePartitionsMax);
  protected readonly reader: GlanceReader = new GlanceReader();
}

/**
 * A request that needs no closer look: not transactional, wants an answer, and has one record batch of magic 2 for each
 * of a few partitions (KIP-98: a broker takes exactly one from version 3 on).
 */
export class ProduceGlance extends PartitionList {
  correlationId = 0;
  version = 0;
  /** By partition: what its batch's header counts, and its size. */
  readonly records: Int32Array = new Int32Array(glancePartitionsMax);
  readonly bytes: Int32Array = new Int32Array(glancePartitionsMax);

  /**
   * @param start where the payload, its header first, begins, and `end` where it ends
   * @param there how far `bytes` goes: before `end` it has to show the whole request but its last partition's records
   */
  read(bytes: Buffer, start: number, end: number, there: number): boolean {
    const { reader } = this;
    reader.begin(bytes, start, Math.min(end, there));
    this.count = 0;
    this.#header(bytes, end);
    if (reader.usual && end <= there && reader.at !== end) reader.usual = false;
    return reader.usual && this.count > 0;
  }

  #header(bytes: Buffer, end: number): void {
    const { reader } = this;
    if (reader.int16() !== produceKey) reader.usual = false;
    const version = reader.int16();
    this.version = version;
    this.correlationId = reader.int32();
    reader.nullableString(false);
    const flexible = version >= flexibleFrom;
    reader.noTags(flexible);
    if (version < 3 || version > topicIdsFrom) reader.usual = false;
    const transactionalIdLength = flexible ? reader.uvarint() - 1 : reader.int16();
    const acks = reader.int16();
    if (transactionalIdLength !== -1 || acks === 0) reader.usual = false;
    reader.skip(4);
    this.#topics(bytes, flexible, end);
  }

  #topics(bytes: Buffer, flexible: boolean, end: number): void {
    const { reader } = this;
    for (let topics = reader.length(flexible); topics > 0 && reader.usual; topics -= 1) {
      const key = reader.topicKey(this.version >= topicIdsFrom, flexible);
      let partitions = reader.length(flexible);
      if (partitions === 0) reader.usual = false;
      for (; partitions > 0 && reader.usual; partitions -= 1) {
        const last = topics === 1 && partitions === 1;
        if (this.#partition(bytes, key, flexible, last ? end - (flexible ? tailTagBytes : 0) : -1)) return;
      }
      reader.noTags(flexible);
    }
    reader.noTags(flexible);
  }

  /**
   * @param lastEnd where the records of a request's last partition end; -1 where more follow
   * @returns true where the rest of the request has not come, and need not
   */
  #partition(bytes: Buffer, key: string, flexible: boolean, lastEnd: number): boolean {
    const { reader, count } = this;
    if (count === glancePartitionsMax) reader.usual = false;
    const index = reader.int32();
    const length = reader.length(flexible);
    const from = reader.at;
    this.#batch(bytes, from, length);
    if (!reader.usual) return false;
    this.topicKeys[count] = key;
    this.partitions[count] = index;
    this.bytes[count] = length;
    this.count = count + 1;
    if (from + length === lastEnd && !reader.sees(length + (flexible ? tailTagBytes : 0))) return true;
    reader.skip(length);
    reader.noTags(flexible);
    return false;
  }

  #batch(bytes: Buffer, at: number, length: number): void {
    const { reader } = this;
    const usual =
      length >= batchHeaderBytes &&
      reader.sees(batchHeaderBytes) &&
      int32At(bytes, at + 8) + batchLogOverheadBytes === length &&
      bytes[at + magicPosition] === 2 &&
      (int16At(bytes, at + attributesPosition) & unusualAttributes) === 0;
    const records = usual ? int32At(bytes, at + recordsCountPosition) : -1;
    if (records < 0) reader.usual = false;
    this.records[this.count] = records;
  }
}

/** An answer without an error, a broker's address or a word on single records. */
export class ProduceAnswerGlance extends PartitionList {
  readonly baseOffsets: Float64Array = new Float64Array(glancePartitionsMax);

  /** @param start where the payload, its header first, begins, and `end` where it ends */
  read(bytes: Buffer, start: number, end: number, version: number, correlationId: number): boolean {
    const { reader } = this;
    reader.begin(bytes, start, end);
    this.count = 0;
    const flexible = version >= flexibleFrom;
    if (reader.int32() !== correlationId) reader.usual = false;
    reader.noTags(flexible);
    for (let topics = reader.length(flexible); topics > 0 && reader.usual; topics -= 1) {
      const key = reader.topicKey(version >= topicIdsFrom, flexible);
      for (let left = reader.length(flexible); left > 0 && reader.usual; left -= 1) this.#partition(key, version);
      reader.noTags(flexible);
    }
    reader.skip(4);
    reader.noTags(flexible);
    return reader.usual && reader.at === end;
  }

  #partition(key: string, version: number): void {
    const { reader, count } = this;
    const flexible = version >= flexibleFrom;
    if (count === glancePartitionsMax) reader.usual = false;
    const index = reader.int32();
    if (reader.int16() !== 0) reader.usual = false;
    const baseOffset = reader.offset();
    reader.skip(version >= 5 ? 16 : 8);
    if (version >= 8) {
      if (reader.length(flexible) !== 0) reader.usual = false;
      if ((flexible ? reader.uvarint() - 1 : reader.int16()) !== -1) reader.usual = false;
    }
    reader.noTags(flexible);
    if (!reader.usual) return;
    this.topicKeys[count] = key;
    this.partitions[count] = index;
    this.baseOffsets[count] = baseOffset;
    this.count = count + 1;
  }
}
