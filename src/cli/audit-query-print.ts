/** Answers as tables for people, CSV and JSON for programs. Names in the log come from clients: none of them is let loose on a terminal or a spreadsheet. */
import Table from 'cli-table3';
import { codeOf } from '../audit/audit.ts';
import type { Answer, FoundEntry } from '../audit/audit.ts';
import { printable } from '../lib/printable.ts';

export type QueryFormat = 'table' | 'csv' | 'json';

const cellCharsMax = 400;
/** All that can steer a terminal; tabs and line ends stay. */
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;
const entryColumns = [
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

export function printEntries(found: readonly FoundEntry[], more: boolean, format: QueryFormat): void {
  if (format === 'json') {
    const entries = found.map(({ entry }) => entry);
    process.stdout.write(`${JSON.stringify({ entries, more }, null, 2)}\n`);
  } else {
    const rows = found.map((one) => entryColumns.map((column) => cell(one, column)));
    printRows(entryColumns, rows, format, 'found');
  }
}

export function printAnswer({ columns, rows, more }: Answer, format: QueryFormat): void {
  if (format === 'json') {
    const objects = rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
    process.stdout.write(`${JSON.stringify({ columns, rows: objects, more }, null, 2)}\n`);
  } else
    printRows(
      columns,
      rows.map((row) => row.map(textOf)),
      format,
      rows.length === 1 ? 'row' : 'rows',
    );
}

export function printRows(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  format: 'table' | 'csv',
  counted: string,
): void {
  if (format === 'csv') {
    process.stdout.write([columns, ...rows].map((row) => `${row.map(quoted).join(',')}\r\n`).join(''));
    return;
  }
  const head = columns.map((column) => printable(column, cellCharsMax));
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push(row.map((text) => printable(text, cellCharsMax)));
  if (rows.length > 0) process.stdout.write(`${table.toString()}\n`);
  process.stdout.write(`${rows.length} ${counted}\n`);
}

function cell({ entry, facts }: FoundEntry, column: (typeof entryColumns)[number]): string {
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

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/**
 * RFC 4180. A spreadsheet takes a cell that begins like a formula for one: those are set off with an apostrophe, unless
 * they are numbers.
 */
function quoted(text: string): string {
  const clean = text.toWellFormed().replace(control, '\uFFFD');
  const formula = /^[=+\-@\t\r]/.test(clean) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(clean);
  const safe = formula ? `'${clean}` : clean;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
