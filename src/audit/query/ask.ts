/** Answers questions about a log from its index and, where there is none yet, from its lines; also while the gateway writes. */
import { stat } from 'node:fs/promises';
import { auditQueryTimeoutMs } from '../../lib/limits.ts';
import type { Entry } from '../../model/entry.ts';
import type { JsonObject } from '../../model/json.ts';
import { goneMeanwhile } from '../read/file-digest.ts';
import { listSegments } from '../read/segments.ts';
import { logSteps } from '../read/steps.ts';
import type { LogSegment } from '../read/segments.ts';
import { columns, projection } from './columns.ts';
import { QueryEngine, literal } from './engine.ts';
import type { Answer } from './engine.ts';
import { factsOf } from './filter.ts';
import type { QueryFilter } from './filter.ts';
import { conditionOf } from './filter-sql.ts';
import { openIndexFolder } from './index-folder.ts';
import type { IndexFolder } from './index-folder.ts';
import type { FoundEntry, QueryProgress } from './query.ts';
import { within } from './query.ts';
import { indexSegment, load } from './segment-index.ts';
import type { IndexedSegment, LineVisitor } from './segment-index.ts';
import { guardSql } from './sql-guard.ts';

export interface AskOptions {
  readonly filter: QueryFilter;
  readonly rowsMax: number;
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: QueryProgress) => void;
  /**
   * Reads every line of the log anew, hands it to this, and answers from what was read: nothing that was made before is
   * taken.
   */
  readonly visit?: LineVisitor;
}

export interface Questions {
  /** Entries that match the filter, in the order of writing. @throws SluiceError `query-timeout`, `query-failed` */
  find(): Promise<{ readonly found: readonly FoundEntry[]; readonly more: boolean }>;
  /** One SELECT over `entries`, which are those that match the filter. @throws SluiceError as `find`, `query-refused` */
  select(sql: string): Promise<Answer>;
  /** Lines among those read that are no entries. */
  readonly strays: number;
  /** Whether a query goes on that cannot be stopped: only the end of the process ends it. */
  readonly stuck: boolean;
  close(): Promise<void>;
}

/**
 * Makes a log ready to be asked: what is not indexed yet is indexed, the segment that is being written is read.
 *
 * @throws SluiceError `query-engine-missing`; system errors where the log cannot be read
 */
export async function openQuestions(directory: string, options: AskOptions): Promise<Questions> {
  const engine = await QueryEngine.open();
  let folder: IndexFolder | null = null;
  try {
    folder = await openIndexFolder(directory, options.visit !== undefined);
    const ready = await prepare(engine, folder, directory, options);
    return new OpenQuestions(engine, folder, options, ready);
  } catch (error) {
    engine.close();
    await folder?.close();
    throw error;
  }
}

class OpenQuestions implements Questions {
  readonly strays: number;
  readonly #engine: QueryEngine;
  readonly #folder: IndexFolder;
  readonly #options: AskOptions;

  constructor(engine: QueryEngine, folder: IndexFolder, options: AskOptions, { strays }: { strays: number }) {
    this.#engine = engine;
    this.#folder = folder;
    this.#options = options;
    this.strays = strays;
  }

  async find(): Promise<{ found: FoundEntry[]; more: boolean }> {
    const sql = 'SELECT segment, id, source, subject, time, code, data::VARCHAR FROM entries ORDER BY segment, line';
    const { rows, more } = await this.#ask(sql);
    return { found: rows.map(foundOf), more };
  }

  async select(sql: string): Promise<Answer> {
    await guardSql(this.#engine, sql);
    return this.#ask(sql);
  }

  get stuck(): boolean {
    return this.#engine.stuck;
  }

  async close(): Promise<void> {
    this.#engine.close();
    await this.#folder.close();
  }

  #ask(sql: string): Promise<Answer> {
    const { rowsMax, timeoutMs = auditQueryTimeoutMs } = this.#options;
    return this.#engine.ask(sql, [], rowsMax, timeoutMs);
  }
}

async function prepare(
  engine: QueryEngine,
  folder: IndexFolder,
  directory: string,
  options: AskOptions,
): Promise<{ strays: number }> {
  // Finding segments that retention has removed but for their files takes reading the whole log, which a visitor waits for anyway.
  const all = options.visit === undefined ? await listSegments(directory) : (await logSteps(directory)).segments;
  const { filter, visit } = options;
  await folder.sweep(all.map(({ name }) => name));
  const wanted = visit === undefined ? within(all, filter) : all;
  const indexed = await indexAll(wanted, all.at(-1)?.name ?? '', { engine, folder, options });
  const files = indexed.filter((one) => holdsTime(one, filter)).flatMap(({ file }) => file ?? []);
  const tail = await readTails(engine, indexed, visit);
  const parts = files.length === 0 ? [] : [`SELECT * FROM read_parquet([${files.map(literal).join(', ')}])`];
  const rows = [...parts, ...tail.tables.map((table) => `SELECT * FROM ${table}`)];
  const source = rows.length === 0 ? nothing() : rows.join(' UNION ALL ');
  await engine.run(`CREATE TEMP VIEW entries AS SELECT * FROM (${source}) WHERE ${conditionOf(filter)}`);
  await engine.shutOff(files);
  return { strays: tail.strays + indexed.reduce((sum, { strays }) => sum + strays, 0) };
}

interface Indexing {
  readonly engine: QueryEngine;
  readonly folder: IndexFolder;
  readonly options: AskOptions;
}

async function indexAll(
  segments: readonly LogSegment[],
  last: string,
  { engine, folder, options }: Indexing,
): Promise<IndexedSegment[]> {
  const { visit, onProgress = () => {} } = options;
  const sizes = await Promise.all(segments.map(async ({ path }) => (await stat(path).catch(goneMeanwhile))?.size ?? 0));
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0);
  const indexed: IndexedSegment[] = [];
  let bytes = 0;
  for (const [index, segment] of segments.entries()) {
    const work = { engine, folder, closed: segment.name !== last, ...(visit !== undefined && { visit }) };
    const one = await indexSegment(segment, work);
    if (one !== null) indexed.push(one);
    bytes += sizes[index] ?? 0;
    onProgress({ bytes, bytesTotal });
  }
  return indexed;
}

/** What of each segment is in no file: lines of the one that is being written. */
async function readTails(
  engine: QueryEngine,
  indexed: readonly IndexedSegment[],
  visit: LineVisitor | undefined,
): Promise<{ tables: string[]; strays: number }> {
  const tables: string[] = [];
  let strays = 0;
  for (const [index, { segment, from, lines: before }] of indexed.entries()) {
    const size = Math.min((await stat(segment.path).catch(goneMeanwhile))?.size ?? 0, segment.cutAt);
    if (size <= from) continue;
    const table = `tail_${index}`;
    const { lines } = await load(engine, segment, { from, to: size, first: before + 1 }, visit);
    await engine.run(`CREATE TEMP TABLE ${table} AS ${projection('parsed', segment.name)}`);
    const { rows } = await engine.ask(`SELECT count(*) FROM ${table}`, [], 1, auditQueryTimeoutMs);
    strays += lines - Number(rows[0]?.[0]);
    tables.push(table);
  }
  for (const table of ['lines', 'parsed']) await engine.run(`DROP TABLE IF EXISTS ${table}`);
  return { tables, strays };
}

function holdsTime({ fromMs, toMs }: IndexedSegment, { sinceMs, untilMs }: QueryFilter): boolean {
  return (sinceMs === undefined || toMs >= sinceMs) && (untilMs === undefined || fromMs < untilMs);
}

function nothing(): string {
  return `SELECT ${columns.map(({ name, type }) => `NULL::${type} AS ${name}`).join(', ')} LIMIT 0`;
}

function foundOf([file, id, source, subject, time, code, data]: readonly unknown[]): FoundEntry {
  const entry: Entry = {
    data: JSON.parse(String(data)) as JsonObject,
    datacontenttype: 'application/json',
    id: String(id),
    source: String(source),
    specversion: '1.0',
    ...(typeof subject === 'string' && { subject }),
    time: String(time),
    type: `dev.sluice.audit.${String(code)}`,
  };
  return { entry, facts: factsOf(entry), file: String(file) };
}
