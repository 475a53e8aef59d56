/**
 * The answer to a Fetch, read while it streams through:
 *
 *   correlationId i32 · [tags] · throttleTimeMs i32 · (7+) errorCode i16 · sessionId i32 · topics · [tags]
 *   topic: (4–12) name, (13+) topicId uuid · partitions · [tags]
 *   partition: index i32 · errorCode i16 · highWatermark i64 · lastStableOffset i64 · (5+) logStartOffset i64
 *     · abortedTransactions: (producerId i64 · firstOffset i64 · [tags])* · (11+) preferredReadReplica i32 · records · [tags]
 *
 * [tags] and compact lengths from version 12 on.
 */
import { BatchScan } from './batch-scan.ts';
import type { ByteReader } from './byte-reader.ts';
import { ChunkCursor } from './chunk-cursor.ts';
import type { FetchLayout, ScannedBroker } from './fetch-layout.ts';
import { abortedBytes, fetchLayout, partitionTags, readBrokers, unknownOnly } from './fetch-layout.ts';
import { topicNames } from './name-cache.ts';
import type { TagSection } from './tag-scan.ts';
import { TagScan } from './tag-scan.ts';
import { uuidBytes, zeroUuid } from './values.ts';

/**
 * Is told what an answer holds, in its order. What was told may be followed by a `ProtocolError`. Whatever it throws
 * comes out of `push`, and ends the scan.
 */
export interface FetchVisitor {
  /** First, from version 7 on: what the answer says of the whole request. */
  head?(errorCode: number, sessionId: number): void;
  /** From version 13 on the name is empty, before it the id is `zeroUuid`. */
  topic(name: string, topicId: string): void;
  /** Before the partition's records. */
  partition(index: number, errorCode: number): void;
  /**
   * When the last of a partition's records has passed; not where there is no whole batch. Offsets are the first batch's
   * base and the last one's end, `records` leaves out control batches, `bytes` is all that the partition's records take.
   */
  records(index: number, firstOffset: bigint, lastOffset: bigint, records: number, bytes: number): void;
  /** The brokers' own addresses, which were blanked. */
  brokers?(brokers: readonly ScannedBroker[]): void;
  /** When the last byte has passed. */
  end(): void;
}

const correlationIdBytes = 4;

// What is read next.
const atCorrelationId = 0;
const atHead = 1;
const atTopics = 2;
const atTopic = 3;
const atTopicName = 4;
const atPartitions = 5;
const atPartition = 6;
const atAbortedCount = 7;
const atAborted = 8;
const atRecordsLength = 9;
const atRecords = 10;
const atTags = 11;
const atEnd = 12;
const done = 13;

function blankedBrokers(visitor: FetchVisitor): TagSection {
  const read = (field: ByteReader): void => {
    const brokers = readBrokers(field);
    visitor.brokers?.(brokers);
  };
  return { known: [read], blanked: true };
}

/**
 * Scans one answer, without its frame's size, as its bytes come. It keeps no chunk, no record and no object per
 * partition, and looks at nothing but structure and batch headers. From version 16 on an answer may hold the brokers'
 * own addresses (NodeEndpoints): those it blanks in the chunk, so a chunk may go on to the client only when `push` has
 * returned, and not at all when it threw.
 */
export class FetchScan {
  /**
   * Not used, but there: when garbage is collected while no object of a class is left, V8 throws away the code it
   * optimized for the class, and between two answers there would be none. Answers then cost ten times as much for a while.
   */
  static readonly kept: FetchScan = new FetchScan(correlationIdBytes, 4, {
    topic() {},
    partition() {},
    records() {},
    end() {},
  });
  readonly #layout: FetchLayout;
  readonly #visitor: FetchVisitor;
  readonly #cursor: ChunkCursor;
  readonly #batches: BatchScan;
  readonly #tags: TagScan;
  readonly #responseTags: TagSection;
  #state = atCorrelationId;
  #afterTags = done;
  #topicsLeft = 0;
  #partitionsLeft = 0;
  #abortedLeft = 0;
  #nameBytes = 0;
  #partition = 0;
  /** True while `push` runs, and for good once it has thrown. */
  #closed = false;

  /** `payloadBytes` is the frame's size. Throws `ProtocolError` for a version other than 4 to 18 and for too few bytes. */
  constructor(payloadBytes: number, version: number, visitor: FetchVisitor) {
    const layout = fetchLayout(version);
    const cursor = new ChunkCursor(payloadBytes, layout.label);
    if (payloadBytes < correlationIdBytes) throw cursor.error('truncated', `a frame of ${payloadBytes} bytes`);
    this.#layout = layout;
    this.#visitor = visitor;
    this.#cursor = cursor;
    this.#batches = new BatchScan(cursor);
    this.#tags = new TagScan(cursor);
    this.#responseTags = layout.brokers ? blankedBrokers(visitor) : unknownOnly;
  }

  /** True when the whole answer was scanned. */
  get ended(): boolean {
    return this.#state === done;
  }

  /**
   * Scans the payload's next bytes: those of `chunk` from `start` to `end`, which may be written over afterwards. Throws
   * `ProtocolError`, its `byteOffset` from the payload's start, for what no such answer can hold and after it has thrown.
   */
  push(chunk: Buffer, start: number = 0, end: number = chunk.length): void {
    if (this.#closed) throw this.#cursor.error('bad-value', 'the scan has ended with an error');
    this.#closed = true;
    try {
      this.#cursor.feed(chunk, start, end);
      while (this.#step());
    } finally {
      this.#cursor.release();
    }
    this.#closed = false;
  }

  /**
   * Ends the scan because no more bytes will come or go on, and reports what has passed of the partition under way: its
   * receiver has that, so it counts. The last batch may not have passed whole.
   */
  cut(): void {
    const midRecords = this.#state === atRecords;
    this.#state = done;
    this.#closed = true;
    if (midRecords) this.#report();
  }

  #step(): boolean {
    switch (this.#state) {
      case atCorrelationId:
        this.#cursor.skip(correlationIdBytes);
        return this.#endStruct(unknownOnly, atHead);
      case atHead:
        return this.#head();
      case atTopics:
        return this.#topics();
      case atTopic:
        return this.#topic();
      case atTopicName:
        return this.#topicName();
      case atPartitions:
        return this.#partitions();
      case atPartition:
        return this.#nextPartition();
      case atAbortedCount:
        return this.#abortedCount();
      case atAborted:
        return this.#aborted();
      case atRecordsLength:
        return this.#recordsLength();
      case atRecords:
        return this.#records();
      case atTags:
        return this.#tags.run() && this.#go(this.#afterTags);
      case atEnd:
        return this.#end();
      default:
        return false;
    }
  }

  #go(state: number): true {
    this.#state = state;
    return true;
  }

  /** Goes on with `state` after the tags that end a structure, where this version has any. */
  #endStruct(section: TagSection, state: number): true {
    if (!this.#layout.flexible) return this.#go(state);
    this.#tags.begin(section);
    this.#afterTags = state;
    return this.#go(atTags);
  }

  #head(): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(this.#layout.headBytes)) return false;
    if (this.#layout.sessions) {
      this.#visitor.head?.(cursor.bytes.readInt16BE(cursor.at + 4), cursor.bytes.readInt32BE(cursor.at + 6));
    }
    return this.#go(atTopics);
  }

  #topics(): boolean {
    const cursor = this.#cursor;
    if (!cursor.count(this.#layout.flexible, this.#layout.topicBytesMin)) return false;
    this.#topicsLeft = this.#presentCount();
    return this.#go(atTopic);
  }

  #presentCount(): number {
    if (this.#cursor.value === -1) throw this.#cursor.error('bad-value', 'a null array where this version has none');
    return this.#cursor.value;
  }

  #topic(): boolean {
    const cursor = this.#cursor;
    if (this.#topicsLeft === 0) return this.#endStruct(this.#responseTags, atEnd);
    if (this.#layout.topicIds) {
      if (!cursor.take(uuidBytes)) return false;
      this.#topicsLeft -= 1;
      this.#visitor.topic('', topicNames.uuid(cursor.bytes, cursor.at));
      return this.#go(atPartitions);
    }
    if (!cursor.stringLength(this.#layout.flexible)) return false;
    this.#topicsLeft -= 1;
    this.#nameBytes = cursor.value;
    return this.#go(atTopicName);
  }

  #topicName(): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(this.#nameBytes)) return false;
    const name = topicNames.text(cursor.bytes, cursor.at, cursor.at + this.#nameBytes);
    if (name === null) throw cursor.error('bad-value', 'a string that is not UTF-8');
    this.#visitor.topic(name, zeroUuid);
    return this.#go(atPartitions);
  }

  #partitions(): boolean {
    if (!this.#cursor.count(this.#layout.flexible, this.#layout.partitionBytesMin)) return false;
    this.#partitionsLeft = this.#presentCount();
    return this.#go(atPartition);
  }

  #nextPartition(): boolean {
    const cursor = this.#cursor;
    if (this.#partitionsLeft === 0) return this.#endStruct(unknownOnly, atTopic);
    if (!cursor.take(this.#layout.partitionHeadBytes)) return false;
    this.#partitionsLeft -= 1;
    this.#partition = cursor.bytes.readInt32BE(cursor.at);
    this.#visitor.partition(this.#partition, cursor.bytes.readInt16BE(cursor.at + 4));
    return this.#go(atAbortedCount);
  }

  #abortedCount(): boolean {
    const cursor = this.#cursor;
    if (!cursor.count(this.#layout.flexible, this.#layout.abortedBytesMin)) return false;
    this.#abortedLeft = Math.max(cursor.value, 0);
    return this.#go(atAborted);
  }

  #aborted(): boolean {
    const cursor = this.#cursor;
    if (this.#abortedLeft === 0) {
      cursor.skip(this.#layout.replicaBytes);
      return this.#go(atRecordsLength);
    }
    this.#abortedLeft -= 1;
    cursor.skip(abortedBytes);
    return this.#endStruct(unknownOnly, atAborted);
  }

  #recordsLength(): boolean {
    if (!this.#cursor.length(this.#layout.flexible)) return false;
    this.#batches.begin(Math.max(this.#cursor.value, 0));
    return this.#go(atRecords);
  }

  #records(): boolean {
    if (!this.#batches.run()) return false;
    this.#endStruct(partitionTags, atPartition);
    this.#report();
    return true;
  }

  #report(): void {
    const batches = this.#batches;
    if (batches.batches === 0) return;
    const { firstOffset, lastOffset, records, bytes } = batches;
    this.#visitor.records(this.#partition, firstOffset, lastOffset, records, bytes);
  }

  #end(): boolean {
    const { left, ahead } = this.#cursor;
    if (left !== 0) throw this.#cursor.error('trailing-bytes', `${left} bytes are left after the end of the message`);
    if (ahead > 0) return false;
    this.#state = done;
    this.#visitor.end();
    return false;
  }
}
