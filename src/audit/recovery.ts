import { auditEvent } from './draft.ts';
import type { EntryDraft } from './draft.ts';
import { typePrefix } from './envelope.ts';
import type { LogFiles } from './files.ts';

// Longer than any line: what is bounded in an entry adds up to far less.
const tailBytesMax = 1_048_576;
const lineEnd = 0x0a;

const beginning: ReadonlySet<string> = new Set(
  ['log.recovered', 'log.opened', 'log.entries-missing', 'log.key-changed'].map((code) => typePrefix + code),
);

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
    // A run begins with its reports on those before it. One without a line says nothing yet, and one that ends within
    // its beginning may not have told of all.
    if (end.lastLine !== '' && !beginning.has(entry.type)) break;
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

function lastEntry(line: string): { id: string; time: string; type: string; closed: boolean } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { id: '', time: '', type: '', closed: false };
  }
  if (typeof parsed !== 'object' || parsed === null) return { id: '', time: '', type: '', closed: false };
  const text = (key: string): string => {
    const value: unknown = Reflect.get(parsed, key);
    return typeof value === 'string' ? value : '';
  };
  const type = text('type');
  return { id: text('id'), time: text('time'), type, closed: type === `${typePrefix}log.closed` };
}
