/**
 * How far driving a recording into a topic has come: on disk before the first batch, and after each. What stands
 * between two is one batch, which is sent again with the same producer id and sequence: the broker takes it once.
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { SluiceError, messageOf } from '../../../lib/errors.ts';

export interface Cursor {
  readonly format: 'sluice-replay-cursor/1';
  /** What is driven where, as a digest: a cursor of something else is refused. */
  readonly plan: string;
  readonly topic: string;
  readonly producerId: string;
  readonly producerEpoch: number;
  /** Units that the broker has acknowledged. */
  readonly done: number;
  readonly records: number;
  /** By partition: the sequence number that comes next. */
  readonly sequences: Readonly<Record<string, number>>;
}

export function planDigest(parts: readonly (string | number | null | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** @returns `null` where there is none @throws SluiceError `replay-cursor` */
export async function readCursor(path: string, plan: string): Promise<Cursor | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new SluiceError('replay-cursor', `The cursor ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  let found: Partial<Cursor>;
  try {
    found = JSON.parse(text) as Partial<Cursor>;
  } catch (cause) {
    throw new SluiceError('replay-cursor', `${path} is not a cursor of sluice replay.`, { cause });
  }
  if (found.format !== 'sluice-replay-cursor/1')
    throw new SluiceError('replay-cursor', `${path} is not a cursor of sluice replay.`);
  if (found.plan !== plan)
    throw new SluiceError(
      'replay-cursor',
      `The cursor ${path} is of another replay: other recordings, another topic or other filters. Name another file with --cursor.`,
    );
  return found as Cursor;
}

/** @throws SluiceError `replay-cursor` */
export async function writeCursor(path: string, cursor: Cursor): Promise<void> {
  try {
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(cursor, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw new SluiceError('replay-cursor', `The cursor ${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
