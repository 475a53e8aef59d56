import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../audit/audit.ts';
import { alice, bench, field, laptop, read } from './test-kit.ts';
import { sessionBounds } from './sessions.ts';

test('nothing of a credential but its id, and no claim, reaches the log', async (t) => {
  const b = await bench(t);
  await b.gate.join({ ...alice, claims: { secret_claim: 'hunter2' } }, laptop);
  const [opened] = await b.entries();
  assert.deepEqual(opened?.data['credential'], { type: 'jwt', id: 'jti-1' });
  assert.equal(opened?.data['expires_at'], '2026-03-12T09:00:00.000Z');
  assert.ok(!JSON.stringify(opened).includes('hunter2'));
});

test('connections of one client share a session; another credential, address or program has its own', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  assert.equal(await b.gate.join(alice, { ...laptop, addressPort: 50_002 }), session);
  const others = [
    await b.gate.join({ ...alice, credential: { type: 'jwt', id: 'jti-2' } }, laptop),
    await b.gate.join({ ...alice, issuer: 'partner' }, laptop),
    await b.gate.join(alice, { ...laptop, address: '10.0.0.8' }),
    await b.gate.join(alice, { ...laptop, clientId: 'other' }),
    await b.gate.join(alice, { ...laptop, port: 'events' }),
    await b.gate.join(alice, { ...laptop, softwareVersion: '' }),
  ];
  assert.equal(new Set([session, ...others].map((one) => one.id)).size, 7);
  assert.equal(b.gate.sessions().length, 7);
  assert.deepEqual(
    b.gate.sessions().map((view) => view.connections),
    [2, 1, 1, 1, 1, 1, 1],
  );
});

test('two tokens with one jti but other groups or claims do not share a session', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  assert.notEqual(await b.gate.join({ ...alice, groups: ['admins'] }, laptop), session);
  assert.notEqual(await b.gate.join({ ...alice, claims: { mfa: false } }, laptop), session);
  assert.notEqual(await b.gate.join({ ...alice, kind: 'agent' }, laptop), session);
  assert.notEqual(await b.gate.join({ ...alice, expiresAtMs: null }, laptop), session);
});

test('no choice of parts makes two sessions one', async (t) => {
  const b = await bench(t);
  const one = await b.gate.join(alice, { ...laptop, clientId: 'a","b', softwareName: 'c' });
  const two = await b.gate.join(alice, { ...laptop, clientId: 'a', softwareName: 'b","c' });
  assert.notEqual(one, two);
});

test('a session outlives its last connection by half a minute, then says what it did', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  read(session, 0, 100n, 199n);
  session.leave('client closed');
  b.pass(29_000);
  assert.equal(await b.gate.join(alice, laptop), session, 'back in time');
  b.pass(60_000);
  assert.equal(b.gate.sessions().length, 1);
  session.leave('expired');
  b.pass(30_250);
  assert.equal(b.gate.sessions().length, 0);
  const closed = (await b.entries()).at(-1);
  assert.ok(closed);
  assert.equal(codeOf(closed), 'session.closed');
  assert.equal(closed.data['reason'], 'expired');
  assert.deepEqual(closed.data['counters'], {
    entries: closed.data['seq'],
    connections: 2,
    denials: 1,
    refusals: 0,
    flows: 1,
    windows: 1,
    records_read: 100,
    records_written: 0,
    bytes_read: 1_000,
    bytes_written: 0,
  });
  const again = await b.gate.join(alice, laptop);
  assert.notEqual(again.id, session.id);
});

test('a closed session permits nothing', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  await b.gate.close();
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'deny');
  assert.equal(session.permits('read', 'topic', 'payments', 0), false);
  await assert.rejects(b.gate.join(alice, laptop), { code: 'gate-closed' });
  assert.deepEqual(await b.codes(), ['session.opened', 'session.closed']);
});

test('(session_id, seq) is unique and without a gap, whatever happens', async (t) => {
  const b = await bench(t);
  const sessions = await Promise.all(['a', 'b', 'c'].map((clientId) => b.gate.join(alice, { ...laptop, clientId })));
  for (let i = 0; i < 40; i += 1) {
    for (const session of sessions) {
      session.decide('read', 'topic', `t${i % 7}`, i, 'Fetch v17');
      session.refuse('unknown-api', 'no such request', `Api ${i}`);
      read(session, i % 3, BigInt(i), BigInt(i));
    }
    b.pass(400);
  }
  await b.gate.close();
  const bySession = Map.groupBy(await b.entries(), (entry) => entry.data['session_id']);
  assert.equal(bySession.size, 3);
  for (const entries of bySession.values()) {
    assert.deepEqual(
      entries.map((entry) => entry.data['seq']),
      entries.map((_, i) => i + 1),
    );
    assert.equal(field(entries.at(-1)?.data ?? {}, 'counters', 'entries'), entries.length);
  }
});

test('a principal has no more connections than the bound, on each port', async (t) => {
  const b = await bench(t, { ...sessionBounds, connectionsPerPrincipalMax: 2 });
  const session = await b.gate.join(alice, laptop);
  await b.gate.join({ ...alice, credential: { type: 'jwt', id: 'jti-2' } }, laptop);
  await assert.rejects(b.gate.join(alice, { ...laptop, clientId: 'third' }), {
    code: 'too-many-connections',
    message: /alice/,
  });
  await b.gate.join({ ...alice, id: 'bob' }, laptop);
  session.leave('closed');
  await b.gate.join(alice, laptop);
});

test('sessions left behind by a client that changes its name do not pile up', async (t) => {
  const b = await bench(t, { ...sessionBounds, emptyPerPrincipalMax: 3 });
  for (let i = 0; i < 10; i += 1) {
    const session = await b.gate.join(alice, { ...laptop, clientId: `c${i}` });
    session.leave('closed');
  }
  assert.deepEqual(
    b.gate.sessions().map((view) => view.client.clientId),
    ['c7', 'c8', 'c9'],
  );
  assert.equal((await b.codes()).filter((code) => code === 'session.closed').length, 7);
});

test('authentication again opens a session of its own and says which came before', async (t) => {
  const b = await bench(t);
  const before = await b.gate.join(alice, laptop);
  const after = await b.gate.join({ ...alice, credential: { type: 'jwt', id: 'jti-2' } }, laptop, before);
  before.leave('authenticated again');
  assert.notEqual(after.id, before.id);
  const renewed = (await b.entries()).find((entry) => codeOf(entry) === 'authentication.renewed');
  assert.equal(renewed?.data['session_id'], after.id);
  assert.equal(renewed?.data['previous_session_id'], before.id);
  assert.equal(field(renewed?.data ?? {}, 'credential', 'id'), 'jti-2');
});

test('a session whose client came back is not among those that make room', async (t) => {
  const b = await bench(t, { ...sessionBounds, emptyPerPrincipalMax: 1 });
  const kept = await b.gate.join(alice, { ...laptop, clientId: 'kept' });
  kept.leave('closed');
  await b.gate.join(alice, { ...laptop, clientId: 'kept' });
  for (const clientId of ['second', 'third']) (await b.gate.join(alice, { ...laptop, clientId })).leave('closed');
  assert.deepEqual(
    b.gate.sessions().map((view) => view.client.clientId),
    ['kept', 'third'],
  );
  assert.equal(kept.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
});
