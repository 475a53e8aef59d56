/** One pass over a log's lines: the tree that they make, and everything that they say about each other. */
import { stat } from 'node:fs/promises';
import { codeOf } from '../entry-shape.ts';
import type { RunStateData } from '../events.ts';
import { fileDigest, goneMeanwhile } from '../read/file-digest.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHash } from '../merkle/hash.ts';
import { linesOf } from '../read/lines.ts';
import { parseEntry } from '../read/segments.ts';
import type { LogSegment } from '../read/segments.ts';
import { logSteps } from '../read/steps.ts';
import { endOf, subtreesIn } from '../read/tombstones.ts';
import type { Tombstone } from '../read/tombstones.ts';
import { isCanonical } from './canonical.ts';
import type { Findings, Place } from './findings.ts';
import { RecoveryCheck } from './recoveries.ts';
import { RunCheck } from './runs.ts';
import { SessionCheck } from './sessions.ts';
import type { KeyChange } from './trust.ts';

export interface ScanProgress {
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly entries: number;
}

export interface Scan {
  readonly segments: number;
  readonly size: number;
  readonly root: Uint8Array;
  /** Roots at the sizes that were asked for, as far as the log goes. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
  /** Where the entry behind each of those sizes stands, and the first of all. */
  readonly starts: ReadonlyMap<number, Place>;
  readonly keyChanges: readonly KeyChange[];
  /** Milliseconds between two checkpoints, as the last run says; `null` where none does. */
  readonly everyMs: number | null;
  /** Whether the last run ended with `log.closed`. */
  readonly closed: boolean;
  /** The last entry, and the times of all behind the largest size that was asked for: first and last. */
  readonly last: Place | null;
  readonly uncovered: { readonly lastTimeMs: number; readonly first: Place } | null;
  readonly gone: readonly GoneStretch[];
}

/** A stretch that a tombstone stands for. */
export interface GoneStretch {
  readonly tombstone: Tombstone;
  /** Where its own entry stands in the tree; `null` where it is not among the entries that were read. */
  readonly index: number | null;
  readonly at: Place;
}

/** What a tombstone carries on of the checks. */
export interface ScanState {
  readonly run: RunStateData | null;
  readonly sessions: readonly (readonly [string, number])[];
}

const progressBytes = 8_388_608;

/** @param sizes tree sizes whose roots are wanted, in any order */
export async function scanLog(
  directory: string,
  sizes: readonly number[],
  findings: Findings,
  onProgress: (progress: ScanProgress) => void,
  onLine: (line: Buffer) => void = () => {},
): Promise<Scan> {
  const { steps, segments } = await logSteps(directory);
  const bytesTotal = (await Promise.all(segments.map(({ path }) => stat(path)))).reduce(
    (sum, { size }) => sum + size,
    0,
  );
  const scanner = new Scanner(sizes, findings);
  let before = 0;
  let told = 0;
  for (const step of steps) {
    if (step.kind === 'gone') {
      scanner.gone(step.tombstone);
      for (const { name, path } of step.left) await holdLeft(step.tombstone, name, path, findings);
      continue;
    }
    const { segment } = step;
    let bytes = 0;
    scanner.begin(segment);
    for await (const { lines, end, tornBytes } of linesOf(segment.path, 0, segment.cutAt)) {
      for (const line of lines) {
        scanner.line(line);
        onLine(line);
      }
      bytes = end + tornBytes;
      if (before + bytes - told >= progressBytes) {
        told = before + bytes;
        onProgress({ bytes: told, bytesTotal, entries: scanner.size });
      }
      if (lines.length === 0) scanner.end(end, tornBytes);
    }
    before += bytes;
  }
  return scanner.finish(segments.length);
}

/** A file that was to be removed and is there yet: it is not read, so it must be what the tombstone says it was. */
async function holdLeft({ data }: Tombstone, name: string, path: string, findings: Findings): Promise<void> {
  const said = data.segments.find((segment) => segment.name === name);
  const digest = await fileDigest(path).catch(goneMeanwhile);
  if (digest === null || (said !== undefined && digest === said.sha256)) return;
  const message =
    said === undefined
      ? 'no such segment is among those that a tombstone stands for here'
      : 'it is not the segment that the tombstone over it describes';
  findings.add('integrity', 'altered', message, { file: name });
}

export class Scanner {
  readonly #findings: Findings;
  readonly #wanted: ReadonlySet<number>;
  readonly #largest: number;
  readonly #range = new CompactRange();
  readonly #roots = new Map<number, Uint8Array>();
  readonly #starts = new Map<number, Place>();
  readonly #changes: KeyChange[] = [];
  readonly #runs: RunCheck;
  readonly #sessions: SessionCheck;
  readonly #recoveries: RecoveryCheck;
  #segment = '';
  #line = 0;
  #everyMs: number | null = null;
  #last: { id: string; code: string; at: Place } | null = null;
  #lastInSegment: { id: string; code: string } = { id: '', code: '' };
  #uncovered: { lastTimeMs: number; readonly first: Place } | null = null;
  readonly #gone: { readonly tombstone: Tombstone; readonly at: Place }[] = [];
  /** Where tombstones stand, by id: position and leaf hash. */
  readonly #tombstones = new Map<string, { readonly index: number; readonly leaf: Buffer }>();

  constructor(sizes: readonly number[], findings: Findings) {
    this.#findings = findings;
    this.#wanted = new Set(sizes);
    this.#largest = Math.max(0, ...sizes);
    this.#runs = new RunCheck(findings);
    this.#sessions = new SessionCheck(findings);
    this.#recoveries = new RecoveryCheck(findings);
    if (this.#wanted.has(0)) this.#roots.set(0, this.#range.root());
  }

  get size(): number {
    return this.#range.size;
  }

  begin(segment: LogSegment): void {
    this.#segment = segment.name;
    this.#line = 0;
    this.#lastInSegment = { id: '', code: '' };
  }

  line(line: Buffer): void {
    this.#line += 1;
    const index = this.#range.size;
    const at: Place = { file: this.#segment, line: this.#line, index };
    this.#range.append(leafHash(line));
    this.#entry(line, index, at);
    if (index === 0 || this.#wanted.has(index)) this.#starts.set(index, at);
    if (this.#wanted.has(this.#range.size)) this.#roots.set(this.#range.size, this.#range.root());
  }

  /** Passes over a stretch that a tombstone stands for. */
  gone(tombstone: Tombstone): void {
    const { data, id } = tombstone;
    const at: Place = { file: data.first_segment, index: this.#range.size, entryId: id.slice(0, 200) };
    this.#gone.push({ tombstone, at });
    if (this.#range.size !== data.first_index) {
      const message = `${this.#range.size} entries stand before what retention removed, and there were ${data.first_index}`;
      return this.#findings.add('completeness', 'missing-entries', message, at);
    }
    for (const { start, level, hash } of subtreesIn(data) ?? []) {
      this.#range.append(hash, level);
      if (this.#wanted.has(start + 2 ** level)) this.#roots.set(this.#range.size, this.#range.root());
    }
    const { closed } = this.#runs;
    const previous = { closed, lossy: this.#runs.hasLosses, last: this.#last };
    if (this.#runs.resume(data.run, data.first_run, at)) {
      this.#sessions.runEnded(previous.closed, previous.lossy);
      if (previous.last !== null) this.#recoveries.runEnded(previous.closed, previous.last.id, previous.last.at);
    }
    this.#sessions.resume(data.sessions, data.sessions_more, at);
    this.#recoveries.resume(data);
    for (const { index, old_key: oldKey, new_key: newKey } of data.key_changes)
      this.#changes.push({ oldKey, newKey, index });
    this.#everyMs = data.run.checkpoint_every_ms;
    this.#last = { id: data.run.last_id, code: '', at };
    if (this.#wanted.has(endOf(data))) this.#starts.set(endOf(data), at);
  }

  /** As a tombstone over everything up to here would have to tell it. */
  state(): ScanState {
    const run = this.#runs.state();
    const sessions = this.#sessions.state();
    if (run === null) return { run, sessions };
    return { run: { ...run, last_id: this.#last?.id ?? '', checkpoint_every_ms: this.#everyMs }, sessions };
  }

  /** Roots at the sizes that were asked for, as far as it came. */
  get roots(): ReadonlyMap<number, Uint8Array> {
    return this.#roots;
  }

  end(completeBytes: number, tornBytes: number): void {
    const at = { file: this.#segment, line: Math.max(1, this.#line) };
    const { id: lastId, code: lastCode } = this.#lastInSegment;
    this.#recoveries.segment({ name: this.#segment, completeBytes, tornBytes, lastId, lastCode, at });
  }

  finish(segments: number): Scan {
    this.#runs.finish();
    this.#sessions.runEnded(this.#runs.closed, this.#runs.hasLosses);
    this.#recoveries.finish();
    return {
      segments,
      size: this.#range.size,
      root: this.#range.root(),
      roots: this.#roots,
      starts: this.#starts,
      keyChanges: this.#changes,
      everyMs: this.#everyMs,
      closed: this.#runs.closed,
      last: this.#last?.at ?? null,
      uncovered: this.#uncovered,
      gone: this.#gone.map(({ tombstone, at }) => ({ tombstone, at, index: this.#indexOf(tombstone) })),
    };
  }

  /** Where a tombstone was read, byte for byte as it was relied on. */
  #indexOf({ id, line }: Tombstone): number | null {
    const found = this.#tombstones.get(id);
    return found !== undefined && found.leaf.equals(leafHash(line)) ? found.index : null;
  }

  #entry(line: Buffer, index: number, place: Place): void {
    const entry = parseEntry(line);
    if (entry === null) return this.#findings.add('integrity', 'not-an-entry', 'this line is no entry', place);
    const at: Place = { ...place, entryId: entry.id.slice(0, 200) };
    if (!isCanonical(line, entry))
      this.#findings.add('integrity', 'not-canonical', 'this line is not in the form in which entries are written', at);
    const code = codeOf(entry);
    // Asked before the entry is counted: it may begin another run.
    const previous = { closed: this.#runs.closed, lossy: this.#runs.hasLosses, last: this.#last };
    if (this.#runs.entry(entry, code, at)) {
      this.#sessions.runEnded(previous.closed, previous.lossy);
      if (previous.last !== null) this.#recoveries.runEnded(previous.closed, previous.last.id, previous.last.at);
    }
    this.#sessions.entry(entry, code, at, this.#runs.hasLosses);
    this.#recoveries.entry(entry, code, at);
    this.#signing(code, entry.data, index);
    if (code === 'log.tombstone') this.#tombstones.set(entry.id, { index, leaf: leafHash(line) });
    this.#last = { id: entry.id, code, at };
    this.#lastInSegment = { id: entry.id, code };
    if (index < this.#largest) return;
    const timeMs = Date.parse(entry.time);
    this.#uncovered = {
      lastTimeMs: Math.max(timeMs, this.#uncovered?.lastTimeMs ?? 0),
      first: this.#uncovered?.first ?? at,
    };
  }

  /** What the log says about how it is signed. It counts only where it is in a tree that was. */
  #signing(code: string, data: Readonly<Record<string, unknown>>, index: number): void {
    const { checkpoint_every_ms: everyMs, old_key: oldKey, new_key: newKey } = data;
    if (code === 'log.opened' && typeof everyMs === 'number') this.#everyMs = everyMs;
    if (code === 'log.key-changed' && typeof oldKey === 'string' && typeof newKey === 'string')
      this.#changes.push({ oldKey, newKey, index });
  }
}
