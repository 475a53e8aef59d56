/**
 * A fetch request, read without making anything of it:
 *
 *   (4–14) replicaId i32 · maxWaitMs i32 · minBytes i32 · maxBytes i32 · isolationLevel i8 · (7+) sessionId i32
 *     · (7+) sessionEpoch i32 · topics · (7+) forgotten topics · (11+) rackId · [tags]
 *   topic: (4–12) name, (13+) topicId uuid · partitions · [tags]
 *   partition: index i32 · (9+) currentLeaderEpoch i32 · fetchOffset i64 · (12+) lastFetchedEpoch i32
 *     · (5+) logStartOffset i64 · partitionMaxBytes i32 · [tags]
 *   forgotten topic: (7–12) name, (13+) topicId uuid · partitions i32* · [tags]
 *
 * [tags] and compact lengths from version 12 on. Consumers send no tag; what does is for the decoder.
 */
import { ByteReader } from './byte-reader.ts';
import { topicNames } from './name-cache.ts';
import { ProtocolError } from './protocol-error.ts';
import { uuidBytes, zeroUuid } from './values.ts';

/**
 * Is told what a request holds, in its order. Nothing of it may be acted upon before the walk has ended, and only where
 * it gave true.
 */
export interface FetchRequestVisitor {
  /**
   * Before version 7 there are no sessions: id 0 and epoch -1.
   * @param replicaId -1 from version 15 on, where it is a tag
   * @param epochAt where the epoch's four bytes lie in the payload; -1 before version 7
   */
  begin(replicaId: number, sessionId: number, sessionEpoch: number, epochAt: number): void;
  /** The same string for the same name, mostly. From version 13 on the name is empty, before it the id is `zeroUuid`. */
  topic(name: string, topicId: string): void;
  partition(index: number): void;
  /** As `topic`, for partitions that are to leave the session; comes after all topics. */
  forgottenTopic(name: string, topicId: string): void;
  forgottenPartition(index: number): void;
}

const versionMin = 4;
const versionMax = 18;
const indexBytes = 4;

interface Layout {
  readonly label: string;
  readonly flexible: boolean;
  readonly topicIds: boolean;
  readonly replicaId: boolean;
  readonly sessions: boolean;
  readonly rack: boolean;
  readonly topicBytesMin: number;
  /** Without tags. */
  readonly partitionBytes: number;
  readonly partitionBytesMin: number;
}

const layouts: readonly Layout[] = Array.from({ length: versionMax - versionMin + 1 }, (_, index) =>
  layoutOf(versionMin + index),
);

function layoutOf(version: number): Layout {
  const flexible = version >= 12;
  const topicIds = version >= 13;
  const tagBytes = flexible ? 1 : 0;
  const lengthBytes = flexible ? 1 : 4;
  const nameBytes = flexible ? 1 : 2;
  const sinceVersion = (first: number, bytes: number): number => (version >= first ? bytes : 0);
  const partitionBytes = 16 + sinceVersion(5, 8) + sinceVersion(9, 4) + sinceVersion(12, 4);
  return {
    label: `FetchRequest v${version}`,
    flexible,
    topicIds,
    replicaId: version <= 14,
    sessions: version >= 7,
    rack: version >= 11,
    topicBytesMin: (topicIds ? uuidBytes : nameBytes) + lengthBytes + tagBytes,
    partitionBytes,
    partitionBytesMin: partitionBytes + tagBytes,
  };
}

/**
 * Walks a request's body from `offset`, the header's `headerBytes`, to the end, and takes exactly what `decodeRequest`
 * does. Throws `ProtocolError`.
 *
 * @returns false, and stops, where the request has a tag: the decoder knows what it means
 */
export function walkFetch(payload: Buffer, offset: number, version: number, visitor: FetchRequestVisitor): boolean {
  const layout = layouts[version - versionMin];
  if (layout === undefined) {
    throw new ProtocolError('unsupported-version', 0, `FetchRequest has no version ${version} here`);
  }
  const reader = new ByteReader(payload, offset, layout.label);
  walkHead(reader, layout, visitor);
  const { flexible } = layout;
  for (let left = presentCount(reader, flexible, layout.topicBytesMin); left > 0; left -= 1) {
    if (!walkTopic(reader, layout, visitor)) return false;
  }
  if (layout.sessions) {
    for (let left = presentCount(reader, flexible, layout.topicBytesMin); left > 0; left -= 1) {
      if (!walkForgotten(reader, layout, visitor)) return false;
    }
  }
  if (layout.rack) reader.rememberedString(topicNames, flexible);
  if (flexible && reader.uvarint() !== 0) return false;
  reader.finish();
  return true;
}

function walkHead(reader: ByteReader, layout: Layout, visitor: FetchRequestVisitor): void {
  const replicaId = layout.replicaId ? reader.int32() : -1;
  // maxWaitMs, minBytes, maxBytes, isolationLevel.
  reader.skip(13);
  if (!layout.sessions) {
    visitor.begin(replicaId, 0, -1, -1);
    return;
  }
  const sessionId = reader.int32();
  const epochAt = reader.position;
  visitor.begin(replicaId, sessionId, reader.int32(), epochAt);
}

function walkTopic(reader: ByteReader, layout: Layout, visitor: FetchRequestVisitor): boolean {
  const { flexible } = layout;
  if (layout.topicIds) visitor.topic('', reader.rememberedUuid(topicNames));
  else visitor.topic(reader.rememberedString(topicNames, flexible), zeroUuid);
  for (let left = presentCount(reader, flexible, layout.partitionBytesMin); left > 0; left -= 1) {
    const index = reader.int32();
    reader.skip(layout.partitionBytes - indexBytes);
    if (flexible && reader.uvarint() !== 0) return false;
    visitor.partition(index);
  }
  return !flexible || reader.uvarint() === 0;
}

function walkForgotten(reader: ByteReader, layout: Layout, visitor: FetchRequestVisitor): boolean {
  const { flexible } = layout;
  if (layout.topicIds) visitor.forgottenTopic('', reader.rememberedUuid(topicNames));
  else visitor.forgottenTopic(reader.rememberedString(topicNames, flexible), zeroUuid);
  for (let left = presentCount(reader, flexible, indexBytes); left > 0; left -= 1) {
    visitor.forgottenPartition(reader.int32());
  }
  return !flexible || reader.uvarint() === 0;
}

function presentCount(reader: ByteReader, compact: boolean, elementBytesMin: number): number {
  const count = reader.count(compact, elementBytesMin);
  if (count === -1) throw reader.error('bad-value', 'a null array where this version has none');
  return count;
}
