/**
 * Writes docs/kafka-api.md: every API of Kafka's protocol, whether and in which versions it is served, what is enforced
 * (the comment that opens the file of its handler), and where the gateway differs from a broker with the same ACLs.
 *
 *   node scripts/generate-kafka-api-docs.ts           writes
 *   node scripts/generate-kafka-api-docs.ts --check   exits with 1 where the page is not what it would write
 */
import { readFile, writeFile } from 'node:fs/promises';
import { handlerFor, unserved } from '../src/ports/kafka/apis/catalogue.ts';
import { type ApiName, apiByName, errorName, specification } from '../src/ports/kafka/protocol/protocol.ts';
import { acceptedDifferences, versionCaps } from '../test/long/equivalence/differences.ts';
import { normalisations } from '../test/long/equivalence/normalise.ts';

const page = new URL('../docs/kafka-api.md', import.meta.url);
const folder = new URL('../src/ports/kafka/apis/', import.meta.url);

/** The codes that comments of handlers speak of by number. */
const codesTold: readonly number[] = [3, 14, 29, 30, 31, 42, 53, 55, 61, 70, 100];

interface Family {
  readonly file: string;
  readonly apis: ApiName[];
}

const families = await familiesOfCatalogue();
const fresh = await pageText();
const known = await readFile(page, 'utf8').catch(() => '');
if (!process.argv.includes('--check')) await writeFile(page, fresh);
else if (fresh !== known) {
  console.error('docs/kafka-api.md is out of date: run `sh scripts/node.sh scripts/generate-kafka-api-docs.ts`.');
  process.exitCode = 1;
}
console.log(`docs/kafka-api.md: ${specification.length} APIs, ${acceptedDifferences.length} accepted differences`);

/** Which file each handler comes from, as the catalogue imports them, in the order of the lowest key. */
async function familiesOfCatalogue(): Promise<Family[]> {
  const source = await readFile(new URL('catalogue.ts', folder), 'utf8');
  const files = new Map<string, string>();
  for (const [, names = '', file = ''] of source.matchAll(/import \{([^}]*)\} from '\.\/([a-z-]+\.ts)'/g)) {
    for (const name of names.split(',')) files.set(name.trim().toLowerCase(), file);
  }
  const found = new Map<string, Family>();
  for (const { key } of specification) {
    const name = handlerFor(key)?.name;
    if (name === undefined) continue;
    const file = files.get(name.toLowerCase());
    if (file === undefined) throw new Error(`catalogue.ts imports no handler called as ${name}`);
    const family = found.get(file) ?? { file, apis: [] };
    family.apis.push(name);
    found.set(file, family);
  }
  return [...found.values()];
}

async function pageText(): Promise<string> {
  const sections = await Promise.all(families.map(sectionOf));
  return [
    '<!-- Written by scripts/generate-kafka-api-docs.ts. Do not edit: change the comments of the handlers. -->',
    '# The Kafka API',
    'What the gateway does with every API of the Kafka protocol (4.2). It answers as a broker would whose ACLs say what the policy says: the same error codes in the same places, per topic, partition, group or transactional id inside a request that otherwise goes on, and what may not be described is left out of listings. `npm run test:long -- equivalence` holds this against a real broker: the same requests, in every version, to a broker with ACLs and through the gateway.',
    `The codes: ${codesTold.map((code) => `${code} ${errorName(code)}`).join(', ')}.`,
    '## APIs',
    apiTable(),
    '## What is enforced',
    ...sections,
    '## Where the gateway differs from a broker',
    'On purpose; the suite fails on any other difference, and on one of these that no longer occurs.',
    table(
      ['API', 'a broker', 'the gateway', 'why'],
      acceptedDifferences.map(({ apis, broker, gateway, reason }) => [apis.join(', '), broker, gateway, reason]),
    ),
    'Not served in their newest version:',
    table(
      ['API', 'up to', 'why'],
      versionCaps.map(({ api, aboveVersion, reason }) => [api, String(aboveVersion), reason]),
    ),
    '## What is not compared',
    'Two clusters never answer alike to the byte. These values are replaced by a word on both sides before their answers are compared:',
    table(
      ['value', 'why'],
      normalisations.map(({ what, reason, apis }) => [
        apis === undefined ? what : `${what} (${apis.join(', ')})`,
        reason,
      ]),
    ),
    'The order of topics, partitions and groups in an answer is not compared either.',
  ]
    .join('\n\n')
    .concat('\n');
}

function apiTable(): string {
  return table(
    ['key', 'API', 'versions', 'enforced in'],
    specification.map(({ key, name }) => {
      const handler = handlerFor(key);
      if (handler === undefined) return unservedRow(key, name);
      const { min, max } = handler.versions;
      const { maxVersion } = apiByName(handler.name);
      const family = families.find(({ apis }) => apis.includes(handler.name));
      const range = `${min}–${max}${max < maxVersion ? ` of ${maxVersion}` : ''}`;
      return [String(key), name, range, family === undefined ? '' : `[${family.file}](#${anchor(titleOf(family))})`];
    }),
  );
}

/** A reason that names its API says who answers it instead. */
function unservedRow(key: number, name: string): string[] {
  const reason = unserved[key] ?? '';
  const own = reason.startsWith(`${name}: `);
  return [String(key), name, own ? 'the gateway’s own' : 'not served', own ? reason.slice(name.length + 2) : reason];
}

async function sectionOf(family: Family): Promise<string> {
  const source = await readFile(new URL(family.file, folder), 'utf8');
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1];
  if (comment === undefined) throw new Error(`${family.file} opens without a comment that says what it enforces`);
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\*? ?/, '').trimEnd());
  return `### ${titleOf(family)}\n\n${paragraphs(lines)}`;
}

/** Lines that a comment broke are put together; list items and empty lines stay. */
function paragraphs(lines: readonly string[]): string {
  const text: string[] = [];
  for (const line of lines) {
    const last = text.at(-1);
    if (line === '' || line.startsWith('- ') || last === undefined || last === '') text.push(line);
    else text[text.length - 1] = `${last} ${line.trim()}`;
  }
  return text
    .join('\n')
    .replaceAll(/([^\n-][^\n]*)\n- /g, (all, before: string) => (before.startsWith('- ') ? all : `${before}\n\n- `))
    .trim();
}

function titleOf({ apis }: Family): string {
  return apis.map((name) => `${name} (${apiByName(name).key})`).join(', ');
}

/** As Markdown makes it of a heading. */
function anchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

/** Padded as the formatter does, so that both agree on the page. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((cells) => cells[i]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...rows.map(row)].join('\n');
}
