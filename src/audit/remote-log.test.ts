import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../lib/logger.ts';
import { auditEvent } from './draft.ts';
import { RemoteAuditLog } from './remote-log.ts';
import type { AuditBatch, AuditReceipt } from './remote-log.ts';

const fine = { writable: true, backlogged: false, lost: 0 };
const entry = auditEvent('gateway.stopped', { reason: 'x' });

function remote(
  mode: 'strict' | 'available' = 'strict',
  stallMs = 60_000,
): { log: RemoteAuditLog; sent: AuditBatch[] } {
  const sent: AuditBatch[] = [];
  const send = (text: string): void => void sent.push(JSON.parse(text) as AuditBatch);
  return { log: new RemoteAuditLog({ mode, logger: silentLogger, send, stallMs }), sent };
}

function received(
  log: RemoteAuditLog,
  upTo: number,
  failure: string | null = null,
  status: AuditReceipt['status'] = fine,
): void {
  log.received({ upTo, failure, status });
}

async function settled(promise: Promise<void>): Promise<string> {
  const outcome = promise.then(
    () => 'durable',
    (error: { code?: string }) => error.code ?? 'error',
  );
  return Promise.race([outcome, sleep(20).then(() => 'waiting')]);
}

describe('a log that another process writes', () => {
  it('sends what one turn brought together, and is durable once a receipt covers it', async () => {
    const { log, sent } = remote();
    log.append(entry);
    log.append(entry);
    const two = log.durable();
    await nextTurn();
    assert.deepEqual(
      sent.map(({ upTo, drafts }) => [upTo, drafts.length]),
      [[2, 2]],
    );
    log.append(entry);
    const three = log.durable();
    await nextTurn();
    received(log, 2);
    assert.deepEqual([await settled(two), await settled(three)], ['durable', 'waiting']);
    received(log, 3);
    assert.equal(await settled(three), 'durable');
    assert.equal(await settled(log.durable()), 'durable');
  });

  it('refuses in strict mode while the writer cannot write, and asks again for the same entries', async () => {
    const { log, sent } = remote();
    log.append(entry);
    const first = log.durable();
    await nextTurn();
    received(log, 1, 'the disk is full', { ...fine, writable: false });
    assert.equal(await settled(first), 'audit-unavailable');
    assert.equal(await settled(log.durable()), 'audit-unavailable');
    await nextTurn();
    assert.deepEqual(sent.at(-1), { kind: 'audit', upTo: 1, lost: 0, drafts: [] });
    received(log, 1);
    assert.equal(await settled(log.durable()), 'durable');
  });

  it('goes on in available mode', async () => {
    const { log } = remote('available');
    log.append(entry);
    const waiting = log.durable();
    await nextTurn();
    received(log, 1, 'the disk is full', { ...fine, writable: false });
    assert.equal(await settled(waiting), 'durable');
    assert.equal(await settled(log.durable()), 'durable');
  });

  it('counts as unwritable where no receipt comes in time, and where the other process is gone', async () => {
    const { log } = remote('strict', 100);
    log.append(entry);
    assert.equal(await log.durable().catch((error: { code: string }) => error.code), 'audit-unavailable');
    assert.equal(log.status().writable, false);
    const other = remote();
    other.log.append(entry);
    const waiting = other.log.durable();
    other.log.disconnected();
    assert.equal(await settled(waiting), 'audit-unavailable');
    assert.equal(await settled(other.log.durable()), 'audit-unavailable');
  });

  it('holds no more than it may, says so, and reports what it lost', async () => {
    const { log, sent } = remote();
    const large = auditEvent('flow.window', { text: 'x'.repeat(1_000_000) } as never);
    for (let index = 0; index < 20; index += 1) log.append(large);
    assert.equal(log.status().backlogged, true);
    for (let index = 0; index < 60; index += 1) log.append(large);
    const { lost } = log.status();
    assert.ok(lost > 0 && lost < 60, `${lost} lost`);
    await nextTurn();
    received(log, sent.at(-1)?.upTo ?? 0);
    log.append(entry);
    await nextTurn();
    assert.equal(
      sent.reduce((sum, batch) => sum + batch.lost, 0),
      lost,
    );
    assert.equal(log.status().backlogged, false);
  });
});
