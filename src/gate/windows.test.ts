import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../audit/audit.ts';
import { flowWindowsPerSessionMax, flowWindowsSharedMax } from '../lib/limits.ts';
import { alice, bench, field, laptop, policy, read, readers } from './test-kit.ts';

test('a window tells offset ranges and counts within a second of its end', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  read(session, 3, 4_700n, 4_709n);
  b.pass(2_000);
  read(session, 3, 4_710n, 4_719n);
  read(session, 3, 9_000n, 9_000n);
  session.account({
    action: 'write',
    topic: 'payments',
    partition: 3,
    firstOffset: -1n,
    lastOffset: -1n,
    records: 7,
    bytes: 70,
  });
  b.pass(2_750);
  assert.deepEqual(await b.codes(), ['session.opened'], 'not before its end');
  b.pass(1_250);
  const [, reads, writes] = await b.entries();
  assert.deepEqual(reads?.data['flow'], {
    operation: 'read',
    topic: 'payments',
    partition: 3,
    ranges: [
      ['4700', '4719'],
      ['9000', '9000'],
    ],
    approximate: false,
    records: 21,
    records_without_offset: 0,
    bytes: 210,
    requests: 3,
  });
  assert.deepEqual(reads?.data['window'], { start: '2026-03-12T08:00:00.000Z', end: '2026-03-12T08:00:02.000Z' });
  assert.equal(field(writes?.data ?? {}, 'flow', 'records_without_offset'), 7);
  assert.deepEqual(field(writes?.data ?? {}, 'flow', 'ranges'), []);
  b.pass(30_000);
  assert.equal((await b.entries()).length, 3, 'nothing flowed: no entry');
});

test('a million records in order cost one entry per partition and window', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  for (let i = 0n; i < 10_000n; i += 1n) read(session, 0, i * 100n, i * 100n + 99n);
  b.pass(6_000);
  const windows = (await b.entries()).slice(1);
  assert.equal(windows.length, 1);
  assert.deepEqual(field(windows[0]?.data ?? {}, 'flow', 'ranges'), [['0', '999999']]);
  assert.equal(field(windows[0]?.data ?? {}, 'flow', 'records'), 1_000_000);
});

test('more partitions than a session has room of its own for are told once each, and none is lost', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  for (let partition = 0; partition < 10_050; partition += 1) read(session, partition, 5n, 5n);
  await b.gate.close();
  const windows = (await b.entries()).filter((entry) => codeOf(entry) === 'flow.window');
  assert.equal(new Set(windows.map((entry) => field(entry.data, 'flow', 'partition'))).size, 10_050);
  assert.equal(windows.length, 10_050);
});

test('another revision is live with the next operation; windows and flows are told apart by revision', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  read(session, 0, 0n, 9n);
  b.policies = policy('r2', ['read topic payments']);
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').revision, 'r2');
  assert.equal(session.revision, 'r2');
  b.policies = policy('r3', []);
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'deny');
  const told = (await b.entries()).map((entry) => [codeOf(entry), entry.data['policy_revision']]);
  assert.deepEqual(told, [
    ['session.opened', 'r1'],
    ['flow.opened', 'r1'],
    ['flow.window', 'r1'],
    ['flow.opened', 'r2'],
    ['operation.denied', 'r3'],
  ]);
});

test('policyChanged() reaches sessions that are idle', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  read(session, 0, 0n, 9n);
  b.policies = null;
  b.gate.policyChanged();
  assert.equal(session.revision, 'none');
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').reason, 'no-policy');
  assert.deepEqual(await b.codes(), ['session.opened', 'flow.window', 'operation.denied']);
});

test('a policy that throws denies, and the session goes on with the next one', async (t) => {
  const b = await bench(t);
  const fail = (): never => {
    throw new Error('broken');
  };
  b.policies = { ...readers, revision: 'bad-1', accessFor: fail };
  const session = await b.gate.join(alice, laptop);
  assert.deepEqual(
    { ...session.decide('read', 'topic', 'payments', 0, 'Fetch v17') },
    {
      effect: 'deny',
      reason: 'condition-failed',
      rule: null,
      revision: 'bad-1',
    },
  );
  b.policies = {
    ...readers,
    revision: 'bad-2',
    accessFor: () => ({ revision: 'bad-2', decide: fail, decideAny: fail, settled: fail, stretch: fail }),
  };
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'deny');
  assert.equal(session.decideAny('write', 'topic', 'InitProducerId v5').effect, 'deny');
  assert.equal(session.permits('read', 'topic', 'payments', 0), false);
  b.policies = readers;
  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
});

test('a clock that is turned back holds no window and no count back', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  read(session, 0, 0n, 9n);
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  b.skewMs = -3_600_000;
  b.pass(250);
  assert.deepEqual(await b.codes(), ['session.opened', 'operation.denied', 'operation.denied', 'flow.window']);
});

test('a change of policy reaches every one of many sessions', async (t) => {
  const b = await bench(t);
  for (let i = 0; i < 120; i += 1) read(await b.gate.join(alice, { ...laptop, clientId: `c${i}` }), 0, 0n, 9n);
  b.policies = policy('r2', []);
  b.gate.policyChanged();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const windows = (await b.entries()).filter((entry) => codeOf(entry) === 'flow.window');
  assert.equal(windows.length, 120);
  assert.ok(windows.every((entry) => entry.data['policy_revision'] === 'r1'));
});

test('as many windows as a session can have find room in the queue of the log at once', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  const topic = 't'.repeat(249);
  const most = flowWindowsPerSessionMax + flowWindowsSharedMax;
  const flow = { action: 'read', topic, records: 1, bytes: 1 } as const;
  for (let partition = 0; partition < most; partition += 1) {
    // Four ranges each.
    for (let at = 0n; at < 8n; at += 2n) session.account({ ...flow, partition, firstOffset: at, lastOffset: at });
  }
  b.policies = policy('r2', []);
  b.gate.policyChanged();
  await b.log.durable();
  assert.equal(b.log.status().lost, 0);
  assert.ok(b.log.status().entries > most);
});
