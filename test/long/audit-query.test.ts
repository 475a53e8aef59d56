/**
 * A month of a busy gateway's log, and the auditor's question: who read record 4711 of payments-3 on March 12? The
 * question, its answer and its time are printed.
 *
 * SLUICE_LONG_BUDGET=short asks the same of half a day. SLUICE_AUDIT_MONTH=FOLDER keeps the log there, and takes it from
 * there the next time.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openQuestions, queryLog } from '../../src/audit/audit.ts';
import type { QueryFilter } from '../../src/audit/audit.ts';
import { writeMonth } from './audit-query/month.ts';

const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
const startMs = Date.UTC(2026, 2, 1);
/** Short: another record, which came within the first hours. */
const offset = short ? 47n : 4_711n;
const [sinceMs, untilMs] = short ? [startMs, startMs + 43_200_000] : [Date.UTC(2026, 2, 12), Date.UTC(2026, 2, 13)];
const record: QueryFilter = { topic: 'payments', partition: 3, offset, action: 'read' };
const answerMsMax = 1_000;

async function folderOf(): Promise<{ readonly folder: string; readonly kept: boolean }> {
  const kept = process.env['SLUICE_AUDIT_MONTH'];
  if (kept === undefined || short) return { folder: await mkdtemp(join(tmpdir(), 'sluice-month-')), kept: false };
  await mkdir(kept, { recursive: true });
  return { folder: kept, kept: true };
}

interface Timed {
  readonly openMs: number;
  readonly askMs: number;
  readonly rows: readonly (readonly unknown[])[];
}

async function ask(directory: string, filter: QueryFilter, sql: string): Promise<Timed> {
  const startedMs = performance.now();
  const questions = await openQuestions(directory, { filter, rowsMax: 1_000, timeoutMs: 600_000 });
  const openedMs = performance.now();
  const { rows } = await questions.select(sql);
  const endedMs = performance.now();
  await questions.close();
  return { openMs: openedMs - startedMs, askMs: endedMs - openedMs, rows };
}

test('who read record 4711 of payments-3 on March 12?', async (t) => {
  const { folder, kept } = await folderOf();
  if (!kept) t.after(() => rm(folder, { recursive: true, force: true }));
  const directory = join(folder, 'audit');
  const there = await readdir(directory).catch(() => []);
  if (there.length === 0) {
    const month = { directory, keyFile: join(folder, 'key'), startMs, days: short ? 0.5 : 31, entriesMax: 20_000_000 };
    const startedMs = performance.now();
    const entries = await writeMonth(month, (share) => {
      if (!short && process.stderr.isTTY) process.stderr.write(`\rwriting the month: ${Math.floor(share * 100)} %`);
    });
    console.log(`${entries} entries written in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  }
  const everything = 'SELECT count(*), count(DISTINCT session), min(time), max(time) FROM entries';
  const first = await ask(directory, {}, everything);
  console.log(
    `index made in ${(first.openMs / 1_000).toFixed(1)} s: entries, sessions, from, to: ${first.rows.join()}`,
  );
  assert.ok(Number(first.rows[0]?.[0]) >= (short ? 50_000 : 5_000_000));

  const who = 'SELECT started, principal, issuer, address, session, ranges FROM entries ORDER BY started';
  await ask(directory, { ...record, sinceMs, untilMs }, who);
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { openMs, askMs, rows } = await ask(directory, { ...record, sinceMs, untilMs }, who);
    times.push(openMs + askMs);
    assert.ok(rows.length > 0, 'somebody did');
    if (round === 0) console.log(rows.map((row) => JSON.stringify(row)).join('\n'));
  }
  const [fastest = Number.NaN, , median = Number.NaN] = times.toSorted((a, b) => a - b);
  console.log(
    `payments-3, record ${offset}, one day: ${median.toFixed(0)} ms (median of 5, files opened each time; fastest ${fastest.toFixed(0)} ms)`,
  );
  const whole = await ask(directory, record, who);
  console.log(`the same over the whole log: ${(whole.openMs + whole.askMs).toFixed(0)} ms, ${whole.rows.length} found`);
  const scanned: string[] = [];
  for await (const { entry } of queryLog(directory, { ...record, sinceMs, untilMs })) scanned.push(entry.id);
  const found = await ask(directory, { ...record, sinceMs, untilMs }, 'SELECT id FROM entries ORDER BY segment, line');
  assert.deepEqual(found.rows.flat(), scanned, 'as a scan of the lines finds');
  // What else the machine does only ever adds: the fastest says what the question takes. CI looks at the figures only.
  if (!short) assert.ok(fastest < answerMsMax, `${fastest} ms`);
});
