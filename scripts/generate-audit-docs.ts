/**
 * Writes the list of events in docs/audit.md from the catalogue, between its two markers. The rest of the page is
 * written by hand.
 *
 *   node scripts/generate-audit-docs.ts           writes
 *   node scripts/generate-audit-docs.ts --check   exits with 1 where the page is not what it would write
 */
import { readFile, writeFile } from 'node:fs/promises';
import { describeEvents, describeSession, queryColumns } from '../src/audit/audit.ts';

const page = new URL('../docs/audit.md', import.meta.url);
const begin = '<!-- events: written by scripts/generate-audit-docs.ts -->';
const end = '<!-- end of events -->';
const beginColumns = '<!-- columns: written by scripts/generate-audit-docs.ts -->';
const endColumns = '<!-- end of columns -->';

interface Field {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly text: string;
}

const text = await readFile(page, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from === -1 || to < from) throw new Error(`docs/audit.md has lost its markers: ${begin} and ${end}`);
const fresh = withColumns(`${text.slice(0, from + begin.length)}\n\n${events()}\n${text.slice(to)}`);
if (!process.argv.includes('--check')) await writeFile(page, fresh);
else if (fresh !== text) {
  console.error(
    'docs/audit.md is not what the catalogue says: run `sh scripts/node.sh scripts/generate-audit-docs.ts`.',
  );
  process.exitCode = 1;
}
console.log(`docs/audit.md: ${describeEvents().length} events`);

function withColumns(markdown: string): string {
  const first = markdown.indexOf(beginColumns);
  const last = markdown.indexOf(endColumns);
  if (first === -1 || last < first)
    throw new Error(`docs/audit.md has lost its markers: ${beginColumns} and ${endColumns}`);
  const rows = queryColumns.map(({ name, type, text: says }) => [`\`${name}\``, type, says]);
  return `${markdown.slice(0, first + beginColumns.length)}\n\n${table(['column of `entries`', 'type', 'says'], rows)}\n\n${markdown.slice(last)}`;
}

function events(): string {
  const list = describeEvents();
  const overview = table(
    ['code', 'severity', 'waited for', 'OCSF class', 'written when'],
    list.map(({ code, severity, durable, ocsfClass, summary }) => {
      const link = `[\`${code}\`](#${code.replace('.', '')})`;
      return [link, severity, durable ? 'yes' : 'no', String(ocsfClass), summary];
    }),
  );
  const sections = list.map((event) => {
    const about = event.aboutSession ? 'The fields of every entry about a session, and:\n\n' : '';
    return `### ${event.code}\n\n${event.summary}\n\n${about}${fieldTable(event.fields)}`;
  });
  const session = `### Every entry about a session\n\n${fieldTable(describeSession())}`;
  return `${[overview, session, ...sections].join('\n\n')}\n`;
}

function fieldTable(fields: readonly Field[]): string {
  if (fields.length === 0) return 'Nothing more.';
  const rows = fields.map((field) => [
    `\`${field.name}\``,
    `${field.type}${field.optional ? ', or absent' : ''}`,
    field.text,
  ]);
  return table(['field', 'type', 'says'], rows);
}

/** Padded as the formatter does, so that both agree on the page. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((cells) => cells[i]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...rows.map(row)].join('\n');
}
