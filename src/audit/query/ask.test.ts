import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { SessionData } from '../audit.ts';
import type { EntryDraft } from '../draft.ts';
import { auditEvent } from '../draft.ts';
import { entryLine } from '../envelope.ts';
import { openQuestions } from './ask.ts';
import { conditionOf } from './filter-sql.ts';
import type { QueryFilter } from './filter.ts';
import { queryLog } from './query.ts';

const startMs = Date.UTC(2026, 2, 12);
const at = (ms: number): string => new Date(startMs + ms).toISOString();

function about(id: string, seq: number): SessionData {
  return {
    session_id: `7f1de1a4-7b52-4d0e-a0c0-${id.padEnd(12, '0')}`,
    seq,
    port: 'orders',
    principal: { kind: 'user', id, issuer: 'corp', groups: id === 'b0b' ? ['a', "o'brien"] : [] },
    client: { address: '10.0.0.7', client_id: 'c', software: 's', mechanism: 'PLAIN', tls: true },
    policy_revision: 'r',
  };
}

function windowOf(
  id: string,
  seq: number,
  partition: number,
  ranges: readonly (readonly [string, string])[],
): EntryDraft {
  const amounts = { records: 3, records_without_offset: 0, bytes: 9, requests: 1, approximate: false };
  const flow = { operation: 'read', topic: 'payments', partition, ranges, ...amounts } as const;
  const window = { start: at(seq * 60_000), end: at(seq * 60_000 + 10_000) };
  return auditEvent('flow.window', { ...about(id, seq), flow, window }, 'topic/payments');
}

function decisionOf(
  id: string,
  seq: number,
  type: string,
  name: string,
  granted: boolean,
  partition?: number,
): EntryDraft {
  const authorization = {
    granted,
    operation: 'read',
    resourceType: type,
    resourceName: name,
    patternType: 'literal',
    reason: granted ? 'allowed' : 'no-matching-rule',
    rule: null,
    ...(partition !== undefined && { partition }),
  } as const;
  const data = { ...about(id, seq), authorization, request: 'Fetch v17' };
  return granted ? auditEvent('flow.opened', data) : auditEvent('operation.denied', { ...data, count: 2 });
}

const client = about('x', 1).client;
const drafts: readonly EntryDraft[] = [
  windowOf('a11ce', 1, 3, [
    ['4000', '4999'],
    ['6000', '9223372036854775807'],
  ]),
  windowOf('b0b', 2, 3, [['0', '0']]),
  windowOf('b0b', 3, 4, []),
  decisionOf('a11ce', 4, 'topic', 'payments', true),
  decisionOf("o'brien\u001b[2J", 5, 'topic', 'payments', false, 3),
  decisionOf('b0b', 6, 'group', 'billing', false),
  auditEvent('authentication.failed', {
    port: 'orders',
    client,
    failure: { code: 'expired', detail: '' },
    claimed: { id: 'b0b', issuer: 'corp' },
    count: 1,
  }),
  auditEvent('operation.refused', { ...about('b0b', 7), refusal: { code: 'x', detail: 'y' }, request: 'z', count: 1 }),
  auditEvent('log.closed', { entries: 8, lost: 0 }),
];
const lines = drafts.map(
  (draft, index) => `${entryLine(draft, `run.${index + 1}`, '/sluice/gw', at(index * 90_000))}\n`,
);

/** A log of segments with these lines. */
async function logOf(t: TestContext, ...segments: readonly (readonly string[])[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-ask-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [index, own] of segments.entries()) await writeFile(join(folder, segmentName(index)), own.join(''));
  return folder;
}

const segmentName = (index: number): string => `audit-20260312-0000${String(index).padStart(2, '0')}-000.jsonl`;

async function find(folder: string, filter: QueryFilter = {}): Promise<string[]> {
  const questions = await openQuestions(folder, { filter, rowsMax: 1_000 });
  try {
    return (await questions.find()).found.map(({ entry }) => entry.id);
  } finally {
    await questions.close();
  }
}

async function scan(folder: string, filter: QueryFilter): Promise<string[]> {
  const found: string[] = [];
  for await (const { entry } of queryLog(folder, filter)) found.push(entry.id);
  return found;
}

const all = drafts.map((_, index) => `run.${index + 1}`);

test('every filter means the same to the index, to the tail that is being written, and to the scan', async (t) => {
  const indexed = await logOf(t, lines, []);
  const filters: readonly QueryFilter[] = [
    {},
    ...['a11ce', 'b0b', "o'brien\u001b[2J", 'nobody'].map((principal) => ({ principal })),
    { memberOf: "o'brien" },
    { memberOf: 'z' },
    { topic: 'payments' },
    { topic: 'billing' },
    { group: 'billing' },
    { partition: 3 },
    { action: 'read' },
    { session: about('b0b', 1).session_id },
    { code: 'flow.window' },
    ...(['permitted', 'denied', 'refused', 'failed', 'flowed'] as const).map((outcome) => ({ outcome })),
    ...[0n, 1n, 3_999n, 4_000n, 4_999n, 5_000n, 9_223_372_036_854_775_807n].map((offset) => ({
      topic: 'payments',
      partition: 3,
      offset,
    })),
    ...[0, 60_000, 69_999, 70_000, 70_001, 450_000, 900_000].flatMap((ms) => [
      { sinceMs: startMs + ms },
      { untilMs: startMs + ms },
      { sinceMs: startMs + ms, untilMs: startMs + ms + 60_000 },
    ]),
  ];
  const tail = await logOf(t, lines);
  for (const folder of [indexed, tail]) {
    const questions = await openQuestions(folder, { filter: {}, rowsMax: 100 });
    for (const filter of filters) {
      const { rows } = await questions.select(
        `SELECT id FROM entries WHERE ${conditionOf(filter)} ORDER BY segment, line`,
      );
      const text = JSON.stringify(filter, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
      assert.deepEqual(rows.flat(), await scan(indexed, filter), text);
    }
    await questions.close();
  }
  assert.deepEqual(await find(indexed), all);
  assert.ok((await readdir(join(indexed, 'index'))).includes(segmentName(0).replace('jsonl', 'parquet')));
});

test('an entry comes back as it was written', async (t) => {
  const folder = await logOf(t, lines, []);
  const questions = await openQuestions(folder, { filter: {}, rowsMax: 3 });
  const { found, more } = await questions.find();
  await questions.close();
  assert.equal(more, true);
  assert.deepEqual(
    found.map(({ entry }) => entry),
    lines.slice(0, 3).map((line): unknown => JSON.parse(line)),
  );
});

describe('while the gateway writes', () => {
  test('a torn line is none, and becomes one; nothing is counted twice', async (t) => {
    const folder = await logOf(t, lines.slice(0, 4), lines.slice(4, 6));
    const [open, torn] = [join(folder, segmentName(1)), lines[6] ?? ''];
    assert.deepEqual(await find(folder), all.slice(0, 6));
    await appendFile(open, torn.slice(0, 50));
    assert.deepEqual(await find(folder), all.slice(0, 6));
    await appendFile(open, torn.slice(50));
    assert.deepEqual(await find(folder), all.slice(0, 7));
    await writeFile(join(folder, segmentName(2)), lines.slice(7).join(''));
    assert.deepEqual(await find(folder), all);
    assert.deepEqual(await find(folder), all);
  });

  test('what is whole of a large open segment is indexed, and the rest is read', async (t) => {
    const many = Array.from(
      { length: 6_000 },
      (_, n) => entryLine(windowOf('a11ce', n + 1, 1, [['1', '2']]), `big.${n + 1}`, '/s', at(n)) + '\n',
    );
    const folder = await logOf(t, many);
    const open = join(folder, segmentName(0));
    assert.ok((await stat(open)).size > 4_194_304);
    assert.equal(await count(folder), 6_000);
    assert.equal((await readdir(join(folder, 'index'))).length, 2);
    await appendFile(open, lines.join(''));
    assert.equal(await count(folder), 6_000 + lines.length);
  });

  test('bytes that a failed write left behind are no entries', async (t) => {
    const cut = auditEvent('log.recovered', {
      segment: segmentName(0),
      cause: 'write-failed',
      complete_bytes: Buffer.byteLength(lines.slice(0, 2).join('')),
      torn_bytes: 9_999,
      last_id: '',
      last_time: '',
    });
    const report = `${entryLine(cut, 'run.10', '/sluice/gw', at(0))}\n`;
    const folder = await logOf(t, lines.slice(0, 4), [report, ...lines.slice(2)]);
    assert.deepEqual(await find(folder), ['run.1', 'run.2', 'run.10', ...all.slice(2)]);
  });
});

describe('the index is never trusted beyond its source', () => {
  test('a file that was changed is made anew; so is one whose segment was', async (t) => {
    const folder = await logOf(t, lines, []);
    await find(folder);
    const other = await logOf(t, lines.slice(3), []);
    await find(other);
    const [parquet, foreign] = [folder, other].map((each) =>
      join(each, 'index', segmentName(0).replace('jsonl', 'parquet')),
    );
    const good = await readFile(parquet ?? '');
    await writeFile(parquet ?? '', await readFile(foreign ?? ''));
    assert.deepEqual(await find(folder), all, 'another file in its place');
    const flipped = Buffer.from(good);
    flipped[200] = (flipped[200] ?? 0) ^ 1;
    await writeFile(parquet ?? '', flipped);
    assert.deepEqual(await find(folder), all, 'one bit');
    await writeFile(parquet ?? '', '');
    assert.deepEqual(await find(folder), all, 'empty');
    await writeFile((parquet ?? '').replace('parquet', 'json'), '{"maker":1}');
    assert.deepEqual(await find(folder), all, 'no note');
    const segment = join(folder, segmentName(0));
    const text = await readFile(segment, 'utf8');
    const { atime, mtime } = await stat(segment);
    await writeFile(segment, text.replaceAll('a11ce', 'ma1ry'));
    await utimes(segment, atime, mtime);
    assert.deepEqual(await find(folder, { principal: 'a11ce' }), [], 'of the same length, at the same time');
    assert.equal((await find(folder, { principal: 'ma1ry' })).length, 2);
  });

  test('what a removed segment left in it is removed', async (t) => {
    const folder = await logOf(t, lines.slice(0, 4), lines.slice(4), []);
    assert.deepEqual(await find(folder), all);
    await rm(join(folder, segmentName(0)));
    assert.deepEqual(await find(folder), all.slice(4));
    assert.equal(
      (await readdir(join(folder, 'index'))).some((name) => name.startsWith('audit-20260312-000000')),
      false,
    );
  });

  test('lines that are no entries are counted and passed over', async (t) => {
    const noise = ['not json\n', '[1]\n', '{"id":"x"}\n', '\n', '{"data":{},"id":"y","time":"never","type":"t"}\n'];
    const folder = await logOf(t, [...noise, ...lines], ['nothing\n']);
    const questions = await openQuestions(folder, { filter: { principal: 'b0b' }, rowsMax: 100 });
    assert.deepEqual([(await questions.find()).found.length, questions.strays], [5, 5]);
    await questions.close();
  });

  test(
    'a folder that cannot be written is answered from an index elsewhere',
    { skip: process.getuid?.() === 0 && 'root may write everywhere' },
    async (t) => {
      const folder = await logOf(t, lines, []);
      await chmod(folder, 0o500);
      t.after(() => chmod(folder, 0o700));
      const cache = await mkdtemp(join(tmpdir(), 'sluice-cache-'));
      t.after(() => rm(cache, { recursive: true, force: true }));
      process.env['XDG_CACHE_HOME'] = cache;
      t.after(() => delete process.env['XDG_CACHE_HOME']);
      assert.deepEqual(await find(folder), all);
      assert.equal((await readdir(folder)).includes('index'), false);
    },
  );

  test('nobody else can read what is made', async (t) => {
    const folder = await logOf(t, lines, []);
    await find(folder);
    const index = join(folder, 'index');
    for (const name of await readdir(index)) assert.equal((await stat(join(index, name))).mode & 0o077, 0, name);
    assert.equal((await stat(index)).mode & 0o077, 0);
  });
});

test('a gateway does not load the engine', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-ask-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'x'));
  const main = new URL('../../main.ts', import.meta.url).href;
  const script = `await import(${JSON.stringify(main)}); const { readFileSync } = await import('node:fs'); process.stdout.write(String(/duckdb/.test(readFileSync('/proc/self/maps', 'utf8'))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(stdout, 'false');
});

async function count(folder: string): Promise<number> {
  const questions = await openQuestions(folder, { filter: {}, rowsMax: 10 });
  try {
    return Number((await questions.select('SELECT count(*) FROM entries')).rows[0]?.[0]);
  } finally {
    await questions.close();
  }
}
