/** What SQL must not get at. Each of these was an attack before it was a test. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../lib/logger.ts';
import { systemClock } from '../../lib/clock.ts';
import { openAuditLog } from '../audit.ts';
import { auditEvent } from '../draft.ts';
import { openQuestions } from './ask.ts';
import type { Questions } from './ask.ts';

let folder = '';
let questions: Questions;
const secret = 'root:x:0:0';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-sql-'));
  const directory = join(folder, 'audit');
  const log = await openAuditLog({
    directory,
    mode: 'strict',
    gatewayId: 'gw',
    clock: systemClock,
    logger: silentLogger,
  });
  log.append(auditEvent('gateway.stopped', { reason: 'x' }));
  await log.close();
  await writeFile(join(folder, 'secret.csv'), `${secret}\n`);
  questions = await openQuestions(directory, { filter: {}, rowsMax: 10, timeoutMs: 1_000 });
});
after(async () => {
  await questions.close();
  await rm(folder, { recursive: true, force: true });
});

const fails = (sql: string): Promise<void> =>
  assert.rejects(
    questions.select(sql.replaceAll('FOLDER', folder)),
    (error: Error) =>
      !error.message.includes(secret) && /query-(refused|failed|timeout)/.test(String(Reflect.get(error, 'code'))),
    sql,
  );

describe('what is refused', () => {
  test('reading files, in every way there is', async () => {
    for (const source of [
      `read_csv('FOLDER/secret.csv')`,
      `'FOLDER/secret.csv'`,
      `"FOLDER/secret.csv"`,
      `read_text('FOLDER/secret.csv')`,
      `read_blob('FOLDER/*')`,
      `read_json('FOLDER/audit/*.jsonl')`,
      `read_ndjson_objects('FOLDER/secret.csv')`,
      `read_parquet('FOLDER/audit/index/*.parquet')`,
      `parquet_metadata('FOLDER/audit/index/x.parquet')`,
      `sniff_csv('FOLDER/secret.csv')`,
      `glob('/etc/*')`,
      `query('select * from read_text(''FOLDER/secret.csv'')')`,
      `query_table('FOLDER/secret.csv')`,
      `'https://example.com/x.parquet'`,
      `duckdb_settings()`,
      `duckdb_secrets()`,
      'duckdb_logs',
      'information_schema.tables',
      'pg_catalog.pg_class',
      'main.entries',
    ]) {
      await fails(`SELECT * FROM ${source}`);
      await fails(`SELECT (SELECT count(*) FROM ${source})`);
      await fails(`WITH t AS (SELECT * FROM ${source}) SELECT * FROM t`);
      await fails(`SELECT 1 FROM entries JOIN ${source} ON true`);
      await fails(`SELECT 1 UNION ALL SELECT 2 FROM ${source}`);
      await fails(`SELECT * FROM (WITH "FOLDER/secret.csv" AS (SELECT 1) SELECT 1), (SELECT * FROM ${source})`);
    }
  });

  test('everything that is no SELECT', async () => {
    for (const sql of [
      `COPY (SELECT 1) TO 'FOLDER/out.csv'`,
      `COPY entries TO 'FOLDER/audit/index/x.parquet'`,
      `ATTACH 'FOLDER/x.db'`,
      'INSTALL httpfs',
      'LOAD httpfs',
      'PRAGMA database_list',
      `SET memory_limit = '100GB'`,
      'RESET ALL',
      'CREATE TABLE t AS SELECT 1',
      'CREATE OR REPLACE TEMP VIEW entries AS SELECT 1',
      'DROP VIEW entries',
      `EXPORT DATABASE 'FOLDER/out'`,
      'CALL enable_logging()',
      'CHECKPOINT',
      'BEGIN',
      'EXPLAIN ANALYZE SELECT 1',
      'PREPARE p AS SELECT 1',
      'SELECT 1; DROP VIEW entries',
      'SELECT 1; SELECT 2',
      '',
      ';',
      'SELEC 1',
    ])
      await fails(sql);
    assert.deepEqual((await readdir(folder)).toSorted(), ['audit', 'secret.csv']);
  });

  test("the engine's own doors: logs, profiles, settings", async () => {
    // The first of these ended the whole process before the guard was there.
    for (const source of [
      `enable_logging('QueryLog', storage='file', storage_path='FOLDER/logs')`,
      'enable_profiling()',
      'disable_logging()',
      'checkpoint()',
      'force_checkpoint()',
      'truncate_duckdb_logs()',
      "json_execute_serialized_sql(json_serialize_sql('select 1'))",
    ])
      await fails(`SELECT * FROM ${source}`);
    await fails(`SELECT write_log('x')`);
    await fails(`SELECT * FROM entries WHERE write_log('x') IS NULL`);
  });

  test('more time, memory or text than there is', async () => {
    await assert.rejects(questions.select('SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b'), {
      code: 'query-timeout',
    });
    await fails('SELECT list(range) FROM range(1000000000)');
    await fails(`SELECT '${'x'.repeat(70_000)}'`);
  });
});

test('a wrong name is answered with the near ones', async () => {
  await assert.rejects(questions.select('SELECT principl FROM entries'), /principl[^]*"principal"/);
  await assert.rejects(questions.select('SELECT 1 FROM entry'), /no table entry: ask `entries`/);
});

test('SELECT in all its forms is answered', async () => {
  for (const sql of [
    'SELECT count(*) FROM entries',
    'FROM entries SELECT count(*)',
    'WITH t AS (SELECT * FROM entries) SELECT count(*) FROM t',
    'SELECT count(*) FROM ENTRIES e WHERE e.id IN (SELECT id FROM entries)',
    'SELECT (SELECT count(*) FROM entries)',
  ])
    assert.deepEqual((await questions.select(sql)).rows, [[2]], sql);
  assert.deepEqual(
    (await questions.select(`SELECT data->>'$.reason' FROM entries WHERE code = 'gateway.stopped'`)).rows,
    [['x']],
  );
  const many = await questions.select('SELECT range FROM range(1000)');
  assert.deepEqual([many.rows.length, many.more], [10, true]);
});
