/** Legal holds: what retention must not remove, whatever its age. */
import { readFile } from 'node:fs/promises';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { segmentNames } from '../segment-name.ts';

export interface Hold {
  /** As it was written. */
  readonly text: string;
  /** @param fromMs of the segment's first entry @param toMs of its last */
  holds(name: string, fromMs: number, toMs: number): boolean;
}

const instant = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z)?$/;
/** Clocks may be turned back, and a flow window is told after it began. */
const slackMs = 3_600_000;

/**
 * `*`: everything. `audit-20260312-081502-000.jsonl`: one segment. `2026-03-01..2026-04-01`: all that overlaps that
 * time, its end not included; either side may be left out.
 * @throws SluiceError `hold-malformed`
 */
function parseHold(text: string): Hold {
  if (text === '*') return { text, holds: () => true };
  if (segmentNames([text]).length === 1) return { text, holds: (name) => name === text };
  const [from = '', to, ...more] = text.split('..');
  const [fromMs, toMs] = [timeOf(from, -Infinity), timeOf(to ?? '', Infinity)];
  if (
    to === undefined ||
    more.length > 0 ||
    from + to === '' ||
    Number.isNaN(fromMs) ||
    Number.isNaN(toMs) ||
    fromMs >= toMs
  )
    throw new SluiceError(
      'hold-malformed',
      `"${text.slice(0, 200)}" is no hold. Write the name of a segment, a time such as 2026-03-01..2026-04-01, or *.`,
    );
  return { text, holds: (_, first, last) => first - slackMs < toMs && fromMs <= last + slackMs };
}

/**
 * The holds of the settings and of the file, one per line, read anew each time.
 * @throws SluiceError `hold-malformed`, `hold-unreadable`: nothing may be removed then
 */
export async function readHolds(texts: readonly string[], file: string | undefined): Promise<Hold[]> {
  const lines = file === undefined ? [] : (await read(file)).split(/\r?\n/).map((line) => line.trim());
  return [...texts, ...lines.filter((line) => line !== '' && !line.startsWith('#'))].map(parseHold);
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'hold-unreadable',
      `The holds in ${file} cannot be read: ${messageOf(cause)}. Nothing is removed until they can; an empty file holds nothing.`,
      { cause },
    );
  }
}

function timeOf(text: string, absent: number): number {
  if (text === '') return absent;
  return instant.test(text) ? Date.parse(text) : Number.NaN;
}
