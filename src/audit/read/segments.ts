/** The segments of a log's folder in the order of writing, and where each ends as far as it holds entries. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entry } from '../../model/entry.ts';
import { typePrefix } from '../envelope.ts';
import { segmentNames } from '../segment-name.ts';

export interface LogSegment {
  readonly name: string;
  readonly path: string;
  /** Bytes from here on are what a failed write left behind; no entries. Infinity where nothing is cut. */
  readonly cutAt: number;
}

/** Enough for one report, and for as many as can follow each other. */
const firstBytes = 4_096;
const headBytes = 262_144;
const recoveredType = Buffer.from(`"type":"${typePrefix}log.recovered"`);

/**
 * What a failed write left in a segment is told at the head of a later one (`log.recovered`, cause `write-failed`), so
 * that has to be known before the segment is read.
 *
 * @param after only reports in segments behind this one are looked for
 */
export async function listSegments(directory: string, after: string = ''): Promise<LogSegment[]> {
  const cuts = new Map<string, number>();
  const names = segmentNames(await readdir(directory));
  for (const name of names) {
    if (name <= after) continue;
    for (const line of await headLines(join(directory, name))) {
      const cut = line.includes(recoveredType) ? cutIn(line) : null;
      if (cut === null) break;
      if (cut.cause === 'write-failed') cuts.set(cut.segment, cut.bytes);
    }
  }
  return names.map((name) => ({
    name,
    path: join(directory, name),
    cutAt: cuts.get(name) ?? Infinity,
  }));
}

async function headLines(path: string): Promise<Buffer[]> {
  const file = await open(path, 'r');
  try {
    const first = await file.read(Buffer.alloc(firstBytes), 0, firstBytes, 0);
    if (!first.buffer.includes(recoveredType)) return [];
    const { bytesRead, buffer } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const lines: Buffer[] = [];
    let start = 0;
    for (let at = buffer.indexOf(0x0a); at !== -1 && at < bytesRead; at = buffer.indexOf(0x0a, start)) {
      lines.push(buffer.subarray(start, at));
      start = at + 1;
    }
    return lines;
  } finally {
    await file.close();
  }
}

function cutIn(line: Buffer): { segment: string; bytes: number; cause: string } | null {
  const data = parseEntry(line)?.data;
  const { segment, complete_bytes: bytes, cause } = data ?? {};
  const known = typeof segment === 'string' && typeof bytes === 'number' && typeof cause === 'string';
  return known ? { segment, bytes, cause } : null;
}

/** An entry as far as every reader needs it, or `null`: the line may be anybody's. */
export function parseEntry(line: Buffer): Entry | null {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { id, time, type, data } = value as Partial<Record<keyof Entry, unknown>>;
  const whole = typeof id === 'string' && typeof time === 'string' && typeof type === 'string';
  return whole && typeof data === 'object' && data !== null && !Array.isArray(data) ? (value as Entry) : null;
}
