/** `sluice audit query`: entries of the log that match all that is asked, or what one SELECT over them says. */
import { openQuestions, queryColumns, queryLog } from '../audit/audit.ts';
import type { Answer, FoundEntry, QueryFilter, Questions, VerifierKey } from '../audit/audit.ts';
import { parseDurationMs } from '../config/config.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { auditQueryRowsMax, auditQueryTimeoutMs } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import { filterOf, unknownCode, usage, wholeNumber } from './audit-query-filter.ts';
import type { FilterOptions } from './audit-query-filter.ts';
import { printAnswer, printEntries, printRows } from './audit-query-print.ts';
import type { QueryFormat } from './audit-query-print.ts';
import { recordQuery } from './audit-query-record.ts';
import { verifyFirst } from './audit-query-verified.ts';
import { readKeys } from './audit-verify.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError } from './output.ts';
import { createProgress } from './progress.ts';

export interface AuditQueryOptions extends FilterOptions {
  readonly directory: string;
  readonly sql?: string;
  readonly columns: boolean;
  readonly timeout?: string;
  readonly limit: string;
  readonly verified: boolean;
  readonly key?: readonly string[];
  readonly as?: string;
  /** `--no-audit` makes it false. */
  readonly audit: boolean;
  readonly output: QueryFormat;
}

/** What was found, and how it is shown. */
interface Result {
  readonly rows: number;
  readonly more: boolean;
  readonly print: () => void;
}

/** @throws CommandError where the log cannot be read, what is asked makes no sense, or it cannot be entered in the log */
export async function runAuditQuery(options: AuditQueryOptions): Promise<ExitCode> {
  if (options.columns) {
    printRows(
      ['column', 'type', 'says'],
      queryColumns.map(({ name, type, text }) => [name, type, text]),
      'table',
      'columns of entries',
    );
    return exitCodes.ok;
  }
  const filter = filterOf(options, Date.now());
  const note = unknownCode(options);
  if (note !== null) process.stderr.write(`${printable(note, 400)}\n`);
  const limits = {
    rowsMax: wholeNumber('--limit', options.limit, auditQueryRowsMax) ?? 0,
    timeoutMs: timeoutOf(options),
  };
  const keys = await readKeys(options.key ?? []);
  if (options.verified && keys.length === 0)
    throw usage('--verified goes with --key: a key that you have from elsewhere.');
  const record = recordQuery(options, filter);
  let result: Result;
  try {
    result = await answer(options, filter, limits, keys);
  } catch (error) {
    await record(isRefusal(error) ? 'refused' : 'failed', 0, false);
    if (error instanceof StuckError) endNow(error);
    throw error;
  }
  // Entered before anything is shown.
  await record('answered', result.rows, result.more);
  result.print();
  if (result.more) process.stderr.write(`There are more than ${limits.rowsMax}: ask more closely, or raise --limit.\n`);
  return exitCodes.ok;
}

/** A query goes on in a thread that nothing can stop, and that the process would wait for at its end. */
class StuckError extends CommandError {}

function endNow({ message }: StuckError): never {
  process.stderr.write(`sluice: ${message}\n`);
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

interface Limits {
  readonly rowsMax: number;
  readonly timeoutMs: number;
}

async function answer(
  options: AuditQueryOptions,
  filter: QueryFilter,
  limits: Limits,
  keys: readonly VerifierKey[],
): Promise<Result> {
  const { directory, sql, output, verified } = options;
  const progress = createProgress();
  const verifying = verified ? await verifyFirst(directory, keys) : null;
  let questions: Questions | null = null;
  try {
    questions = await openQuestions(directory, {
      filter,
      ...limits,
      ...(verifying !== null && { visit: verifying.line }),
      onProgress: ({ bytes, bytesTotal }) => progress.show(bytes, bytesTotal, 'read'),
    });
    progress.end();
    verifying?.hold();
    if (questions.strays > 0)
      process.stderr.write(
        `${questions.strays} lines are no entries and were passed over; \`sluice audit verify\` says where.\n`,
      );
    return sql === undefined
      ? entriesResult(await questions.find(), output)
      : answerResult(await questions.select(sql), output);
  } catch (error) {
    if (isMissingEngine(error) && sql === undefined && !verified) {
      process.stderr.write(`${messageOf(error)}; the lines are read instead, which takes longer.\n`);
      return entriesResult(await scan(directory, filter, limits.rowsMax), output);
    }
    if (error instanceof CommandError) throw error;
    const shown = failed(error, directory);
    throw questions?.stuck === true ? new StuckError(shown.exitCode, shown.message) : shown;
  } finally {
    progress.end();
    await questions?.close();
  }
}

function entriesResult({ found, more }: { found: readonly FoundEntry[]; more: boolean }, output: QueryFormat): Result {
  return { rows: found.length, more, print: () => printEntries(found, more, output) };
}

function answerResult(result: Answer, output: QueryFormat): Result {
  return { rows: result.rows.length, more: result.more, print: () => printAnswer(result, output) };
}

/** Without the engine: every line. */
async function scan(
  directory: string,
  filter: QueryFilter,
  rowsMax: number,
): Promise<{ found: FoundEntry[]; more: boolean }> {
  const progress = createProgress();
  const found: FoundEntry[] = [];
  try {
    for await (const one of queryLog(directory, filter, ({ bytes, bytesTotal }) =>
      progress.show(bytes, bytesTotal, `${found.length} found`),
    )) {
      if (found.length === rowsMax) return { found, more: true };
      found.push(one);
    }
    return { found, more: false };
  } finally {
    progress.end();
  }
}

function failed(error: unknown, directory: string): CommandError {
  const code = error instanceof SluiceError ? String(error.code) : '';
  const text = messageOf(error)
    .split('\n')
    .map((line) => printable(line, 400))
    .join('\n');
  if (code === 'query-refused') return new CommandError(exitCodes.usage, text);
  if (code === 'query-failed')
    return new CommandError(exitCodes.usage, `${text}\n\`sluice audit query --columns\` lists the columns of entries.`);
  if (code.startsWith('query-')) return new CommandError(exitCodes.problems, text);
  return new CommandError(exitCodes.problems, `The log in ${directory} cannot be read: ${text}`);
}

function isRefusal(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === exitCodes.usage;
}

function isMissingEngine(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'query-engine-missing';
}

function timeoutOf({ timeout }: AuditQueryOptions): number {
  if (timeout === undefined) return auditQueryTimeoutMs;
  const ms = parseDurationMs(timeout);
  if (ms === null || ms === 0) throw usage('--timeout takes a length of time with its unit, such as 5m.');
  return ms;
}
