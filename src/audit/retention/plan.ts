/** Which segments the policy lets go: by age, by size, and not those on hold. Removes nothing. */
import { stat } from 'node:fs/promises';
import type { RetentionSettings } from '../../model/settings.ts';
import { linesOf } from '../read/lines.ts';
import { parseEntry } from '../read/segments.ts';
import type { LogSegment } from '../read/segments.ts';
import { segmentStartMs } from '../segment-name.ts';
import { readHolds } from './holds.ts';
import type { Hold } from './holds.ts';

export interface PlannedSegment {
  readonly name: string;
  readonly bytes: number;
  /** When its last entry was written, RFC 3339; where it holds none, when it began. */
  readonly lastTime: string;
}

export interface RetentionPlan {
  /** Oldest first. */
  readonly remove: readonly (PlannedSegment & { readonly because: 'keep' | 'maxBytes' })[];
  /** Would be removed, were they not on hold. */
  readonly held: readonly (PlannedSegment & { readonly hold: string })[];
  readonly kept: { readonly segments: number; readonly bytes: number };
}

const tailBytes = 65_536;

/**
 * @param segments all that are there, in the order of writing
 * @param mayGo whether a segment is closed and signed: others stay
 * @throws SluiceError `hold-malformed`, `hold-unreadable`; system errors
 */
export async function planRetention(
  segments: readonly LogSegment[],
  settings: RetentionSettings,
  nowMs: number,
  mayGo: (name: string) => boolean,
): Promise<RetentionPlan> {
  const holds = await readHolds(settings.hold, settings.holdFile);
  const all = await Promise.all(segments.map(describe));
  const remove: RetentionPlan['remove'][number][] = [];
  const held: RetentionPlan['held'][number][] = [];
  let bytes = all.reduce((sum, each) => sum + each.bytes, 0);
  for (const segment of all) {
    const because = !mayGo(segment.name) ? null : reasonFor(segment, bytes, settings, nowMs);
    if (because === null) continue;
    const hold = heldBy(segment, holds);
    if (hold !== undefined) {
      held.push({ ...segment, hold: hold.text });
      continue;
    }
    remove.push({ ...segment, because });
    bytes -= segment.bytes;
  }
  return { remove, held, kept: { segments: all.length - remove.length, bytes } };
}

function reasonFor(
  { lastTime }: PlannedSegment,
  bytes: number,
  { keepMs, maxBytes }: RetentionSettings,
  nowMs: number,
): 'keep' | 'maxBytes' | null {
  if (keepMs !== undefined && nowMs - Date.parse(lastTime) > keepMs) return 'keep';
  return maxBytes !== undefined && bytes > maxBytes ? 'maxBytes' : null;
}

function heldBy({ name, lastTime }: PlannedSegment, holds: readonly Hold[]): Hold | undefined {
  return holds.find((hold) => hold.holds(name, segmentStartMs(name), Date.parse(lastTime)));
}

async function describe({ name, path, cutAt }: LogSegment): Promise<PlannedSegment> {
  const { size } = await stat(path);
  const end = Math.min(size, cutAt);
  const time = (await lastTimeIn(path, Math.max(0, end - tailBytes), end)) ?? (await lastTimeIn(path, 0, end));
  return { name, bytes: size, lastTime: time ?? new Date(segmentStartMs(name)).toISOString() };
}

async function lastTimeIn(path: string, from: number, to: number): Promise<string | null> {
  let time: string | null = null;
  for await (const { lines } of linesOf(path, from, to)) {
    const last = lines.findLast((line) => parseEntry(line) !== null);
    const found = last === undefined ? undefined : parseEntry(last)?.time;
    if (found !== undefined && !Number.isNaN(Date.parse(found))) time = found;
  }
  return time;
}
