import { auditEvent } from './draft.ts';
import type { EntryDraft } from './draft.ts';
import { typePrefix } from './envelope.ts';
import type { LogFiles } from './files.ts';

// Longer than any line: what is bounded in an entry adds up to far less.
const tailBytesMax = 1_048_576;
const lineEnd = 0x0a;

interface SegmentEnd {
  readonly completeBytes: number;
  readonly tornBytes: number;
  /** The last complete line; empty where there is none. */
  readonly lastLine: string;
}

/**
 * What an earlier run left behind: one `log.recovered` for each segment whose end is torn, and one where the run ended
 * without `log.closed`, so that the log itself says where something may be missing. Nothing is repaired: the bytes stay.
 */
export async function recoveries(files: LogFiles): Promise<EntryDraft[]> {
  const drafts: EntryDraft[] = [];
  for (const segment of (await files.list()).toReversed()) {
    const end = await segmentEnd(files, segment);
    const entry = lastEntry(end.lastLine);
    const torn = end.tornBytes > 0;
    if (torn || (end.lastLine !== '' && !entry.closed)) {
      drafts.unshift(
        auditEvent('log.recovered', {
          segment,
          cause: torn ? 'torn-line' : 'not-closed',
          complete_bytes: end.completeBytes,
          torn_bytes: end.tornBytes,
          last_id: entry.id,
          last_time: entry.time,
        }),
      );
    }
    // A segment with a complete line begins with the report on those before it; one without says nothing yet.
    if (end.lastLine !== '') break;
  }
  return drafts;
}

async function segmentEnd(files: LogFiles, segment: string): Promise<SegmentEnd> {
  const { size, bytes } = await files.tail(segment, tailBytesMax);
  const last = bytes.lastIndexOf(lineEnd);
  if (last === -1) return { completeBytes: size - bytes.length, tornBytes: bytes.length, lastLine: '' };
  const start = last === 0 ? 0 : bytes.lastIndexOf(lineEnd, last - 1) + 1;
  return {
    completeBytes: size - (bytes.length - last - 1),
    tornBytes: bytes.length - last - 1,
    lastLine: bytes.toString('utf8', start, last),
  };
}

function lastEntry(line: string): { id: string; time: string; closed: boolean } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { id: '', time: '', closed: false };
  }
  if (typeof parsed !== 'object' || parsed === null) return { id: '', time: '', closed: false };
  const text = (key: string): string => {
    const value: unknown = Reflect.get(parsed, key);
    return typeof value === 'string' ? value : '';
  };
  return { id: text('id'), time: text('time'), closed: text('type') === `${typePrefix}log.closed` };
}
