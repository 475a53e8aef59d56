/** Reads what is about to go once more, holds it against what was signed, and makes its tombstones. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../lib/errors.ts';
import { isAnchor, parseCheckpoint, signedBy } from '../checkpoint/checkpoint.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { VerifierKey } from '../checkpoint/keys.ts';
import { checkpointFolder, checkpointName, checkpointSizes } from '../checkpoint/store.ts';
import type { TombstoneData } from '../events.ts';
import { fileDigest, goneMeanwhile } from '../read/file-digest.ts';
import { linesOf } from '../read/lines.ts';
import type { LogSegment } from '../read/segments.ts';
import type { LogStep } from '../read/steps.ts';
import { Findings } from '../verify/findings.ts';
import { Scanner } from '../verify/scan.ts';
import { Stretch } from './stretch.ts';

/** Steps of the log that follow each other and are gone or to go: they get one tombstone. */
interface Group {
  readonly from: number;
  readonly to: number;
}

/**
 * A tombstone for each stretch that has something new in it, or whose own tombstone stands in a segment that is to go.
 * @param going names of the segments that are to go
 * @returns fewer than asked for where one of them would be too large to be an entry
 * @throws SluiceError `audit-tree-broken` where what is to go is not what was signed: it stays, for whoever looks into it
 */
export async function makeTombstones(
  directory: string,
  steps: readonly LogStep[],
  going: ReadonlySet<string>,
  keys: readonly VerifierKey[],
  policy: string,
): Promise<TombstoneData[]> {
  const groups = groupsOf(steps, going);
  const checkpoints = await signedCheckpoints(directory, keys);
  const findings = new Findings();
  const scanner = new Scanner([...checkpoints.keys()], findings);
  const anchors = [...checkpoints.values()].filter(isAnchor).map(({ size }) => size);
  const made: TombstoneData[] = [];
  let stretch: Stretch | null = null;
  let provedUpTo = -1;
  for (const [at, step] of steps.entries()) {
    const group = groups.find(({ from, to }) => from <= at && at <= to);
    if (group?.from === at) stretch = new Stretch(scanner.size, anchors);
    await pass(step, scanner, stretch);
    provedUpTo = proved(scanner, checkpoints, provedUpTo);
    if (group?.to === at) {
      const data = stretch?.finish(scanner.state(), policy) ?? null;
      if (data !== null) made.push(data);
      stretch = null;
    }
    const last = made.at(-1);
    const done = at >= (groups.at(-1)?.to ?? -1);
    if (done && (last === undefined || provedUpTo >= last.first_index + last.entries)) break;
  }
  const end = made.at(-1);
  if (findings.has('integrity', false))
    throw broken(directory, findings.listed.find(({ aspect }) => aspect === 'integrity')?.message ?? '');
  if (end !== undefined && provedUpTo < end.first_index + end.entries)
    throw broken(directory, 'no checkpoint covers all that is to be removed');
  return made;
}

function groupsOf(steps: readonly LogStep[], going: ReadonlySet<string>): Group[] {
  const groups: Group[] = [];
  const isPart = (step: LogStep | undefined): boolean =>
    step?.kind === 'gone' || (step?.kind === 'segment' && going.has(step.segment.name));
  for (let from = 0; from < steps.length; from += 1) {
    if (!isPart(steps[from])) continue;
    let to = from;
    while (isPart(steps[to + 1])) to += 1;
    const part = steps.slice(from, to + 1);
    const isNew = part.some(
      (step) => step.kind === 'segment' || step.left.length > 0 || going.has(step.tombstone.file),
    );
    if (isNew) groups.push({ from, to });
    from = to;
  }
  return groups;
}

async function pass(step: LogStep, scanner: Scanner, stretch: Stretch | null): Promise<void> {
  if (step.kind === 'gone') {
    scanner.gone(step.tombstone);
    return stretch?.gone(step.tombstone.data);
  }
  const { segment } = step;
  scanner.begin(segment);
  stretch?.begin(segment.name);
  for await (const { lines, end, tornBytes } of linesOf(segment.path, 0, segment.cutAt)) {
    for (const line of lines) {
      scanner.line(line);
      stretch?.line(line);
    }
    if (lines.length === 0) scanner.end(end, tornBytes);
    // The gateway has other work: it gets a turn between two parts.
    await sleep(1);
  }
  if (stretch !== null) await close(stretch, segment);
}

async function close(stretch: Stretch, { path }: LogSegment): Promise<void> {
  const [{ size }, digest] = await Promise.all([stat(path), fileDigest(path)]);
  stretch.end(size, digest);
}

/** @returns the largest size at which the tree so far is the one that was signed; `before` where no more came @throws SluiceError */
function proved(scanner: Scanner, checkpoints: ReadonlyMap<number, Checkpoint>, before: number): number {
  let upTo = before;
  for (const [size, root] of scanner.roots) {
    if (size <= before) continue;
    const signed = checkpoints.get(size);
    if (signed === undefined) continue;
    if (Buffer.compare(signed.root, root) !== 0)
      throw broken('', `its first ${size} entries are not those that were signed`);
    upTo = Math.max(upTo, size);
  }
  return upTo;
}

async function signedCheckpoints(
  directory: string,
  keys: readonly VerifierKey[],
): Promise<ReadonlyMap<number, Checkpoint>> {
  const found = new Map<number, Checkpoint>();
  for (const size of await checkpointSizes(directory)) {
    const bytes = await readFile(join(directory, checkpointFolder, checkpointName(size))).catch(goneMeanwhile);
    if (bytes === null) continue;
    const checkpoint = parseCheckpoint(bytes);
    const { by, wrong } = signedBy(checkpoint, keys);
    if (by.length > 0 && !wrong && checkpoint.size === size) found.set(size, checkpoint);
  }
  return found;
}

function broken(directory: string, why: string): SluiceError<'audit-tree-broken'> {
  return new SluiceError(
    'audit-tree-broken',
    `Nothing of the audit log${directory === '' ? '' : ` in ${directory}`} is removed, because what is there is not what was signed: ${why}. \`sluice audit verify\` says where.`,
  );
}
