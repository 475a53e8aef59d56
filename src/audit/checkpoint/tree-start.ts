/** Where the tree stands when the gateway starts: what the last checkpoint signed, and all that came after it. */
import { stat } from 'node:fs/promises';
import { SluiceError } from '../../lib/errors.ts';
import { auditEvent } from '../draft.ts';
import type { EntryDraft } from '../draft.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHash } from '../merkle/hash.ts';
import { linesOf } from '../read/lines.ts';
import { listSegments } from '../read/segments.ts';
import type { LogSegment } from '../read/segments.ts';
import { logSteps } from '../read/steps.ts';
import type { LogStep } from '../read/steps.ts';
import { covers, findTombstones, neededTombstones, subtreesIn } from '../read/tombstones.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { VerifierKey } from './keys.ts';
import { mustBePermitted } from './permits.ts';
import type { SegmentInTree, TreeState } from './store.ts';

export interface TreeStart extends TreeState {
  /** What of the tree is no longer in the folder. */
  readonly missing: readonly EntryDraft[];
}

/**
 * Makes the tree from the segments and holds it against the newest checkpoint. Where `state` matches what was signed,
 * only what came after is read.
 *
 * @throws SluiceError `audit-tree-broken` where the log cannot go on as the one that was signed
 */
export async function startTree(
  directory: string,
  state: TreeState | null,
  newest: Checkpoint | null,
  keys: readonly VerifierKey[],
): Promise<TreeStart> {
  const quick = state !== null && newest !== null && continues(state, newest) ? state : null;
  const segments = await listSegments(directory, quick?.segments.at(-1)?.name);
  const steps = quick === null ? await allSteps(directory, keys) : stepsOf(segments);
  const { range, done } = await replay(steps, quick, newest?.size ?? 0);
  if (newest !== null && quick === null) mustMatch(directory, done.signed, newest, range.size);
  const missing =
    quick === null ? [] : await withoutRemoved(directory, await missingFrom(quick, segments), segments, keys);
  const gone = new Set(missing.map(({ segment }) => segment));
  return {
    range,
    segments: [...(quick?.segments ?? []), ...done.segments]
      .filter(isLast)
      .filter(({ name }) => !gone.has(name) && (quick === null || segments.some((segment) => segment.name === name))),
    missing: missing.map(({ draft }) => draft),
  };
}

/** Of a segment that was read on with, the later account. */
function isLast({ name }: SegmentInTree, index: number, all: readonly SegmentInTree[]): boolean {
  return all.findLastIndex((other) => other.name === name) === index;
}

/** The state is written after its checkpoint; one that is not that checkpoint's proves nothing and is not used. */
function continues({ range }: TreeState, newest: Checkpoint): boolean {
  return range.size === newest.size && Buffer.compare(range.root(), newest.root) === 0;
}

interface Replayed {
  readonly range: CompactRange;
  readonly done: { readonly segments: SegmentInTree[]; readonly signed: Uint8Array | null };
}

function stepsOf(segments: readonly LogSegment[]): LogStep[] {
  return segments.map((segment) => ({ kind: 'segment', segment }));
}

async function replay(steps: readonly LogStep[], state: TreeState | null, signedSize: number): Promise<Replayed> {
  const range = state === null ? new CompactRange() : CompactRange.from(state.range.size, state.range.hashes);
  const known = new Map(state?.segments.map((segment) => [segment.name, segment]));
  const last = state?.segments.at(-1)?.name ?? '';
  const read: SegmentInTree[] = [];
  let signed = range.size === signedSize ? range.root() : null;
  for (const step of steps) {
    if (step.kind === 'gone') {
      for (const { start, level, hash } of subtreesIn(step.tombstone.data) ?? [])
        if (range.size === start) range.append(hash, level);
      continue;
    }
    const { name, path, cutAt } = step.segment;
    if (name < last) continue;
    const before = known.get(name);
    const first = before?.first ?? range.size;
    let bytes = before?.bytes ?? 0;
    for await (const { lines, end } of linesOf(path, bytes, cutAt)) {
      for (const line of lines) {
        range.append(leafHash(line));
        if (range.size === signedSize) signed = range.root();
      }
      bytes = Math.max(bytes, end);
    }
    if (range.size > first) read.push({ name, first, bytes });
  }
  return { range, done: { segments: read, signed } };
}

function mustMatch(directory: string, signed: Uint8Array | null, newest: Checkpoint, size: number): void {
  if (signed !== null && Buffer.compare(signed, newest.root) === 0) return;
  const why =
    signed === null
      ? `a checkpoint of ${newest.size} entries was signed, and ${size} are here`
      : `its first ${newest.size} entries are not those that were signed`;
  throw new SluiceError(
    'audit-tree-broken',
    `The log in ${directory} is not the one that was signed: ${why}. Keep the folder as it is for whoever looks into it (\`sluice audit verify\` says where), and give the gateway another folder.`,
  );
}

/** Segments that the signed tree has entries of and that are gone or shorter now. */
async function missingFrom(
  state: TreeState,
  segments: readonly LogSegment[],
): Promise<{ readonly segment: string; readonly draft: EntryDraft }[]> {
  const found: { segment: string; draft: EntryDraft }[] = [];
  for (const [index, segment] of state.segments.entries()) {
    const path = segments.find(({ name }) => name === segment.name)?.path;
    const size = path === undefined ? 0 : await stat(path).then((file) => file.size);
    if (size >= segment.bytes) continue;
    const after = state.segments[index + 1]?.first ?? state.range.size;
    const left = path === undefined ? 0 : await countLines(path);
    const draft = auditEvent('log.entries-missing', {
      segment: segment.name,
      cause: path === undefined ? 'segment-gone' : 'segment-shorter',
      first_index: segment.first + left,
      count: after - segment.first - left,
    });
    found.push({ segment: segment.name, draft });
  }
  return found;
}

/** Where the state is older than a removal, as after a power cut, what is gone may have been removed by retention. */
async function withoutRemoved<Missing extends { readonly segment: string }>(
  directory: string,
  missing: readonly Missing[],
  segments: readonly LogSegment[],
  keys: readonly VerifierKey[],
): Promise<readonly Missing[]> {
  if (missing.length === 0) return missing;
  const present = new Set(segments.map(({ name }) => name));
  const tombstones = neededTombstones(await findTombstones(segments), present);
  await mustBePermitted(directory, tombstones, keys);
  return missing.filter(({ segment }) => !tombstones.some(({ data }) => covers(data, segment)));
}

async function allSteps(directory: string, keys: readonly VerifierKey[]): Promise<readonly LogStep[]> {
  const { steps, needed } = await logSteps(directory);
  await mustBePermitted(directory, needed, keys);
  return steps;
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  for await (const { lines } of linesOf(path)) count += lines.length;
  return count;
}
