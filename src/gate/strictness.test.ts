import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { AuditLog, EntryDraft } from '../audit/audit.ts';
import { SluiceError } from '../lib/errors.ts';
import { silentLogger } from '../lib/logger.ts';
import { createGate } from './gate.ts';
import type { RunningGate } from './gate.ts';
import { alice, laptop, readers } from './test-kit.ts';

/** A log whose disk the test holds in its hand. */
class HeldLog implements AuditLog {
  readonly drafts: EntryDraft[] = [];
  readonly current = { writable: true, backlogged: false, lost: 0, entries: 0 };
  waits = 0;
  #waiting = Promise.withResolvers<void>();
  #auto = true;

  append(draft: EntryDraft): string {
    this.drafts.push(draft);
    return String(this.drafts.length);
  }

  durable(): Promise<void> {
    this.waits += 1;
    if (!this.current.writable)
      return Promise.reject(new SluiceError('audit-unavailable', 'disk full', { retriable: true }));
    return this.#auto ? Promise.resolve() : this.#waiting.promise;
  }

  status(): HeldLog['current'] {
    return this.current;
  }

  async close(): Promise<void> {}

  hold(): void {
    this.#auto = false;
    this.#waiting = Promise.withResolvers();
  }

  release(): void {
    this.#auto = true;
    this.#waiting.resolve();
  }

  codes(): string[] {
    return this.drafts.map((draft) => draft.code);
  }
}

function gateOn(t: TestContext, log: HeldLog, mode: 'strict' | 'available'): RunningGate {
  const clock = { nowMs: (): number => 1_000 };
  const gate = createGate({ policies: () => readers, audit: log, mode, windowMs: 5_000, clock, logger: silentLogger });
  t.after(() => {
    log.release();
    return gate.close();
  });
  return gate;
}

async function settled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

test('strict: nobody gets a session before its entry is on disk', async (t) => {
  const log = new HeldLog();
  const gate = gateOn(t, log, 'strict');
  log.hold();
  const joining = gate.join(alice, laptop);
  const second = gate.join(alice, { ...laptop, addressPort: 2 });
  assert.equal(await settled(Promise.all([joining, second]).then(() => undefined)), false);
  log.release();
  assert.equal(await joining, await second);
  assert.deepEqual(log.codes(), ['session.opened']);
});

test('strict: a log that cannot be written refuses a join, and a flood of them leaves one session and one entry', async (t) => {
  const log = new HeldLog();
  const gate = gateOn(t, log, 'strict');
  log.current.writable = false;
  for (let i = 0; i < 50; i += 1) await assert.rejects(gate.join(alice, laptop), { code: 'audit-unavailable' });
  assert.deepEqual(
    gate.sessions().map((view) => view.connections),
    [0],
  );
  assert.deepEqual(log.codes(), ['session.opened']);
  log.current.writable = true;
  await gate.join(alice, laptop);
});

test('strict: a flow waits for its own entry, and a flow opened meanwhile waits for both', async (t) => {
  const log = new HeldLog();
  const session = await gateOn(t, log, 'strict').join(alice, laptop);
  log.hold();
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  const first = session.durable();
  assert.ok(first);
  session.decide('describe', 'topic', 'payments', -1, 'Metadata v13');
  const second = session.durable();
  assert.ok(second && second !== first, 'the first promise says nothing of the second entry');
  assert.equal(await settled(first), false);
  log.release();
  await Promise.all([first, second]);
  assert.equal(session.durable(), null);
});

test('strict: what was refused is waited for again; known flows are refused too while nothing can be written', async (t) => {
  const log = new HeldLog();
  const session = await gateOn(t, log, 'strict').join(alice, laptop);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  await session.durable();
  log.current.writable = false;
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
  await assert.rejects(session.durable() ?? Promise.resolve(), { code: 'audit-unavailable' }, 'a known flow');
  session.decide('describe', 'topic', 'payments', -1, 'Metadata v13');
  await assert.rejects(session.durable() ?? Promise.resolve(), { code: 'audit-unavailable' }, 'a new flow');
  log.current.writable = true;
  const waits = log.waits;
  await session.durable();
  assert.equal(log.waits, waits + 1, 'the entry of the refused flow is still waited for');
  assert.equal(session.durable(), null);
});

test('strict: a backlog holds everyone until it is written', async (t) => {
  const log = new HeldLog();
  const session = await gateOn(t, log, 'strict').join(alice, laptop);
  log.current.backlogged = true;
  log.hold();
  const waiting = session.durable();
  assert.ok(waiting);
  assert.equal(await settled(waiting), false);
  log.current.backlogged = false;
  log.release();
  await waiting;
  assert.equal(session.durable(), null);
});

test('after a loss every flow is told again, because its entry may be among the lost', async (t) => {
  const log = new HeldLog();
  const session = await gateOn(t, log, 'strict').join(alice, laptop);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  log.current.lost = 1;
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  assert.deepEqual(log.codes(), ['session.opened', 'flow.opened', 'flow.opened']);
});

test('available: nobody waits for the disk, and every entry is appended all the same', async (t) => {
  const log = new HeldLog();
  log.hold();
  log.current.backlogged = true;
  const gate = gateOn(t, log, 'available');
  const session = await gate.join(alice, laptop);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  assert.equal(session.durable(), null);
  log.current.writable = false;
  assert.equal(session.durable(), null);
  assert.deepEqual(log.codes(), ['session.opened', 'flow.opened', 'operation.denied']);
  log.release();
});
