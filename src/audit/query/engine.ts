/** DuckDB, loaded when a question is asked and never by a gateway that serves; bounded, and shut off from the world before anybody's SQL runs. */
import { availableParallelism } from 'node:os';
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { auditQueryMemoryBytesMax, auditQueryThreadsMax } from '../../lib/limits.ts';

/** What an interrupted query has to come to an end. */
const graceMs = 1_000;

export type SqlValue = DuckDBValue;

export interface Answer {
  readonly columns: readonly string[];
  /** Values as JSON has them; integers beyond 2^53 as text, times as RFC 3339 in UTC. */
  readonly rows: readonly (readonly unknown[])[];
  /** Whether there are more than were asked for. */
  readonly more: boolean;
}

export class QueryEngine {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  #stuck = false;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /** @throws SluiceError `query-engine-missing` where DuckDB has no build for this machine */
  static async open(): Promise<QueryEngine> {
    const { DuckDBInstance } = await import('@duckdb/node-api').catch((cause: unknown) => {
      throw new SluiceError(
        'query-engine-missing',
        `DuckDB, which answers this, cannot be loaded on this machine: ${messageOf(cause).split('\n', 1)[0] ?? ''}`,
        { cause },
      );
    });
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(Math.min(auditQueryThreadsMax, availableParallelism())),
      memory_limit: `${Math.floor(auditQueryMemoryBytesMax / 1_048_576)}MiB`,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      // Nothing is spilled: what does not fit in memory is refused, and entries are not left behind in a temporary folder.
      temp_directory: '',
    });
    const connection = await instance.connect();
    await connection.run(`SET TimeZone = 'UTC'`);
    return new QueryEngine(instance, connection);
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<void> {
    await this.#connection.run(sql, [...values]);
  }

  /** Puts lines into a table of their own (`line`, `text`). */
  async lines(table: string): Promise<LineTable> {
    await this.#connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (line INTEGER, text VARCHAR)`);
    const appender = await this.#connection.createAppender(table);
    return {
      append(line, text) {
        appender.appendInteger(line);
        appender.appendVarchar(text);
        appender.endRow();
      },
      close: () => appender.closeSync(),
    };
  }

  /** From here on nothing but these files can be read, nothing written, and no setting changed. */
  async shutOff(files: readonly string[]): Promise<void> {
    await this.#connection.run(`SET allowed_paths = [${files.map(literal).join(', ')}]`);
    await this.#connection.run('SET enable_external_access = false');
    await this.#connection.run('SET lock_configuration = true');
  }

  /**
   * @param rowsMax rows that are handed out; one more is looked for
   * @throws SluiceError `query-timeout`, `query-failed` with what the engine says
   */
  async ask(sql: string, values: readonly SqlValue[], rowsMax: number, timeoutMs: number): Promise<Answer> {
    const deadline = Promise.withResolvers<never>();
    const late = (cause?: unknown): SluiceError<'query-timeout'> =>
      new SluiceError(
        'query-timeout',
        `The query took longer than ${timeoutMs / 1_000} s and was stopped. Ask for less, or give it more time with --timeout.`,
        { cause },
      );
    let interrupted = false;
    const soft = setTimeout(() => {
      interrupted = true;
      this.#connection.interrupt();
    }, timeoutMs);
    // A single call of a function cannot be interrupted; it is left to itself, and ends with the process.
    const hard = setTimeout(() => {
      this.#stuck = true;
      deadline.reject(late());
    }, timeoutMs + graceMs);
    try {
      return await Promise.race([this.#read(sql, values, rowsMax), deadline.promise]);
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw interrupted ? late(cause) : new SluiceError('query-failed', messageOf(cause), { cause });
    } finally {
      clearTimeout(soft);
      clearTimeout(hard);
    }
  }

  async #read(sql: string, values: readonly SqlValue[], rowsMax: number): Promise<Answer> {
    const result = await this.#connection.streamAndReadUntil(sql, rowsMax + 1, [...values]);
    const rows = result.getRows();
    return {
      columns: result.deduplicatedColumnNames(),
      rows: rows.slice(0, rowsMax).map((row) => row.map(plain)),
      more: rows.length > rowsMax,
    };
  }

  /** Whether a query could not be stopped: the process has to end for it to. */
  get stuck(): boolean {
    return this.#stuck;
  }

  close(): void {
    if (this.#stuck) return;
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

export interface LineTable {
  append(line: number, text: string): void;
  close(): void;
}

/** A string as SQL writes it. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if ('items' in value && Array.isArray(value.items)) return value.items.map(plain);
  if (
    'entries' in value &&
    typeof value.entries === 'object' &&
    value.entries !== null &&
    !Array.isArray(value.entries)
  )
    return Object.fromEntries(Object.entries(value.entries).map(([name, inner]) => [name, plain(inner)]));
  if ('micros' in value && typeof value.micros === 'bigint' && value.constructor.name.startsWith('DuckDBTimestamp')) {
    const date = new Date(Number(value.micros / 1_000n));
    return Number.isNaN(date.getTime()) ? `${value.micros} µs` : date.toISOString();
  }
  // The engine's own classes: decimals, dates, intervals.
  return (value as { toString(): string }).toString();
}
