/** What verification has to say about segments that retention removed. */
import { endOf } from '../read/tombstones.ts';
import type { Findings } from './findings.ts';
import type { GoneStretch, Scan } from './scan.ts';

/** Of the log, what is no longer here because retention removed it. */
export interface Retired {
  readonly entries: number;
  readonly segments: number;
  /** When the newest entry of it was written, RFC 3339. */
  readonly until: string;
}

/** Whether a tree of so many entries ends within a stretch that is gone, so that its root cannot be known any more. */
export function isWithinGone(size: number, { gone, roots }: Scan): boolean {
  if (roots.has(size)) return false;
  return gone.some(({ tombstone: { data } }) => data.first_index < size && size < endOf(data));
}

/**
 * A tombstone counts where it is an entry of the tree that was signed: anybody can write one into a folder.
 * @param signedSize entries under the newest checkpoint that holds
 * @param keepMs what the verifier expects to be kept at least; absent: whatever the gateway kept
 */
export function holdTombstones(
  { gone }: Scan,
  signedSize: number,
  keepMs: number | undefined,
  findings: Findings,
): void {
  for (const stretch of gone) {
    const { index, at, tombstone } = stretch;
    const { first_segment: first, last_segment: last } = tombstone.data;
    const which = first === last ? first : `${first} to ${last}`;
    if (index === null)
      findings.add('integrity', 'tombstone-unsigned', `the tombstone over ${which} is no entry of this log`, at);
    else if (index >= signedSize)
      findings.add(
        'integrity',
        'tombstone-unsigned',
        `${which} is gone, and the tombstone over it is in no checkpoint that holds`,
        at,
      );
    else if (keepMs !== undefined) holdAge(stretch, keepMs, findings);
  }
}

function holdAge({ tombstone, at }: GoneStretch, keepMs: number, findings: Findings): void {
  const early = tombstone.data.segments.find(
    ({ last_time: last }) => !(Date.parse(tombstone.time) - Date.parse(last) >= keepMs),
  );
  if (early === undefined) return;
  const message = `${early.name} was removed at ${tombstone.time}, and its last entry is from ${early.last_time}: that is sooner than was asked for`;
  findings.add('completeness', 'removed-early', message, { ...at, file: early.name });
}

export function retiredOf({ gone }: Scan): Retired | null {
  if (gone.length === 0) return null;
  const all = gone.map(({ tombstone: { data } }) => data);
  return {
    entries: all.reduce((sum, { entries }) => sum + entries, 0),
    segments: all.reduce((sum, { segments, older }) => sum + segments.length + older.segments, 0),
    until: all.map(({ segments }) => segments.at(-1)?.last_time ?? '').reduce((a, b) => (a > b ? a : b)),
  };
}
