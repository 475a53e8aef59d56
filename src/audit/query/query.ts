/** Reads entries from a log's files, also while the gateway writes them. What it reads is not verified: that is `verifyLog`. */
import { stat } from 'node:fs/promises';
import type { Entry } from '../../model/entry.ts';
import { linesOf } from '../read/lines.ts';
import { listSegments, parseEntry } from '../read/segments.ts';
import type { LogSegment } from '../read/segments.ts';
import { segmentStartMs } from '../segment-name.ts';
import { factsOf, matches, needlesOf } from './filter.ts';
import type { EntryFacts, QueryFilter } from './filter.ts';

export interface FoundEntry {
  readonly entry: Entry;
  readonly facts: EntryFacts;
  readonly file: string;
}

export interface QueryProgress {
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** Clocks may be turned back: a segment's entries may be so much older than its name says. */
const clockSlackMs = 3_600_000;
const progressBytes = 33_554_432;

/**
 * Entries that match, in the order of writing, as they are read. Lines that are no entries are passed over.
 * @throws system errors where the folder cannot be read, SluiceError `audit-line-too-long`
 */
export async function* queryLog(
  directory: string,
  filter: QueryFilter,
  onProgress: (progress: QueryProgress) => void = () => {},
): AsyncGenerator<FoundEntry> {
  const segments = within(await listSegments(directory), filter);
  const sizes = await Promise.all(segments.map(({ path }) => stat(path)));
  const bytesTotal = sizes.reduce((sum, { size }) => sum + size, 0);
  const needles = needlesOf(filter);
  let bytes = 0;
  let told = 0;
  for (const { name, path, cutAt } of segments) {
    let last = 0;
    for await (const { lines, end } of linesOf(path, 0, cutAt)) {
      for (const line of lines) {
        if (!needles.every((alternatives) => alternatives.some((needle) => line.includes(needle)))) continue;
        const found = match(line, filter);
        if (found !== null) yield { ...found, file: name };
      }
      bytes += end - last;
      last = end;
      if (bytes - told < progressBytes) continue;
      told = bytes;
      onProgress({ bytes, bytesTotal });
    }
  }
}

function match(line: Buffer, filter: QueryFilter): Omit<FoundEntry, 'file'> | null {
  const entry = parseEntry(line);
  if (entry === null) return null;
  const facts = factsOf(entry);
  return matches(entry, facts, filter) ? { entry, facts } : null;
}

/** Segments that can hold entries of the time asked for: an entry is written after its segment began, and before the next did. */
export function within(segments: readonly LogSegment[], { sinceMs, untilMs }: QueryFilter): LogSegment[] {
  return segments.filter(({ name }, index) => {
    const next = segments[index + 1];
    if (untilMs !== undefined && segmentStartMs(name) - clockSlackMs >= untilMs) return false;
    return sinceMs === undefined || next === undefined || segmentStartMs(next.name) + clockSlackMs >= sinceMs;
  });
}
