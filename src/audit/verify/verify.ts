/**
 * Verifies a log from its files alone, on any machine:
 *
 *   lines ─→ leaves ─→ root at each checkpoint's size ─→ = the signed one ─→ signed by a pinned key, or one it passed on to
 *     └─→ numbers of runs and sessions, reports of the gateway ─→ what is missing, and what of it the gateway told
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { waitingEntries } from '../access/spool.ts';
import { parseCheckpoint } from '../checkpoint/checkpoint.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { VerifierKey } from '../checkpoint/keys.ts';
import { checkpointFolder, checkpointName, checkpointSizes } from '../checkpoint/store.ts';
import { cosignedBy } from '../checkpoint/witness-key.ts';
import type { WitnessKey } from '../checkpoint/witness-key.ts';
import { goneMeanwhile } from '../read/file-digest.ts';
import { Findings } from './findings.ts';
import type { Finding, Place } from './findings.ts';
import { holdTombstones, isWithinGone, retiredOf } from './retired.ts';
import type { Retired } from './retired.ts';
import { scanLog } from './scan.ts';
import type { Scan, ScanProgress } from './scan.ts';
import { Trust } from './trust.ts';

export interface VerifyOptions {
  /** Public keys that the verifier has from elsewhere; none: the folder's own, and nothing is proved. */
  readonly keys?: readonly VerifierKey[];
  /** The checkpoint that the verifier kept from the last time. */
  readonly known?: Checkpoint | null;
  /** The newest checkpoint must not be older than this at `nowMs`. */
  readonly maxAgeMs?: number;
  /** Who else has to have signed, and how many of them; none: nobody. */
  readonly witnesses?: readonly WitnessKey[];
  readonly quorum?: number;
  /** Segments that retention removed sooner than this after their last entry are missing. */
  readonly keepMs?: number;
  readonly nowMs?: number;
  readonly onProgress?: (progress: ScanProgress) => void;
  /** Told of every line, in the order of writing. */
  readonly onLine?: (line: Buffer) => void;
}

export interface VerifyReport {
  /** `intact`: what is here is what was signed. `unproved`: nothing speaks against it, but no pinned key, or no checkpoint, for it. */
  readonly integrity: 'intact' | 'unproved' | 'broken';
  /** `gaps-reported`: what is missing, the gateway itself reported in the log. */
  readonly completeness: 'complete' | 'gaps-reported' | 'incomplete';
  readonly entries: number;
  readonly segments: number;
  /** What retention removed; `null`: nothing. `entries` counts it too. */
  readonly retired: Retired | null;
  readonly checkpoints: number;
  /** Entries that other programs left for the gateway, and that are not in the log yet: nothing proves them. */
  readonly waiting: number;
  /** Entries behind the newest checkpoint: not signed yet. */
  readonly unsigned: number;
  readonly pinned: boolean;
  /** Keys that signed, as vkeys. */
  readonly keys: readonly string[];
  readonly newest: { readonly size: number; readonly root: string; readonly time: string } | null;
  /** Entries under the newest checkpoint that enough witnesses signed; `null` where none is, or none was asked for. */
  readonly cosigned: number | null;
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
  /** The newest checkpoint as it stands in the log, for the verifier to keep; `null` where it is not to be trusted. */
  readonly keep: Buffer | null;
}

interface Found {
  readonly checkpoint: Checkpoint;
  readonly bytes: Buffer;
  readonly at: Place;
}

/** For clocks, and timers of a busy machine. */
const graceMs = 10_000;

/** @throws system errors where files cannot be read, SluiceError `audit-line-too-long` */
export async function verifyLog(directory: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const findings = new Findings();
  const found = await readCheckpoints(directory, findings);
  const { known = null } = options;
  const sizes = found.map(({ checkpoint }) => checkpoint.size);
  const scan = await scanLog(
    directory,
    sizes.concat(known?.size ?? []),
    findings,
    options.onProgress ?? (() => {}),
    options.onLine,
  );
  const pinned = options.keys ?? [];
  const keys = pinned.length > 0 ? pinned : await ownKey(directory);
  const proved = holdRoots(found, scan, findings);
  const trust = new Trust(
    keys,
    scan.keyChanges,
    proved.map(({ checkpoint }) => checkpoint),
  );
  const newest = holdSignatures(found, proved, trust, findings);
  const cosigned = holdCosignatures(found, proved, trust, options, findings);
  holdTombstones(scan, newest?.checkpoint.size ?? 0, options.keepMs, findings);
  if (known !== null) holdKnown(known, scan, trust, findings);
  holdEnd(newest, Math.max(0, ...sizes), scan, options, findings);
  // What cannot be compared with what the verifier saw is not proved to be the same.
  const unproved = newest === null || pinned.length === 0 || findings.has('integrity', true);
  const integrity = findings.has('integrity', false) ? 'broken' : unproved ? 'unproved' : 'intact';
  return {
    integrity,
    completeness: completenessOf(findings),
    entries: scan.size,
    segments: scan.segments,
    retired: retiredOf(scan),
    checkpoints: found.length,
    waiting: (await waitingEntries(directory)).length,
    unsigned: scan.size - (newest?.checkpoint.size ?? 0),
    pinned: pinned.length > 0,
    keys: trust.keys.map(({ text }) => text),
    newest: newest === null ? null : newestOf(newest),
    cosigned,
    findings: findings.listed,
    findingsTotal: findings.total,
    keep: integrity === 'broken' ? null : (newest?.bytes ?? null),
  };
}

type Newest = Found & { readonly time: number };

async function readCheckpoints(directory: string, findings: Findings): Promise<Found[]> {
  const found: Found[] = [];
  for (const size of await checkpointSizes(directory)) {
    const file = join(checkpointFolder, checkpointName(size));
    const at = { file };
    const bytes = await readFile(join(directory, file)).catch(goneMeanwhile);
    if (bytes === null) continue;
    try {
      const checkpoint = parseCheckpoint(bytes);
      if (checkpoint.size === size) found.push({ checkpoint, bytes, at });
      else findings.add('integrity', 'bad-checkpoint', `its name says ${size} entries, it says ${checkpoint.size}`, at);
    } catch (error) {
      findings.add('integrity', 'bad-checkpoint', messageOf(error), at);
    }
  }
  return found;
}

/** The key that lies beside the log. Whoever can write there can put another. */
async function ownKey(directory: string): Promise<VerifierKey[]> {
  try {
    const text = await readFile(join(directory, checkpointFolder, 'log.vkey'), 'utf8');
    return [VerifierKey.parse(text.trimEnd())];
  } catch {
    return [];
  }
}

/** @returns those whose root is that of the entries here */
function holdRoots(found: readonly Found[], scan: Scan, findings: Findings): Found[] {
  const proved: Found[] = [];
  let good = 0;
  let told = false;
  for (const one of found) {
    const { size, root } = one.checkpoint;
    const here = scan.roots.get(size);
    // Its signature is held all the same.
    if (isWithinGone(size, scan)) continue;
    if (here === undefined) {
      const message = `a checkpoint was signed over ${size} entries, and ${scan.size} are here`;
      findings.add('completeness', 'missing-entries', message, scan.last ?? one.at);
    } else if (Buffer.compare(here, root) === 0) {
      proved.push(one);
      good = size;
    } else if (!told) {
      // What is wrong for one size is wrong for all larger ones: the first says where.
      told = true;
      const message = `entries ${good} to ${size - 1} (positions in the tree) are not those that were signed; those before are`;
      findings.add('integrity', 'altered', message, scan.starts.get(good) ?? one.at);
    }
  }
  return proved;
}

/** @returns the newest that is signed by whose turn it was and has the root of the entries here */
function holdSignatures(
  found: readonly Found[],
  proved: readonly Found[],
  trust: Trust,
  findings: Findings,
): Newest | null {
  let newest: Newest | null = null;
  for (const one of found) {
    const { trusted, wrong, time } = trust.of(one.checkpoint);
    if (trusted && time !== null) {
      if (proved.includes(one)) newest = { ...one, time };
      continue;
    }
    const message = wrong
      ? 'a signature of it is not by the key that it names'
      : 'it is signed by no key that is trusted for it';
    findings.add('integrity', wrong ? 'bad-signature' : 'unknown-key', message, one.at);
  }
  return newest;
}

/** @returns entries under the newest checkpoint that holds and that enough of the witnesses signed */
function holdCosignatures(
  found: readonly Found[],
  proved: readonly Found[],
  trust: Trust,
  { witnesses = [], quorum = witnesses.length, maxAgeMs, nowMs = Date.now() }: VerifyOptions,
  findings: Findings,
): number | null {
  if (witnesses.length === 0) return null;
  let newest: { readonly size: number; readonly time: number; readonly at: Place } | null = null;
  for (const one of found) {
    const { by, wrong, time } = cosignedBy(one.checkpoint.note, witnesses, quorum);
    if (wrong)
      findings.add('integrity', 'bad-cosignature', 'a signature of it is not by the witness that it names', one.at);
    const holds = by.length >= quorum && proved.includes(one) && trust.of(one.checkpoint).trusted;
    if (holds) newest = { size: one.checkpoint.size, time, at: one.at };
  }
  if (newest === null) {
    const message = `no checkpoint that holds is signed by ${quorum} of the ${witnesses.length} witnesses`;
    findings.add('integrity', 'not-cosigned', message, null, true);
  } else if (maxAgeMs !== undefined && nowMs - newest.time * 1_000 > maxAgeMs) {
    const message = `the witnesses signed for the last time at ${isoTime(newest.time)}, which is longer ago than asked for`;
    findings.add('completeness', 'stale', message, newest.at);
  }
  return newest?.size ?? null;
}

/** The log must be a continuation of the one that the verifier saw the last time. */
function holdKnown(known: Checkpoint, scan: Scan, trust: Trust, findings: Findings): void {
  const here = scan.roots.get(known.size);
  const { trusted } = trust.of(known);
  if (!trusted)
    findings.add(
      'integrity',
      'known-unknown-key',
      'the checkpoint kept from the last time is signed by no key that is trusted for it',
      null,
    );
  else if (isWithinGone(known.size, scan))
    findings.add(
      'integrity',
      'known-removed',
      `the checkpoint kept from the last time, of ${known.size} entries, ends within what retention removed since: the log cannot be compared with it`,
      null,
      true,
    );
  else if (here === undefined)
    findings.add(
      'completeness',
      'shrunk',
      `the log had ${known.size} entries the last time, and has ${scan.size} now`,
      scan.last,
    );
  else if (Buffer.compare(here, known.root) !== 0)
    findings.add(
      'integrity',
      'forked',
      `the first ${known.size} entries are not those of the last time`,
      scan.starts.get(0) ?? null,
    );
}

/** What stands behind the newest checkpoint must be as young as the gateway's interval allows. */
function holdEnd(newest: Newest | null, largest: number, scan: Scan, options: VerifyOptions, findings: Findings): void {
  const { maxAgeMs, nowMs = Date.now() } = options;
  if (maxAgeMs !== undefined && (newest === null || nowMs - newest.time * 1_000 > maxAgeMs)) {
    const when = newest === null ? 'there is none' : `it is from ${isoTime(newest.time)}`;
    findings.add('completeness', 'stale', `the newest checkpoint is older than asked for: ${when}`, newest?.at ?? null);
  }
  // Where a checkpoint covers the end and does not hold, that is said already.
  if (newest === null || newest.checkpoint.size < largest || scan.size <= largest) return;
  const { uncovered, everyMs } = scan;
  const first = uncovered?.first ?? scan.last;
  const dueMs = newest.time * 1_000 + 2 * (everyMs ?? 0) + graceMs;
  const late = uncovered !== null && uncovered.lastTimeMs > dueMs;
  if (scan.closed) findings.add('integrity', 'unsigned', 'the log was closed, and its end is in no checkpoint', first);
  else if (late) findings.add('integrity', 'unsigned', 'a checkpoint over this entry was due and is not here', first);
}

function completenessOf(findings: Findings): VerifyReport['completeness'] {
  if (findings.has('completeness', false)) return 'incomplete';
  return findings.has('completeness', true) ? 'gaps-reported' : 'complete';
}

function newestOf({ checkpoint, time }: Newest): NonNullable<VerifyReport['newest']> {
  const { size, root } = checkpoint;
  return { size, root: Buffer.from(root).toString('base64'), time: isoTime(time) };
}

function isoTime(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return Number.isNaN(time.getTime()) ? `${seconds} s` : time.toISOString();
}
