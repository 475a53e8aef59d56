import { createReadStream } from 'node:fs';
import { SluiceError } from '../../lib/errors.ts';
import { auditLineBytesMax } from '../../lib/limits.ts';

const chunkBytes = 262_144;
const lineEnd = 0x0a;

/** Whole lines as they stand in one part of a segment. */
export interface LineChunk {
  /** Without their line ends. They share one buffer: copy what is kept. */
  readonly lines: readonly Buffer[];
  /** The same with their line ends, as they stand in the segment. */
  readonly whole: Buffer;
  /** Offset in the segment behind the last of them. */
  readonly end: number;
  /** Bytes behind `end` that are no whole line; told with the last chunk only, else 0. */
  readonly tornBytes: number;
}

/**
 * The lines of a segment from one offset to another, as they stand when they are read: works while the gateway writes.
 * @throws SluiceError `audit-line-too-long`; system errors of reading
 */
export async function* linesOf(path: string, from: number = 0, to: number = Infinity): AsyncGenerator<LineChunk> {
  let end = from;
  let rest: Buffer = Buffer.alloc(0);
  if (to > from) {
    const stream = createReadStream(path, { start: from, end: to - 1, highWaterMark: chunkBytes });
    for await (const read of stream) {
      const bytes = rest.length === 0 ? (read as Buffer) : Buffer.concat([rest, read as Buffer]);
      const { lines, length } = split(bytes);
      const whole = bytes.subarray(0, length);
      rest = bytes.subarray(length);
      end += length;
      if (rest.length > auditLineBytesMax) throw tooLong(path, end);
      if (lines.length > 0) yield { lines, whole, end, tornBytes: 0 };
    }
  }
  yield { lines: [], whole: Buffer.alloc(0), end, tornBytes: rest.length };
}

function split(bytes: Buffer): { lines: Buffer[]; length: number } {
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(lineEnd); at !== -1; at = bytes.indexOf(lineEnd, start)) {
    lines.push(bytes.subarray(start, at));
    start = at + 1;
  }
  return { lines, length: start };
}

function tooLong(path: string, offset: number): SluiceError<'audit-line-too-long'> {
  return new SluiceError(
    'audit-line-too-long',
    `${path} is no audit log: at byte ${offset} begins a line of more than ${auditLineBytesMax} bytes.`,
  );
}
