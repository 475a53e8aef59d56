/** What a tombstone says of a stretch of segments, put together while they are read once more. */
import type { GoneSegmentData, TombstoneData } from '../events.ts';
import { typePrefix } from '../envelope.ts';
import { leafHash } from '../merkle/hash.ts';
import { SubtreeRoots } from '../merkle/subtrees.ts';
import { parseEntry } from '../read/segments.ts';
import { covers, subtreesIn } from '../read/tombstones.ts';
import type { ScanState } from '../verify/scan.ts';

/** Segments that one tombstone lists; older ones were listed by those before it. */
const segmentsMax = 500;
/** Together some hundreds of KB; a line of the log may have 4 MiB. */
const sessionsMax = 10_000;
const reportsMax = 1_000;

const told: readonly Buffer[] = ['log.recovered', 'log.key-changed'].map((code) =>
  Buffer.from(`"type":"${typePrefix}${code}"`),
);

interface OpenSegment {
  readonly name: string;
  readonly first: number;
  entries: number;
  firstTime: string;
  last: Buffer | null;
}

export class Stretch {
  readonly #first: number;
  readonly #anchors: ReadonlySet<number>;
  readonly #cuts: number[] = [];
  readonly #hashes: string[] = [];
  #roots: SubtreeRoots;
  readonly #segments: GoneSegmentData[] = [];
  #older = { segments: 0, bytes: 0 };
  #firstSegment = '';
  #firstRun = '';
  readonly #keyChanges: TombstoneData['key_changes'][number][] = [];
  readonly #reports: TombstoneData['reports'][number][] = [];
  #open: OpenSegment | null = null;

  /** @param anchors sizes at which a checkpoint is to stay, ascending; those within the stretch count */
  constructor(first: number, anchors: Iterable<number>) {
    this.#first = first;
    this.#anchors = new Set(anchors);
    this.#roots = new SubtreeRoots(first);
  }

  /** A part of it that is gone already. */
  gone(data: TombstoneData): void {
    this.#begin(data.first_segment, data.first_run);
    // A list has no gap: what stands before one is counted.
    if (data.older.segments > 0) this.#drop(this.#segments.length);
    for (const { start, level, hash } of subtreesIn(data) ?? []) {
      this.#roots.append(hash, level);
      if (data.anchors.includes(start + 2 ** level)) this.#cut();
    }
    this.#older = {
      segments: this.#older.segments + data.older.segments,
      bytes: this.#older.bytes + data.older.bytes,
    };
    this.#segments.push(...data.segments);
    this.#keyChanges.push(...data.key_changes);
    this.#reports.push(...data.reports);
  }

  begin(name: string): void {
    this.#open = { name, first: this.#roots.end, entries: 0, firstTime: '', last: null };
  }

  line(line: Buffer): void {
    const segment = this.#open;
    if (segment === null) return;
    const index = this.#roots.end;
    this.#roots.append(leafHash(line));
    segment.entries += 1;
    if (segment.entries === 1) this.#beginSegment(segment, line);
    segment.last = line;
    const entry = told.some((needle) => line.includes(needle)) ? parseEntry(line) : null;
    if (entry !== null) this.#tell(entry.type, entry.data, index);
    if (this.#anchors.has(this.#roots.end)) this.#cut();
  }

  end(bytes: number, sha256: string): void {
    if (this.#open === null) return;
    const { name, first, entries, firstTime, last } = this.#open;
    const lastTime = last === null ? '' : (parseEntry(last)?.time ?? '');
    this.#begin(name, '');
    this.#segments.push({
      name,
      first_index: first,
      entries,
      bytes,
      sha256,
      first_time: firstTime,
      last_time: lastTime,
    });
    this.#open = null;
  }

  /** `null` where there is nothing to tell of, or more than one entry can hold: then the segments stay. */
  finish({ run, sessions }: ScanState, policy: string): TombstoneData | null {
    const last = this.#segments.at(-1)?.name;
    const end = this.#roots.end;
    if (run === null || last === undefined || end === this.#first) return null;
    const lists = run.gaps.length + run.losses.length + this.#reports.length + this.#keyChanges.length;
    if (lists > reportsMax) return null;
    this.#drop(this.#segments.length - segmentsMax);
    const stretch = { first_segment: this.#firstSegment, last_segment: last };
    return {
      ...stretch,
      first_index: this.#first,
      entries: end - this.#first,
      segments: this.#segments,
      older: this.#older,
      policy,
      subtrees: [...this.#hashes, ...texts(this.#roots)],
      anchors: this.#cuts.filter((at) => at < end),
      key_changes: this.#keyChanges,
      reports: this.#reports.filter(({ segment }) => !covers(stretch, segment)),
      first_run: this.#firstRun,
      run,
      sessions: sessions.slice(0, sessionsMax),
      sessions_more: Math.max(0, sessions.length - sessionsMax),
    };
  }

  #beginSegment(segment: OpenSegment, line: Buffer): void {
    const entry = parseEntry(line);
    segment.firstTime = entry?.time ?? '';
    this.#begin(segment.name, entry?.id.slice(0, entry.id.lastIndexOf('.')) ?? '');
  }

  /** Counts the oldest of the list instead of listing them. */
  #drop(count: number): void {
    const dropped = this.#segments.splice(0, Math.max(0, count));
    this.#older = {
      segments: this.#older.segments + dropped.length,
      bytes: this.#older.bytes + dropped.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  #begin(segment: string, run: string): void {
    if (this.#firstSegment === '') this.#firstSegment = segment;
    if (this.#firstRun === '') this.#firstRun = run;
  }

  #cut(): void {
    this.#hashes.push(...texts(this.#roots));
    this.#cuts.push(this.#roots.end);
    this.#roots = new SubtreeRoots(this.#roots.end);
  }

  #tell(type: string, data: Readonly<Record<string, unknown>>, index: number): void {
    const text = (name: string): string => (typeof data[name] === 'string' ? data[name] : '');
    const number = (name: string): number => (typeof data[name] === 'number' ? data[name] : 0);
    if (type === `${typePrefix}log.key-changed`)
      this.#keyChanges.push({ index, old_key: text('old_key'), new_key: text('new_key') });
    if (type === `${typePrefix}log.recovered`)
      this.#reports.push({
        segment: text('segment'),
        cause: text('cause'),
        complete_bytes: number('complete_bytes'),
        torn_bytes: number('torn_bytes'),
        last_id: text('last_id'),
      });
  }
}

function texts(roots: SubtreeRoots): string[] {
  return roots.hashes.map((hash) => Buffer.from(hash).toString('base64'));
}
