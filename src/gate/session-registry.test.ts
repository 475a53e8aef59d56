import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuditLog, EntryDraft } from '../audit/audit.ts';
import { auditEvent } from '../audit/audit.ts';
import { silentLogger } from '../lib/logger.ts';
import type { JsonObject } from '../model/json.ts';
import { createGate } from './gate.ts';
import type { GateSession, RunningGate, SessionDirectory } from './gate.ts';
import { SessionRegistry } from './session-registry.ts';
import { alice, laptop, read, readers } from './test-kit.ts';

/** A log in memory. */
function memoryLog(): AuditLog & { readonly drafts: EntryDraft[] } {
  const drafts: EntryDraft[] = [];
  const status = { writable: true, backlogged: false, lost: 0, entries: 0 };
  return {
    drafts,
    append: (draft) => String(drafts.push(structuredClone(draft))),
    durable: () => Promise.resolve(),
    status: () => status,
    close: () => Promise.resolve(),
  };
}

const windowMs = 10_000;

interface Bench {
  readonly log: ReturnType<typeof memoryLog>;
  readonly registry: SessionRegistry;
  nowMs: number;
  /** A gate as a worker has it. */
  readonly worker: (number: number) => RunningGate;
  readonly codes: () => string[];
}

/** Real gates, one per worker, on one registry. */
function bench(connectionsPerPrincipalMax = 100): Bench {
  const log = memoryLog();
  const made = { nowMs: Date.parse('2027-03-01T10:00:00Z') };
  const clock = { nowMs: () => made.nowMs };
  const observer = { sessionOpened() {}, sessionClosed() {} };
  const registry = new SessionRegistry({
    audit: log,
    clock,
    logger: silentLogger,
    windowMs,
    observer,
    connectionsPerPrincipalMax,
  });
  return Object.assign(made, {
    log,
    registry,
    worker(number: number): RunningGate {
      const directory: SessionDirectory = {
        join: (request) => Promise.resolve(registry.join(number, request)),
        leave: (id) => registry.leave(number, id),
      };
      const audit = { ...memoryLog(), append: (draft: EntryDraft) => (registry.append(number, draft), '') };
      const policies = (): typeof readers => readers;
      const common = { mode: 'strict', windowMs, clock, logger: silentLogger } as const;
      return createGate({ ...common, policies, audit, directory });
    },
    codes: () => log.drafts.map(({ code }) => code),
  });
}

function use(session: GateSession): void {
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('write', 'topic', 'secrets', 0, 'Produce v13');
  read(session, 0, 0n, 9n);
}

function counters(draft: EntryDraft | undefined): JsonObject {
  return draft?.data['counters'] as JsonObject;
}

function numbers(drafts: readonly EntryDraft[]): unknown[] {
  return drafts.map(({ data }) => data['seq']);
}

describe('sessions over workers', () => {
  it('are one: one id, one beginning, one end, numbers without a gap, flows told once, counts added', async () => {
    const { log, registry, worker } = bench();
    const [one, two] = [worker(1), worker(2)];
    const [a, b] = [await one.join(alice, laptop), await two.join(alice, laptop)];
    assert.equal(a.id, b.id);
    use(a);
    use(b);
    b.leave('client closed');
    await two.close('client closed');
    assert.equal(log.drafts.filter(({ code }) => code === 'session.closed').length, 0, 'the other part is still open');
    a.leave('client closed');
    await one.close('client closed');
    assert.equal(registry.size, 0);
    const codes = log.drafts.map(({ code }) => code);
    const expected = [
      'session.opened',
      'flow.opened',
      'operation.denied',
      'operation.denied',
      'flow.window',
      'flow.window',
    ];
    assert.deepEqual(codes, [...expected, 'session.closed']);
    assert.deepEqual(numbers(log.drafts), [1, 2, 3, 4, 5, 6, 7]);
    const said = { entries: 7, connections: 2, denials: 2, refusals: 0, flows: 1, windows: 2 };
    const moved = { records_read: 20, records_written: 0, bytes_read: 200, bytes_written: 0 };
    assert.deepEqual(counters(log.drafts.at(-1)), { ...said, ...moved });
  });

  it('count the connections of a principal over all workers', async () => {
    const { worker } = bench(2);
    const [one, two] = [worker(1), worker(2)];
    const first = await one.join(alice, laptop);
    await two.join(alice, laptop);
    await assert.rejects(two.join(alice, laptop), { code: 'too-many-connections' });
    first.leave('gone');
    await two.join(alice, laptop);
    await one.close();
    await two.close();
  });

  it('outlive a worker that dies: its windows are said to be missing, what it told is counted, others go on', async () => {
    const made = bench();
    const { log, registry, worker } = made;
    const [one, two] = [worker(1), worker(2)];
    const [a, b] = [await one.join(alice, laptop), await two.join(alice, laptop)];
    use(a);
    use(b);
    const lastHeardMs = made.nowMs;
    made.nowMs += 400;
    registry.died({ worker: 1, cause: 'signal SIGKILL', connections: 1, lastHeardMs });
    const died = log.drafts.at(-1);
    assert.equal(died?.code, 'worker.died');
    assert.deepEqual(died?.data['sessions'], [a.id]);
    assert.deepEqual(died?.data['windows_may_be_missing'], {
      start: '2027-03-01T09:59:49.000Z',
      end: '2027-03-01T10:00:00.400Z',
    });
    b.leave('client closed');
    await two.close();
    const closed = log.drafts.at(-1);
    assert.equal(closed?.code, 'session.closed');
    // Its denial was told, its window was not.
    assert.equal(counters(closed)['denials'], 2);
    assert.equal(counters(closed)['records_read'], 10);
    assert.equal(counters(closed)['connections'], 2);
  });

  it('wait for their clients to come back where no other worker has them', async () => {
    const made = bench();
    const { log, registry, worker, codes } = made;
    const [one, two] = [worker(1), worker(2)];
    const a = await one.join(alice, laptop);
    registry.died({ worker: 1, cause: 'signal SIGKILL', connections: 1, lastHeardMs: made.nowMs });
    made.nowMs += 29_000;
    registry.sweep(made.nowMs);
    const b = await two.join(alice, laptop);
    assert.equal(b.id, a.id);
    made.nowMs += 60_000;
    registry.sweep(made.nowMs);
    assert.ok(!codes().includes('session.closed'));
    registry.died({ worker: 2, cause: 'exit code 70', connections: 1, lastHeardMs: made.nowMs });
    made.nowMs += 31_000;
    registry.sweep(made.nowMs);
    assert.deepEqual(codes(), ['session.opened', 'worker.died', 'worker.died', 'session.closed']);
    assert.deepEqual(log.drafts.at(-1)?.data['reason'], 'its worker died');
    assert.notEqual((await worker(3).join(alice, laptop)).id, a.id);
  });

  it('move with their clients from a worker that is replaced', async () => {
    const made = bench();
    const { registry, worker, codes } = made;
    const [one, two] = [worker(1), worker(2)];
    const a = await one.join(alice, laptop);
    registry.retire(1);
    a.leave('drained');
    await one.close('its worker was replaced');
    registry.ended(1);
    assert.equal((await two.join(alice, laptop)).id, a.id);
    assert.deepEqual(codes(), ['session.opened']);
    made.nowMs += 60_000;
    registry.sweep(made.nowMs);
    assert.deepEqual(codes(), ['session.opened']);
  });

  it('that one worker ends by itself are joined by nobody any more', async () => {
    const { registry, worker } = bench();
    const a = await worker(1).join(alice, laptop);
    const about = { session_id: a.id, seq: 9, port: 'orders', principal: {}, client: {}, policy_revision: 'r1' };
    const data = { ...about, reason: 'its recording failed', opened_at: '', counters: {} };
    registry.append(
      1,
      auditEvent('session.closed', data as unknown as Parameters<typeof auditEvent<'session.closed'>>[1]),
    );
    assert.notEqual((await worker(2).join(alice, laptop)).id, a.id);
  });

  it('are told anew of their flows after entries were lost', async () => {
    const { log, worker, codes } = bench();
    const [one, two] = [worker(1), worker(2)];
    const [a, b] = [await one.join(alice, laptop), await two.join(alice, laptop)];
    a.decide('read', 'topic', 'payments', 0, 'Fetch v17');
    (log.status() as { lost: number }).lost = 1;
    b.decide('read', 'topic', 'payments', 0, 'Fetch v17');
    assert.equal(codes().filter((code) => code === 'flow.opened').length, 2);
  });
});
