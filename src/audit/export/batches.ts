/** The entries of a log behind a cursor, in batches, also while the gateway writes. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../lib/errors.ts';
import { auditExportBatchBytesMax, auditExportBatchEntriesMax } from '../../lib/limits.ts';
import { goneMeanwhile } from '../read/file-digest.ts';
import { linesOf } from '../read/lines.ts';
import { listSegments, parseEntry } from '../read/segments.ts';
import type { LogSegment } from '../read/segments.ts';
import { covers, findTombstones } from '../read/tombstones.ts';
import type { ExportCursor } from './cursor.ts';

export interface ExportBatch {
  /** Copies. Entries as they stand in the log, without their line ends. */
  readonly lines: readonly Buffer[];
  readonly segment: string;
  /** Bytes of the segment before the first of them, and up to the end of the last. */
  readonly start: number;
  readonly end: number;
  readonly lastId: string;
}

export interface BatchOptions {
  readonly directory: string;
  readonly cursor: Pick<ExportCursor, 'segment' | 'offset'> | null;
  /** Waits for more at the end, until `signal`. */
  readonly follow: boolean;
  /** Goes on behind what retention removed before it was exported. */
  readonly skipGone: boolean;
  readonly signal: AbortSignal;
}

const pollMs = 500;

/**
 * Lines that are no entries are passed over: they are for `verify`.
 * @throws SluiceError `export-gap` where entries behind the cursor are gone; `audit-line-too-long`; system errors
 */
export async function* exportBatches(options: BatchOptions): AsyncGenerator<ExportBatch> {
  const { directory, follow, skipGone, signal } = options;
  let { segment = '', offset = 0 } = options.cursor ?? {};
  // What went before the first export began was never asked for.
  if (!skipGone && segment !== '') await mustBeThere(directory, segment, offset);
  for (;;) {
    const segments = (await listSegments(directory)).filter(({ name }) => name >= segment);
    for (const each of segments) {
      if (each.name !== segment) offset = 0;
      segment = each.name;
      for await (const batch of batchesOf(each, offset)) {
        if (signal.aborted) return;
        yield batch;
        offset = batch.end;
      }
      if (signal.aborted) return;
    }
    if (!follow) return;
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

async function* batchesOf({ name, path, cutAt }: LogSegment, from: number): AsyncGenerator<ExportBatch> {
  if ((await stat(path).catch(goneMeanwhile)) === null) return;
  let start = from;
  let at = from;
  let lines: Buffer[] = [];
  let lastId = '';
  for await (const chunk of linesOf(path, from, cutAt)) {
    for (const line of chunk.lines) {
      at += line.length + 1;
      const entry = parseEntry(line);
      if (entry === null) continue;
      lines.push(Buffer.from(line));
      lastId = entry.id;
      if (lines.length < auditExportBatchEntriesMax && at - start < auditExportBatchBytesMax) continue;
      yield { lines, segment: name, start, end: at, lastId };
      [lines, start] = [[], at];
    }
  }
  if (lines.length > 0) yield { lines, segment: name, start, end: at, lastId };
}

/** Whether all that is behind the cursor can be exported: retention may have been faster. */
async function mustBeThere(directory: string, segment: string, offset: number): Promise<void> {
  const segments = await listSegments(directory);
  const gone = (await findTombstones(segments)).flatMap(({ data }) =>
    data.segments.filter(({ name }) => !segments.some((each) => each.name === name)),
  );
  const missed = gone.find(({ name, bytes }) => name > segment || (name === segment && bytes > offset));
  if (missed !== undefined) throw gap(`${missed.name}, of ${missed.entries} entries, was removed by retention`);
  const known = segments.some(({ name }) => name === segment);
  const removed = (await findTombstones(segments)).some(({ data }) => covers(data, segment));
  if (!known && !removed) throw gap(`${segment}, where the last export ended, is not there`);
}

function gap(why: string): SluiceError<'export-gap'> {
  return new SluiceError(
    'export-gap',
    `Entries are gone that were not exported: ${why}. --skip-gone goes on behind them.`,
  );
}
