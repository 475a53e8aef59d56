/** Where an export stands: a file of its own, written after each batch that has arrived. */
import { open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { SluiceError, messageOf } from '../../lib/errors.ts';

export interface ExportCursor {
  /** What it exports to: a cursor is of no use for another place. */
  readonly target: string;
  readonly segment: string;
  /** Bytes of the segment up to the end of the last entry that arrived. */
  readonly offset: number;
  readonly lastId: string;
  /** Entries so far. */
  readonly entries: number;
  /** Bytes of the file that is written, where it is one. */
  readonly written: number;
}

const count = z.int().nonnegative();
const shape = z.strictObject({
  target: z.string(),
  segment: z.string(),
  offset: count,
  lastId: z.string(),
  entries: count,
  written: count,
});

/** @returns `null` where there is none yet @throws SluiceError `cursor-unusable` */
export async function readCursor(path: string, target: string): Promise<ExportCursor | null> {
  let cursor: ExportCursor;
  try {
    cursor = shape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw unusable(path, cause instanceof z.ZodError ? 'it is no cursor of an export' : messageOf(cause), cause);
  }
  if (cursor.target !== target)
    throw unusable(path, `it is of an export to ${cursor.target}, and this is one to ${target}`);
  return cursor;
}

/** By rename: a reader finds the one before or this one, after a power cut too. @throws system errors */
export async function writeCursor(path: string, cursor: ExportCursor): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(cursor)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

function unusable(path: string, why: string, cause?: unknown): SluiceError<'cursor-unusable'> {
  return new SluiceError(
    'cursor-unusable',
    `The cursor ${path} cannot be used: ${why}. Name another file for another export.`,
    {
      cause,
    },
  );
}
