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
import { arrayLengthMax, messageElementsMax } from '../../../lib/limits.ts';
import { GlanceReader } from './glance-reader.ts';
import { zeroUuid } from './values.ts';

/**
 * Is told what a request holds, in its order. Nothing of it may be acted upon before the walk has ended, and only where
 * it gave true.
 */
export interface FetchRequestVisitor {
  /**
   * Before version 7 there are no sessions: id 0 and epoch -1.
   * @param replicaId -1 from version 15 on, where it is a tag
   * @param epochAt where the epoch's four bytes lie; -1 before version 7
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
  readonly flexible: boolean;
  readonly topicIds: boolean;
  readonly replicaId: boolean;
  readonly sessions: boolean;
  readonly rack: boolean;
  /** Without tags. */
  readonly partitionBytes: number;
}

const layouts: readonly Layout[] = Array.from({ length: versionMax - versionMin + 1 }, (_, index) =>
  layoutOf(versionMin + index),
);

function layoutOf(version: number): Layout {
  const sinceVersion = (first: number, bytes: number): number => (version >= first ? bytes : 0);
  return {
    flexible: version >= 12,
    topicIds: version >= 13,
    replicaId: version <= 14,
    sessions: version >= 7,
    rack: version >= 11,
    partitionBytes: 16 + sinceVersion(5, 8) + sinceVersion(9, 4) + sinceVersion(12, 4),
  };
}

// One for all: a request is walked within a call.
const reader = new GlanceReader();
/** How many topics and partitions the request may still name. */
let elementsLeft = 0;

/**
 * Walks a request's body, the bytes from `start` to before `end`. What it takes `decodeRequest` reads the same.
 *
 * @returns false, and stops, where the request is not a usual one: the decoder knows what it means, or what is wrong with it
 */
export function walkFetch(
  bytes: Buffer,
  start: number,
  end: number,
  version: number,
  visitor: FetchRequestVisitor,
): boolean {
  const layout = layouts[version - versionMin];
  if (layout === undefined) return false;
  reader.begin(bytes, start, end);
  elementsLeft = messageElementsMax;
  walkHead(layout, visitor);
  for (let left = countOf(layout); left > 0 && reader.usual; left -= 1) walkTopic(layout, visitor);
  if (layout.sessions) {
    for (let left = countOf(layout); left > 0 && reader.usual; left -= 1) walkForgotten(layout, visitor);
  }
  if (layout.rack) reader.name(layout.flexible);
  reader.noTags(layout.flexible);
  return reader.usual && reader.at === end;
}

function walkHead(layout: Layout, visitor: FetchRequestVisitor): void {
  const replicaId = layout.replicaId ? reader.int32() : -1;
  // maxWaitMs, minBytes, maxBytes, isolationLevel.
  reader.skip(13);
  if (!layout.sessions) {
    visitor.begin(replicaId, 0, -1, -1);
    return;
  }
  const sessionId = reader.int32();
  const epochAt = reader.at;
  const sessionEpoch = reader.int32();
  if (reader.usual) visitor.begin(replicaId, sessionId, sessionEpoch, epochAt);
}

function walkTopic(layout: Layout, visitor: FetchRequestVisitor): void {
  if (layout.topicIds) visitor.topic('', reader.uuid());
  else visitor.topic(reader.name(layout.flexible), zeroUuid);
  for (let left = countOf(layout); left > 0 && reader.usual; left -= 1) {
    const index = reader.int32();
    reader.skip(layout.partitionBytes - indexBytes);
    reader.noTags(layout.flexible);
    visitor.partition(index);
  }
  reader.noTags(layout.flexible);
}

function walkForgotten(layout: Layout, visitor: FetchRequestVisitor): void {
  if (layout.topicIds) visitor.forgottenTopic('', reader.uuid());
  else visitor.forgottenTopic(reader.name(layout.flexible), zeroUuid);
  for (let left = countOf(layout); left > 0 && reader.usual; left -= 1) visitor.forgottenPartition(reader.int32());
  reader.noTags(layout.flexible);
}

function countOf(layout: Layout): number {
  const count = reader.length(layout.flexible);
  elementsLeft -= count;
  // The decoder's own bound is on what one message names together.
  if (count > arrayLengthMax || elementsLeft < 0) reader.usual = false;
  return count;
}
