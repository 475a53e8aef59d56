import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger } from '../../lib/logger.ts';
import type { EntryDraft } from '../draft.ts';
import { entryProblem } from '../entry-shape.ts';
import { entriesOf, openSigned, publicKeyOf, signedLog } from '../testing/signed-log.ts';
import { verifyLog } from '../verify/verify.ts';
import { AccessIntake } from './intake.ts';
import { leaveEntry } from './spool.ts';
import type { AccessData } from './spool.ts';

const question: AccessData['log.queried'] = {
  query_id: '7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1',
  asked_at: '2026-03-12T08:15:02.117Z',
  by: { user: 'auditor', uid: 1001, host: 'gw-1', claimed: '' },
  kind: 'sql',
  question: 'SELECT 1',
  digest: 'a'.repeat(64),
  outcome: 'answered',
  rows: 1,
  more: false,
  verified: false,
};

/** A log that takes what it is given, while it works. */
class FakeLog {
  readonly drafts: EntryDraft[] = [];
  writable = true;
  durableFails = false;

  append(draft: EntryDraft): string {
    this.drafts.push(draft);
    return 'x';
  }

  durable(): Promise<void> {
    return this.durableFails ? Promise.reject(new Error('ENOSPC')) : Promise.resolve();
  }

  status(): { writable: boolean } {
    return this;
  }
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-access-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const left = (folder: string): Promise<string[]> => readdir(join(folder, 'access'));

test('what is left without a gateway is in the signed log once one runs', async (t) => {
  const at = await signedLog(t);
  await mkdir(at.log, { mode: 0o700 });
  await leaveEntry(at.log, 'log.queried', question);
  const before = await verifyLog(at.log, {});
  assert.deepEqual(before.findings, []);
  assert.equal(before.waiting, 1);
  const log = await openSigned(at);
  await leaveEntry(at.log, 'log.queried', { ...question, kind: 'filter' });
  await log.close();
  const entries = (await entriesOf(at)).filter(({ type }) => type.endsWith('log.queried'));
  assert.deepEqual(
    entries.map(({ data }) => [data['kind'], data['file_owner']]),
    [
      ['sql', process.getuid?.()],
      ['filter', process.getuid?.()],
    ],
  );
  assert.deepEqual(entries.map(entryProblem), [null, null]);
  assert.deepEqual(await left(at.log), []);
  const after = await verifyLog(at.log, { keys: [await publicKeyOf(at)] });
  assert.deepEqual([after.integrity, after.completeness, after.waiting], ['intact', 'complete', 0]);
});

test('nobody can have the gateway write anything else', async (t) => {
  const folder = await folderOf(t);
  await leaveEntry(folder, 'log.queried', question);
  const name = (n: number): string =>
    join(folder, 'access', `170000000000${n}-7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1.json`);
  const forged: readonly unknown[] = [
    { code: 'flow.window', data: {} },
    { code: 'log.tombstone', data: question },
    { code: 'log.queried', data: { ...question, seq: 1 } },
    { code: 'log.queried', data: { ...question, question: 'x'.repeat(5_000) } },
    { code: 'log.queried', data: { ...question, rows: -1 } },
    { code: 'log.queried', data: question, subject: 'topic/payments' },
    'no object',
  ];
  for (const [index, each] of forged.entries()) await writeFile(name(index), JSON.stringify(each));
  await writeFile(name(8), `{"code":"log.queried","data":{"x":"${'x'.repeat(100_000)}"}}`);
  await writeFile(name(9), '{"torn');
  await writeFile(join(folder, 'access', 'other.json'), '{}');
  const log = new FakeLog();
  const intake = new AccessIntake(folder, log, silentLogger);
  await intake.close();
  assert.deepEqual(
    log.drafts.map(({ code, data }) => [code, data['file_owner'], data['query_id']]),
    [['log.queried', process.getuid?.(), question.query_id]],
  );
  const names = await left(folder);
  assert.equal(names.filter((each) => each.endsWith('.refused')).length, 9, names.join(' '));
  assert.ok(names.includes('other.json'));
});

test('it stays until it is on disk in the log, and is entered once', async (t) => {
  const folder = await folderOf(t);
  await leaveEntry(folder, 'log.queried', question);
  const log = new FakeLog();
  const intake = new AccessIntake(folder, log, silentLogger);
  log.writable = false;
  await intake.take();
  assert.equal(log.drafts.length, 0, 'a log that cannot be written is given nothing');
  Object.assign(log, { writable: true, durableFails: true });
  await intake.take();
  await intake.take();
  assert.deepEqual([log.drafts.length, (await left(folder)).length], [1, 1]);
  log.durableFails = false;
  await intake.close();
  assert.deepEqual([log.drafts.length, (await left(folder)).length], [1, 0]);
});

test('what cannot be left says so', async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, 'access'), '');
  await assert.rejects(leaveEntry(folder, 'log.queried', question), { code: 'access-not-recorded' });
});
