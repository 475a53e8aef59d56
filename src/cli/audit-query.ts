/** `sluice audit query`: entries of the log that match all that is asked. */
import Table from 'cli-table3';
import { codeOf, outcomes, queryLog } from '../audit/audit.ts';
import type { FoundEntry, Outcome, QueryFilter } from '../audit/audit.ts';
import { parseDurationMs } from '../config/config.ts';
import { messageOf } from '../lib/errors.ts';
import { printable } from '../lib/printable.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError } from './output.ts';
import { createProgress } from './progress.ts';

export interface AuditQueryOptions {
  readonly directory: string;
  readonly principal?: string;
  readonly memberOf?: string;
  readonly topic?: string;
  readonly partition?: string;
  readonly offset?: string;
  readonly group?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly session?: string;
  readonly code?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly output: 'table' | 'csv' | 'json';
}

const limitMax = 1_000_000;
const cellCharsMax = 400;
const columns = [
  'time',
  'code',
  'outcome',
  'principal',
  'address',
  'action',
  'resource',
  'records',
  'offsets',
  'session',
  'id',
] as const;

/** @throws CommandError where the log cannot be read or what is asked makes no sense */
export async function runAuditQuery(options: AuditQueryOptions): Promise<ExitCode> {
  const filter = filterOf(options, Date.now());
  const limit = wholeNumber('--limit', options.limit, limitMax) ?? limitMax;
  const { found, more } = await collect(options.directory, filter, limit);
  print(found, more, options.output);
  if (more) process.stderr.write(`There are more than ${limit}: ask more closely, or raise --limit.\n`);
  return exitCodes.ok;
}

async function collect(
  directory: string,
  filter: QueryFilter,
  limit: number,
): Promise<{ found: FoundEntry[]; more: boolean }> {
  const progress = createProgress();
  const found: FoundEntry[] = [];
  try {
    for await (const one of queryLog(directory, filter, ({ bytes, bytesTotal }) =>
      progress.show(bytes, bytesTotal, `${found.length} found`),
    )) {
      if (found.length === limit) return { found, more: true };
      found.push(one);
    }
    return { found, more: false };
  } catch (error) {
    throw new CommandError(exitCodes.problems, `The log in ${directory} cannot be read: ${messageOf(error)}`);
  } finally {
    progress.end();
  }
}

function print(found: readonly FoundEntry[], more: boolean, format: AuditQueryOptions['output']): void {
  if (format === 'json') {
    const entries = found.map(({ entry }) => entry);
    process.stdout.write(`${JSON.stringify({ entries, more }, null, 2)}\n`);
  } else if (format === 'csv') {
    const rows = [columns, ...found.map((one) => columns.map((column) => cell(one, column)))];
    process.stdout.write(rows.map((row) => `${row.map(quoted).join(',')}\r\n`).join(''));
  } else {
    const table = new Table({ head: [...columns], style: { head: [], border: [], compact: true } });
    for (const one of found) table.push(columns.map((column) => printable(cell(one, column), cellCharsMax)));
    if (found.length > 0) process.stdout.write(`${table.toString()}\n`);
    process.stdout.write(`${found.length} found\n`);
  }
}

function cell({ entry, facts }: FoundEntry, column: (typeof columns)[number]): string {
  const flow = entry.data['flow'] as { records?: number; ranges?: readonly (readonly string[])[] } | undefined;
  switch (column) {
    case 'time':
      return entry.time;
    case 'code':
      return codeOf(entry);
    case 'id':
      return entry.id;
    case 'resource':
      return [facts.resourceType, [facts.resource, facts.partition].filter((part) => part !== undefined).join('-')]
        .filter(Boolean)
        .join(' ');
    case 'records':
      return String(flow?.records ?? '');
    case 'offsets':
      return (flow?.ranges ?? []).map((range) => range.join('–')).join(' ');
    default:
      return facts[column] ?? '';
  }
}

/**
 * RFC 4180. A spreadsheet takes a cell that begins like a formula for one, and names in the log come from clients: those
 * are set off with an apostrophe.
 */
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function filterOf(options: AuditQueryOptions, nowMs: number): QueryFilter {
  const { principal, memberOf, topic, group, action, session, code, outcome } = options;
  if (options.offset !== undefined && (topic === undefined || options.partition === undefined))
    throw usage('--offset goes with --topic and --partition: every partition counts its own.');
  if (outcome !== undefined && !outcomes.includes(outcome as Outcome))
    throw usage(`--outcome takes one of ${outcomes.join(', ')}.`);
  const partition = wholeNumber('--partition', options.partition, 2_147_483_647);
  const sinceMs = timeOf('--since', options.since, nowMs);
  const untilMs = timeOf('--until', options.until, nowMs);
  const texts = Object.entries({ principal, memberOf, topic, group, action, session, code, outcome });
  return {
    ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)),
    ...(partition !== null && { partition }),
    ...(options.offset !== undefined && { offset: offsetOf(options.offset) }),
    ...(sinceMs !== null && { sinceMs }),
    ...(untilMs !== null && { untilMs }),
  };
}

function wholeNumber(name: string, text: string | undefined, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) throw usage(`${name} takes a whole number up to ${max}.`);
  return value;
}

function offsetOf(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw usage('--offset takes a whole number.');
  return BigInt(text);
}

function timeOf(name: string, text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const agoMs = parseDurationMs(text);
  const ms = agoMs === null ? Date.parse(text) : nowMs - agoMs;
  const known = agoMs !== null || /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  if (!known || Number.isNaN(ms))
    throw usage(`${name} takes 2026-03-12, 2026-03-12T08:00:00Z, or a length of time before now: 24h.`);
  return ms;
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
