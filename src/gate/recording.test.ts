import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { codeOf, entryProblem, openAuditLog } from '../audit/audit.ts';
import type { AuditLog, EntryDraft } from '../audit/audit.ts';
import { silentLogger } from '../lib/logger.ts';
import { systemClock } from '../lib/clock.ts';
import type { Entry } from '../model/entry.ts';
import { openRecordings } from '../recording/recording.ts';
import { createGate, recordingEntries } from './gate.ts';
import type { RunningGate } from './gate.ts';
import { alice, laptop, readers } from './test-kit.ts';

const obligation = { level: 'full', owner: 'risk', classification: 'pii', retentionMs: null } as const;
const item = { kind: 'delivered', meta: { topic: 'payments' }, payload: Buffer.from('x'), records: 1 } as const;

interface Made {
  readonly gate: RunningGate;
  readonly drafts: EntryDraft[];
  readonly directory: string;
  readonly close: () => Promise<void>;
}

async function made(t: TestContext, mode: 'strict' | 'available'): Promise<Made> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gate-recording-'));
  const log = await openAuditLog({
    directory: join(folder, 'audit'),
    mode: 'strict',
    gatewayId: 'gw',
    clock: systemClock,
    logger: silentLogger,
  });
  const drafts: EntryDraft[] = [];
  const audit: AuditLog = {
    append(draft) {
      drafts.push(draft);
      return log.append(draft);
    },
    durable: () => log.durable(),
    status: () => log.status(),
    close: () => log.close(),
  };
  const directory = join(folder, 'recordings');
  const settings = { directory, keyFile: join(folder, 'key'), mode, segmentBytesMax: 1_048_576, freeBytesMin: 0 };
  const parts = { clock: systemClock, logger: silentLogger };
  const recordings = openRecordings({ settings, gatewayId: 'gw', ...parts, events: recordingEntries(audit) });
  const gate = createGate({ policies: () => readers, audit, mode: 'strict', windowMs: 1_000, ...parts, recordings });
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await gate.close();
    await recordings.close();
    await log.close();
  };
  t.after(async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  });
  return { gate, drafts, directory, close };
}

function assertShapes(drafts: readonly EntryDraft[]): void {
  for (const { code, data } of drafts) {
    const entry = { specversion: '1.0', id: 'r.1', source: '/sluice/gw', time: new Date().toISOString() };
    const whole = { ...entry, type: `dev.sluice.audit.${code}`, datacontenttype: 'application/json', data } as Entry;
    assert.equal(entryProblem(whole), null, code);
    assert.equal(codeOf(whole), code);
  }
}

test('what happens to a recording is entered, with the tags and the session, and its end before the log is closed', async (t) => {
  const { gate, drafts, close } = await made(t, 'strict');
  const session = await gate.join(alice, laptop);
  session.recorder?.record(obligation, item);
  await session.durable();
  session.leave('done');
  await close();
  const found = drafts.filter(({ code }) => code.startsWith('recording.'));
  assert.deepEqual(
    found.map(({ code }) => code),
    ['recording.started', 'recording.closed'],
  );
  for (const { data } of found) {
    assert.equal(data['session_id'], session.id);
    assert.deepEqual(data['principal'], { kind: 'user', id: 'alice', issuer: 'corp' });
    assert.deepEqual(data['tags'], { owner: 'risk', classification: 'pii', retention_ms: null });
  }
  assertShapes(drafts);
});

test('strict: a session that cannot be recorded ends, its connections are told, and it may do nothing more', async (t) => {
  const { gate, drafts, directory } = await made(t, 'strict');
  await writeFile(directory, 'not a folder');
  const session = await gate.join(alice, laptop);
  const told: string[] = [];
  session.onEnd((reason) => void told.push(reason));
  const deaf = session.onEnd(() => assert.fail('it was taken back'));
  deaf();
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
  session.recorder?.record(obligation, item);
  await assert.rejects(async () => await session.durable(), { code: 'recording-unavailable' });
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /recording failed/);
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'deny');
  assert.deepEqual(gate.sessions(), []);
  const codes = drafts.map(({ code }) => code);
  assert.ok(codes.includes('recording.failed') && codes.includes('session.closed'), codes.join());
  assertShapes(drafts);
  const next = await gate.join(alice, laptop);
  assert.notEqual(next.id, session.id, 'whoever comes back begins anew');
  session.leave('closed');
});

test('available: the session goes on, and what was lost is entered', async (t) => {
  const { gate, drafts, directory, close } = await made(t, 'available');
  await writeFile(directory, 'not a folder');
  const session = await gate.join(alice, laptop);
  session.recorder?.record(obligation, item);
  assert.equal(session.recorder?.durable(), null);
  await session.durable();
  await new Promise((resolve) => setTimeout(resolve, 50));
  session.recorder?.record(obligation, item);
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
  session.leave('done');
  await close();
  const failed = drafts.find(({ code }) => code === 'recording.failed');
  const lost = drafts.find(({ code }) => code === 'recording.lost');
  assert.ok(failed !== undefined && lost !== undefined);
  assert.deepEqual(
    [failed.data['lost'], lost.data['lost']].map((one) => (one as { records: number }).records),
    [1, 1],
  );
  assertShapes(drafts);
});
