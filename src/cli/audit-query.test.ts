/** `sluice audit query` as its users run it: what it prints, what it leaves in the log, and what it ends with. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { filterOf } from './audit-query-filter.ts';
import type { FilterOptions } from './audit-query-filter.ts';
import { CommandError } from './output.ts';
import { at, runAudit, sessionOf, writeLog } from './testing/small-log.ts';
import type { Result } from './testing/small-log.ts';

let folder = '';
let vkey = '';
const run = (...args: readonly string[]): Promise<Result> => runAudit(folder, ...args);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-query-cli-'));
  await writeLog(folder);
  vkey = (await readFile(join(folder, 'audit', 'checkpoints', 'log.vkey'), 'utf8')).trim();
});
after(() => rm(folder, { recursive: true, force: true }));

test('says who read a record, from the command line to the entry', async () => {
  const ids = async (...args: readonly string[]): Promise<string[]> => {
    const { code, out, err } = await run('query', '-o', 'json', ...args);
    assert.equal(code, 0, err);
    const { entries } = JSON.parse(out) as {
      entries: readonly { type: string; data: { principal?: { id: string } } }[];
    };
    return entries.map(({ type, data }) => `${type.slice(17)} ${data.principal?.id ?? ''}`.trim());
  };
  const record = ['--topic', 'payments', '--partition', '3', '--action', 'read', '--offset'];
  assert.deepEqual(await ids(...record, '5000', '--since', at(0), '--until', at(1)), ['flow.window a11ce']);
  assert.deepEqual(await ids(...record, '9223372036854775807', '--member-of', 'payments-eng'), ['flow.window b0b']);
  assert.deepEqual(await ids('--group', 'billing', '--principal', 'b0b', '--outcome', 'denied'), [
    'operation.denied b0b',
  ]);
  const session = ['--session', sessionOf('a11ce')];
  assert.deepEqual(await ids(...session, '--since', '1h', '--code', 'session.closed'), ['session.closed a11ce']);
});

test('answers SQL over the entries that the rest asks for', async () => {
  const sql = 'SELECT principal, count(*) AS n FROM entries GROUP BY ALL ORDER BY 1';
  const json = await run('query', '--topic', 'payments', '--sql', sql, '-o', 'json');
  assert.deepEqual(JSON.parse(json.out), {
    columns: ['principal', 'n'],
    rows: [
      { principal: '=cmd', n: 1 },
      { principal: 'a11ce', n: 1 },
      { principal: 'b0b', n: 1 },
    ],
    more: false,
  });
  const csv = await run('query', '--sql', `SELECT '=1+1' AS "=x", -5 AS n, chr(27) || '[2J' AS esc`, '-o', 'csv');
  assert.equal(csv.out, "'=x,n,esc\r\n'=1+1,-5,\uFFFD[2J\r\n");
  const table = await run('query', '--sql', `SELECT chr(27) || '[2J' AS esc`);
  assert.deepEqual([table.out.includes('\u001b'), /1 row/.test(table.out)], [false, true]);
  const wrong = await run('query', '--sql', 'SELECT princpal FROM entries');
  assert.deepEqual([wrong.code, /"principal"/.test(wrong.err), wrong.out], [2, true, ''], wrong.err);
  const attack = await run('query', '--sql', `SELECT * FROM read_text('/etc/passwd')`);
  assert.deepEqual([attack.code, /read_text\(\) cannot be read from/.test(attack.err)], [2, true]);
  assert.match((await run('query', '--columns')).out, /first_offset +│ BIGINT/);
  assert.match((await run('query', '--code', 'flow.windw')).err, /did you mean flow\.window\?/);
});

test('leaves an entry for each question, before it is answered', async () => {
  await rm(join(folder, 'audit', 'access'), { recursive: true, force: true });
  await run('query', '--topic', 'payments', '--limit', '2', '--as', 'carol');
  await run('query', '--sql', `SELECT * FROM read_text('/etc/passwd')`);
  const names = (await readdir(join(folder, 'audit', 'access'))).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, 'audit', 'access', name), 'utf8')));
  const asked = texts.map((text) => (JSON.parse(text) as { data: Record<string, unknown> }).data);
  assert.deepEqual(
    asked.map(({ kind, question, outcome, rows, more }) => [kind, question, outcome, rows, more]),
    [
      ['filter', '{"topic":"payments"}', 'answered', 2, true],
      ['sql', `SELECT * FROM read_text('/etc/passwd')`, 'refused', 0, false],
    ],
  );
  assert.match(JSON.stringify(asked[0]), /"claimed":"carol"/);
  const verify = await run('verify', '--key', vkey);
  assert.deepEqual([verify.code, /waiting +2 questions/.test(verify.out)], [0, true], verify.out);
  const unaudited = await run('query', '--no-audit');
  assert.deepEqual([unaudited.code, unaudited.out], [2, ''], 'the folder can be written');
  await rm(join(folder, 'audit', 'access'), { recursive: true });
  await writeFile(join(folder, 'audit', 'access'), '');
  const unrecorded = await run('query');
  await rm(join(folder, 'audit', 'access'));
  assert.deepEqual([unrecorded.code, unrecorded.out, /is not answered/.test(unrecorded.err)], [1, '', true]);
});

test('answers from lines that were verified, or not at all', async () => {
  const good = await run('query', '--verified', '--key', vkey, '--topic', 'payments');
  assert.deepEqual(
    [good.code, /3 found/.test(good.out), /Verified: 9 entries/.test(good.err)],
    [0, true, true],
    good.err,
  );
  assert.equal((await run('query', '--verified')).code, 2);
  const [name = ''] = (await readdir(join(folder, 'audit'))).filter((each) => each.endsWith('.jsonl'));
  const path = join(folder, 'audit', name);
  const text = await readFile(path, 'utf8');
  try {
    await writeFile(path, text.replace('a11ce', 'ma1ry'));
    const altered = await run('query', '--verified', '--key', vkey, '--topic', 'payments');
    assert.deepEqual([altered.code, altered.out], [5, '']);
    await writeFile(path, text.slice(0, text.lastIndexOf('{')));
    const cut = await run('query', '--verified', '--key', vkey, '--topic', 'payments');
    assert.deepEqual([cut.code, cut.out], [6, '']);
  } finally {
    await writeFile(path, text);
  }
});

test('prints a table, and CSV in which no cell is a formula', async () => {
  const table = await run('query', '--topic', 'payments');
  assert.match(table.out, /topic payments-3.*4000–5000[^]*3 found/);
  const csv = await run('query', '--topic', 'payments', '--outcome', 'denied', '-o', 'csv');
  const [head, row] = csv.out.split('\r\n');
  assert.match(head ?? '', /^time,code,outcome,principal,/);
  assert.match(row ?? '', /,operation\.denied,denied,'=cmd,10\.0\.0\.7,read,topic payments-3,/);
});

test('refuses what makes no sense', async () => {
  const refused: readonly FilterOptions[] = [
    { offset: '1' },
    { outcome: 'x' },
    { partition: '-1' },
    { since: 'yesterday' },
    { topic: 'a', partition: '1', offset: '0x1' },
    { topic: 'a', partition: '1', offset: '9223372036854775808' },
    { topic: 'a', group: 'b' },
  ];
  for (const options of refused) assert.throws(() => filterOf(options, 0), CommandError, JSON.stringify(options));
  assert.equal(filterOf({ since: '2026-03-12' }, 0).sinceMs, Date.UTC(2026, 2, 12), 'a day begins at midnight UTC');
  assert.equal(filterOf({ since: '2026-03-12T01:00:00+01:00' }, 0).sinceMs, Date.UTC(2026, 2, 12));
  assert.equal((await run('query', '--limit', 'x')).code, 2);
  assert.equal((await run('query', '-d', 'nowhere')).code, 1);
});
