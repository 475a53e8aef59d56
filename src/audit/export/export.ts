/**
 * Exports a log: batch ─→ its place ─→ cursor. A batch counts once the cursor says so: after a crash in between it is
 * sent again, so every entry arrives at least once, and the ids tell what came twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../lib/errors.ts';
import { exportBatches } from './batches.ts';
import { readCursor, writeCursor } from './cursor.ts';
import type { ExportCursor } from './cursor.ts';
import type { ExportTarget } from './targets.ts';

export interface ExportOptions {
  readonly directory: string;
  readonly target: ExportTarget;
  readonly cursorFile: string;
  readonly follow: boolean;
  readonly skipGone: boolean;
  /** Ends the export after the batch that is on its way. */
  readonly signal: AbortSignal;
  readonly onProgress?: (entries: number) => void;
  /** Told of an attempt that failed and is made again. */
  readonly onRetry?: (error: SluiceError) => void;
  /** Attempts at one batch; endless where it follows. */
  readonly attemptsMax?: number;
}

export interface ExportReport {
  /** Entries that arrived in this export, and with those before it. */
  readonly entries: number;
  readonly entriesTotal: number;
  /** Whether it came to the end of the log. */
  readonly complete: boolean;
}

const pauseMs = 500;
const pauseMsMax = 30_000;

/** @throws SluiceError `export-gap`, `cursor-unusable`, and of the place where it refuses; system errors */
export async function exportLog(options: ExportOptions): Promise<ExportReport> {
  const { target, cursorFile, signal } = options;
  const found = await readCursor(cursorFile, target.description);
  const fresh = { target: target.description, segment: '', offset: 0, lastId: '', entries: 0, written: 0 };
  let cursor: ExportCursor = found ?? fresh;
  let entries = 0;
  try {
    await target.open(found?.written ?? null);
    // From here on what is at the place is known to be of this export.
    await writeCursor(cursorFile, cursor);
    for await (const batch of exportBatches({ ...options, cursor })) {
      const written = await delivered(() => target.deliver(batch), options);
      if (written === null) break;
      entries += batch.lines.length;
      const { segment, end: offset, lastId } = batch;
      const done = { segment, offset, lastId, written, entries: cursor.entries + batch.lines.length };
      cursor = { target: target.description, ...done };
      await writeCursor(cursorFile, cursor);
      options.onProgress?.(entries);
    }
    return { entries, entriesTotal: cursor.entries, complete: !signal.aborted };
  } finally {
    await target.close();
  }
}

/** @returns `null` where it was told to stop before the batch arrived */
async function delivered(deliver: () => Promise<number>, options: ExportOptions): Promise<number | null> {
  const { signal, follow, attemptsMax = follow ? Infinity : 8 } = options;
  for (let attempt = 1, wait = pauseMs; ; attempt += 1, wait = Math.min(2 * wait, pauseMsMax)) {
    try {
      return await deliver();
    } catch (error) {
      if (!(error instanceof SluiceError) || !error.retriable || attempt >= attemptsMax) throw error;
      options.onRetry?.(error as SluiceError);
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return null;
    }
  }
}
