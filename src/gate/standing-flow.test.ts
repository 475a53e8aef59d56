import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alice, bench, field, laptop, policy, readers } from './test-kit.ts';
import type { StandingFlow } from './gate.ts';

const later = Date.parse('2026-03-12T08:00:01.000Z');

test('a flow stands once it was decided and entered in the log, and not before', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  assert.equal(session.standingFlow('write', 'payments', 0, later), null, 'not decided yet');
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const flow = session.standingFlow('write', 'payments', 0, later);
  assert.equal(flow?.standing, session.standing(later));
  session.decide('write', 'topic', 'secrets', 0, 'Produce v12');
  assert.equal(session.standingFlow('write', 'secrets', 0, later), null, 'denied');
  assert.deepEqual(await b.codes(), ['session.opened', 'flow.opened', 'operation.denied']);
});

test('whoever asks for it again in its session is given the same, also after it was idle, and no one once it was decided anew', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const flow = session.standingFlow('write', 'payments', 0, later);
  assert.ok(flow !== null);
  assert.equal(session.standingFlow('write', 'payments', 0, later), flow);
  assert.notEqual(session.standingFlow('write', 'payments', 1, later), flow);
  assert.equal(session.standingFlow('read', 'payments', 0, later), null, 'another action');
  // Nothing flowed for two windows: its own is gone, and one is opened anew.
  b.pass(12_000);
  b.pass(12_000);
  flow.account(0, 0, 1, 10, later);
  assert.equal(session.standingFlow('write', 'payments', 0, later), flow);
  b.policies = policy('r2', ['write topic payments']);
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const anew = session.standingFlow('write', 'payments', 0, later);
  assert.ok(anew !== null && anew !== flow);
  assert.equal(session.standingFlow('write', 'payments', 0, later), anew);
});

test('what flows on it is in the same windows as what flows beside it', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const flow = session.standingFlow('write', 'payments', 0, later);
  assert.ok(flow !== null);
  flow.account(10, 19, 10, 100, later);
  flow.account(20, 29, 10, 100, later);
  const beside = { action: 'write', topic: 'payments', partition: 0, records: 5, bytes: 50 } as const;
  session.account({ ...beside, firstOffset: 30n, lastOffset: 34n });
  flow.account(100, 100, 1, 10, later);
  flow.account(35, 35, 1, 10, later);
  b.pass(6_000);
  // The window was written; after one in which nothing flows it is gone, and another is opened.
  b.pass(12_000);
  flow.account(200, 201, 2, 20, later);
  session.leave('done');
  b.pass(60_000);
  const [, , first, second, closed] = await b.entries();
  const written = [
    ['10', '35'],
    ['100', '100'],
  ];
  assert.deepEqual(field(first?.data ?? {}, 'flow', 'ranges'), written);
  assert.equal(field(first?.data ?? {}, 'flow', 'records'), 27);
  assert.equal(field(first?.data ?? {}, 'flow', 'requests'), 5);
  assert.deepEqual(field(second?.data ?? {}, 'flow', 'ranges'), [['200', '201']]);
  assert.equal(field(closed?.data ?? {}, 'counters', 'records_written'), 29);
});

/** Whether what `standing` gives has changed since the flow was made. */
function stands(flow: StandingFlow | null, standing: object): boolean {
  return flow !== null && flow.standing === standing;
}

test('another revision, a revocation and the end of the session end it', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const flow = session.standingFlow('write', 'payments', 0, later);
  assert.equal(stands(flow, session.standing(later)), true);
  b.policies = policy('r2', ['read topic payments']);
  assert.equal(stands(flow, session.standing(later)), false);
  assert.equal(session.standingFlow('write', 'payments', 0, later), null, 'revoked');
  b.policies = readers;
  assert.equal(stands(flow, session.standing(later)), false, 'not even where the old revision is back');
  assert.equal(session.standingFlow('write', 'payments', 0, later), null, 'the new revision has no entry yet');
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const again = session.standingFlow('write', 'payments', 0, later);
  assert.equal(stands(again, session.standing(later)), true);
  b.policies = null;
  assert.equal(stands(again, session.standing(later)), false);
  b.policies = readers;
  session.decide('write', 'topic', 'payments', 0, 'Produce v12');
  const last = session.standingFlow('write', 'payments', 0, later);
  await b.gate.close();
  assert.equal(stands(last, session.standing(later)), false);
  assert.equal(session.standingFlow('write', 'payments', 0, later), null, 'closed');
});
