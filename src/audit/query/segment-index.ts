/** Makes Parquet files of segments where there are none that match, and tells what of each segment is in none yet. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { auditQueryTailBytesMax } from '../../lib/limits.ts';
import { goneMeanwhile } from '../read/file-digest.ts';
import { linesOf } from '../read/lines.ts';
import type { LogSegment } from '../read/segments.ts';
import { columns, parsing, projection } from './columns.ts';
import type { QueryEngine } from './engine.ts';
import { literal } from './engine.ts';
import { stampOf } from './index-folder.ts';
import type { IndexFolder, IndexNote } from './index-folder.ts';

export interface IndexedSegment {
  readonly segment: LogSegment;
  /** The file that holds its lines up to `from`; `null` where there is none, and `from` is 0. */
  readonly file: string | null;
  readonly fromMs: number;
  readonly toMs: number;
  /** Offset and line behind what the file holds. */
  readonly from: number;
  readonly lines: number;
  /** Lines of the file that are no entries. */
  readonly strays: number;
}

/** Told of every line that goes into the index, in the order of writing. */
export type LineVisitor = (line: Buffer) => void;

export interface IndexWork {
  readonly engine: QueryEngine;
  readonly folder: IndexFolder;
  /** Whether the segment is written no more. */
  readonly closed: boolean;
  readonly visit?: LineVisitor;
}

/** In the order of writing: sorted by topic the files are larger and take longer to make. */
const format = 'FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480';

/** Rows made in another way, or by another version, are not to be mixed with these. */
const maker: string = createHash('sha256')
  .update(JSON.stringify([parsing('lines'), projection('parsed', ''), format, columns.map(({ type }) => type)]))
  .digest('hex');

/** @returns `null` where the segment is gone by now */
export async function indexSegment(segment: LogSegment, work: IndexWork): Promise<IndexedSegment | null> {
  const file = await stat(segment.path).catch(goneMeanwhile);
  if (file === null) return null;
  const whole = Math.min(file.size, segment.cutAt);
  const note = await current(segment, whole, work);
  const behind = whole - (note?.source.bytes ?? 0);
  const enough = note !== null && (work.closed ? behind === 0 : behind <= auditQueryTailBytesMax);
  if (enough) return indexed(segment, note, work.folder);
  if (!work.closed && whole <= auditQueryTailBytesMax) return indexed(segment, null, work.folder);
  return indexed(segment, await make(segment, whole, work), work.folder);
}

function indexed(segment: LogSegment, note: IndexNote | null, folder: IndexFolder): IndexedSegment {
  if (note === null) return { segment, file: null, fromMs: 0, toMs: 0, from: 0, lines: 0, strays: 0 };
  const { source, fromMs, toMs, lines, rows } = note;
  return { segment, file: folder.file(segment.name), fromMs, toMs, from: source.bytes, lines, strays: lines - rows };
}

/** What there is, where the segment still begins with the bytes that it was made from. */
async function current(segment: LogSegment, whole: number, { folder }: IndexWork): Promise<IndexNote | null> {
  const note = await folder.read(segment.name, maker);
  if (note === null || note.source.bytes > whole) return null;
  if (note.source.bytes === whole && note.source.stamp === (await stampOf(segment.path))) return note;
  return (await prefixDigest(segment.path, note.source.bytes)) === note.source.sha256 ? note : null;
}

async function prefixDigest(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  if (bytes > 0)
    for await (const part of createReadStream(path, { end: bytes - 1, highWaterMark: 262_144 }))
      hash.update(part as Buffer);
  return hash.digest('hex');
}

async function make(segment: LogSegment, whole: number, { engine, folder, visit }: IndexWork): Promise<IndexNote> {
  const stamp = await stampOf(segment.path);
  const { lines, bytes, sha256 } = await load(engine, segment, { from: 0, to: whole, first: 1 }, visit);
  const draft = folder.draft(segment.name);
  try {
    await engine.run(`COPY (${projection('parsed', segment.name)}) TO ${literal(draft)} (${format})`);
    const span = `SELECT count(*), coalesce(epoch_ms(min(least(time, started))), 0), coalesce(epoch_ms(max(greatest(time, ended))), 0) FROM read_parquet(${literal(draft)})`;
    const {
      rows: [[rows, fromMs, toMs] = []],
    } = await engine.ask(span, [], 1, 600_000);
    const source = { bytes, sha256, stamp };
    return await folder.put(segment.name, draft, {
      maker,
      source,
      lines,
      rows: Number(rows),
      fromMs: Number(fromMs),
      toMs: Number(toMs),
    });
  } finally {
    await rm(draft, { force: true });
  }
}

export interface Loaded {
  readonly lines: number;
  /** Offset behind the last whole line, and the digest of all that was read up to there. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A part of a segment: offsets, and the number of its first line. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly first: number;
}

/** The whole lines of a part of a segment into the engine's table `parsed`. */
export async function load(
  engine: QueryEngine,
  { path }: LogSegment,
  { from, to, first }: Part,
  visit: LineVisitor = () => {},
): Promise<Loaded> {
  const hash = createHash('sha256');
  const rows = await engine.lines('lines');
  let number = first;
  let bytes = from;
  try {
    for await (const { lines, end, whole } of linesOf(path, from, to)) {
      hash.update(whole);
      bytes = Math.max(bytes, end);
      for (const line of lines) {
        visit(line);
        rows.append(number, line.toString('utf8'));
        number += 1;
      }
    }
  } finally {
    rows.close();
  }
  await engine.run(`CREATE OR REPLACE TEMP TABLE parsed AS ${parsing('lines')}`);
  return { lines: number - first, bytes, sha256: hash.digest('hex') };
}
