/** The tombstones of a log's folder, and which of them stand for segments that are not there. */
import { createReadStream } from 'node:fs';
import { typePrefix } from '../envelope.ts';
import type { TombstoneData } from '../events.ts';
import { subtreesOf } from '../merkle/subtrees.ts';
import type { Subtree } from '../merkle/subtrees.ts';
import { schemas } from '../schemas.ts';
import { linesOf } from './lines.ts';
import { parseEntry } from './segments.ts';
import type { LogSegment } from './segments.ts';

export interface Tombstone {
  readonly id: string;
  readonly time: string;
  /** The segment that it stands in, and its line as it stands there. */
  readonly file: string;
  readonly line: Buffer;
  readonly data: TombstoneData;
}

/** Of a stretch, one perfect subtree and its root. */
export interface GoneSubtree extends Subtree {
  readonly hash: Buffer;
}

const needle = Buffer.from(`"type":"${typePrefix}log.tombstone"`);
const chunkBytes = 262_144;

/** In the order of writing. Nothing here is proved: whoever relies on one has to find it in the tree, signed. */
export async function findTombstones(segments: readonly LogSegment[]): Promise<Tombstone[]> {
  const found: Tombstone[] = [];
  for (const { name, path, cutAt } of segments) {
    if (!(await holds(path, needle))) continue;
    for await (const { lines } of linesOf(path, 0, cutAt)) {
      for (const line of lines) {
        const tombstone = line.includes(needle) ? parseTombstone(line, name) : null;
        if (tombstone !== null) found.push(tombstone);
      }
    }
  }
  return found;
}

/** `null` for a line that is none, or one that does not hold together. */
function parseTombstone(line: Buffer, file: string): Tombstone | null {
  const entry = parseEntry(line);
  if (entry?.type !== `${typePrefix}log.tombstone`) return null;
  const parsed = schemas['log.tombstone'].safeParse(entry.data);
  if (!parsed.success) return null;
  const { data } = parsed;
  if (subtreesIn(data) === null || !isSorted(data)) return null;
  return { id: entry.id, time: entry.time, file, line: Buffer.from(line), data };
}

/** Where the stretch ends: the position of the first entry behind it. */
export function endOf({ first_index: first, entries }: TombstoneData): number {
  return first + entries;
}

/** The subtrees that stand for the stretch; `null` where the hashes are not as many as it has. */
export function subtreesIn(data: TombstoneData): GoneSubtree[] | null {
  const cuts = [data.first_index, ...data.anchors, endOf(data)];
  if (cuts.some((cut, at) => !Number.isSafeInteger(cut) || cut <= (cuts[at - 1] ?? -1))) return null;
  const parts = cuts.slice(1).flatMap((end, at) => subtreesOf(cuts[at] ?? 0, end));
  if (parts.length !== data.subtrees.length) return null;
  const hashes = data.subtrees.map((text) => Buffer.from(text, 'base64'));
  if (hashes.some((hash) => hash.length !== 32)) return null;
  return parts.map((part, at) => ({ ...part, hash: hashes[at] ?? Buffer.alloc(0) }));
}

/**
 * The tombstones that are needed: each stands for a segment that is gone and that no earlier one stands for. One whose
 * segments are all there yet changes nothing: it was written a moment ago, or its files could not be removed.
 */
export function neededTombstones(tombstones: readonly Tombstone[], present: ReadonlySet<string>): Tombstone[] {
  let needed: Tombstone[] = [];
  for (const tombstone of tombstones) {
    const { data } = tombstone;
    const covered = (from: number, to: number): boolean =>
      needed.some(({ data: other }) => other.first_index <= from && to <= endOf(other));
    const gone = data.segments.some(
      ({ name, first_index: from, entries }) => !present.has(name) && !covered(from, from + entries),
    );
    const olderEnd = data.segments[0]?.first_index ?? endOf(data);
    if (!gone && (data.older.segments === 0 || covered(data.first_index, olderEnd))) continue;
    const within = (other: TombstoneData): boolean =>
      data.first_index <= other.first_index && endOf(other) <= endOf(data);
    needed = [...needed.filter(({ data: other }) => !within(other)), tombstone];
  }
  return needed.sort((a, b) => a.data.first_index - b.data.first_index);
}

/** Whether a segment's name lies within the stretch. */
export function covers(
  { first_segment: first, last_segment: last }: Pick<TombstoneData, 'first_segment' | 'last_segment'>,
  name: string,
): boolean {
  return first <= name && name <= last;
}

/** That names and positions of the listed segments follow each other, from the first to the last. */
function isSorted(data: TombstoneData): boolean {
  const { segments, older } = data;
  const [first] = segments;
  const last = segments.at(-1);
  if (first === undefined || last === undefined || last.name !== data.last_segment) return false;
  if (older.segments === 0 && (first.name !== data.first_segment || first.first_index !== data.first_index))
    return false;
  if (first.name < data.first_segment || first.first_index < data.first_index) return false;
  if (last.first_index + last.entries !== endOf(data)) return false;
  return segments.every((segment, at) => {
    const before = segments[at - 1];
    return (
      before === undefined ||
      (before.name < segment.name && before.first_index + before.entries === segment.first_index)
    );
  });
}

/** Without splitting into lines: most segments hold none, and this is read before the log itself is. */
async function holds(path: string, text: Buffer): Promise<boolean> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const read of createReadStream(path, { highWaterMark: chunkBytes })) {
    const chunk = read as Buffer;
    if (chunk.includes(text) || Buffer.concat([rest, chunk.subarray(0, text.length)]).includes(text)) return true;
    rest = Buffer.from(chunk.subarray(Math.max(0, chunk.length - text.length)));
  }
  return false;
}
