import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditEvent, codeOf } from '../audit/audit.ts';
import { alice, bench, field, laptop, policy } from './test-kit.ts';
import type { GateObserver } from './gate.ts';
import { sessionBounds } from './sessions.ts';

test('the first use of a flow is on disk before durable() resolves, and the second costs nothing', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  assert.deepEqual(await b.codes(), ['session.opened']);
  assert.equal(session.durable(), null);

  assert.equal(session.decide('read', 'topic', 'payments', 0, 'Fetch v17').effect, 'permit');
  const waiting = session.durable();
  assert.ok(waiting);
  assert.equal(session.durable(), waiting, 'those who wait for the same entries share one promise');
  await waiting;
  const [, flow] = await b.entries();
  assert.ok(flow);
  assert.equal(flow.subject, 'topic/payments');
  assert.deepEqual(flow.data['authorization'], {
    granted: true,
    operation: 'read',
    resourceType: 'topic',
    resourceName: 'payments',
    patternType: 'literal',
    reason: 'allowed',
    rule: { policy: 'readers', effect: 'allow', index: 0, source: 'readers.yaml:1' },
  });
  assert.deepEqual(flow.data['principal'], { kind: 'user', id: 'alice', issuer: 'corp', groups: ['payments-eng'] });
  assert.deepEqual(flow.data['client'], {
    address: '10.0.0.7',
    client_id: 'console-consumer',
    software: 'apache-kafka-java 4.2.0',
    mechanism: 'OAUTHBEARER',
    tls: true,
  });
  assert.equal(flow.data['request'], 'Fetch v17');

  for (let partition = 0; partition < 50; partition += 1)
    session.decide('read', 'topic', 'payments', partition, 'Fetch v17');
  assert.equal(session.durable(), null);
  assert.equal((await b.entries()).length, 2);
});

test('each action, resource and rule is a flow of its own; permits() tells nothing', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  assert.equal(session.permits('read', 'topic', 'payments', 0), true);
  assert.equal(session.permits('read', 'topic', 'secrets', 0), false);
  assert.equal(session.durable(), null);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('describe', 'topic', 'payments', -1, 'Metadata v13');
  session.decide('read', 'group', 'billing', -1, 'JoinGroup v9');
  session.decideAny('write', 'topic', 'InitProducerId v5');
  await session.durable();
  const flows = (await b.entries()).slice(1);
  assert.deepEqual(
    flows.map((entry) => [
      entry.subject,
      field(entry.data, 'authorization', 'operation'),
      field(entry.data, 'authorization', 'patternType'),
    ]),
    [
      ['topic/payments', 'read', 'literal'],
      ['topic/payments', 'describe', 'literal'],
      ['group/billing', 'read', 'literal'],
      ['topic/*', 'write', 'any'],
    ],
  );
});

test('a denial is on disk before durable() resolves; a client that hammers gets one entry a second', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  for (let i = 0; i < 1_000; i += 1) {
    assert.equal(session.decide('read', 'topic', 'secrets', 3, 'Fetch v17').effect, 'deny');
    if (i === 0) await session.durable();
  }
  assert.equal(session.durable(), null);
  const denied = async (): Promise<unknown[]> =>
    (await b.entries()).filter((entry) => codeOf(entry) === 'operation.denied').map((entry) => entry.data['count']);
  assert.deepEqual(await denied(), [1]);
  b.pass(1_250);
  assert.deepEqual(await denied(), [1, 999]);
  session.decide('read', 'topic', 'secrets', 3, 'Fetch v17');
  assert.deepEqual(await denied(), [1, 999], 'still hammering');
  b.pass(1_250);
  assert.deepEqual(await denied(), [1, 999, 1]);
  b.pass(2_000);
  session.decide('read', 'topic', 'secrets', 3, 'Fetch v17');
  assert.deepEqual(await denied(), [1, 999, 1, 1], 'after a pause the first is immediate again');
});

test('other partitions, requests and operations are denied in entries of their own', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  session.decide('read', 'topic', 'secrets', 1, 'Fetch v17');
  session.decide('read', 'topic', 'secrets', 1, 'ListOffsets v9');
  session.decide('write', 'topic', 'secrets', 1, 'Produce v12');
  session.decide('read', 'group', 'secrets', -1, 'JoinGroup v9');
  const denied = (await b.entries()).filter((entry) => codeOf(entry) === 'operation.denied');
  assert.equal(denied.length, 5);
  assert.deepEqual(
    denied.map((entry) => field(entry.data, 'authorization', 'partition')),
    [0, 1, 1, 1, undefined],
  );
  assert.equal(field(denied[0]?.data ?? {}, 'authorization', 'granted'), false);
  assert.equal(field(denied[0]?.data ?? {}, 'authorization', 'rule'), null);
});

test('an attack with ever new names fills neither memory nor disk, and still shows its size', async (t) => {
  const b = await bench(t);
  const session = await b.gate.join(alice, laptop);
  for (let i = 0; i < 20_000; i += 1) session.decide('read', 'topic', `guess-${i}`, -1, 'Metadata v13');
  b.pass(1_250);
  const denied = (await b.entries()).filter((entry) => codeOf(entry) === 'operation.denied');
  assert.ok(denied.length < 300, `${denied.length} entries`);
  const total = denied.reduce((sum, entry) => sum + Number(entry.data['count']), 0);
  assert.equal(total, 20_000);
  assert.equal(denied.at(-1)?.data['more_resources'], true);
});

test('names from the client cannot draw lines, and long ones are cut and stay apart', async (t) => {
  const b = await bench(t);
  const forged = { ...laptop, clientId: 'x"}\n{"type":"dev.sluice.audit.gateway.stopped"', softwareName: '\u001b[2J' };
  const session = await b.gate.join(alice, forged);
  session.decide('read', 'group', 'g'.repeat(30_000) + 'a', -1, 'JoinGroup v9');
  session.decide('read', 'group', 'g'.repeat(30_000) + 'b', -1, 'JoinGroup v9');
  session.refuse('malformed', 'bad\nline'.repeat(10_000), 'Fetch v17');
  const entries = await b.entries();
  assert.equal(entries.length, 4);
  assert.equal(
    field(entries[0]?.data ?? {}, 'client', 'client_id'),
    'x"}\uFFFD{"type":"dev.sluice.audit.gateway.stopped"',
  );
  assert.equal(field(entries[0]?.data ?? {}, 'client', 'software'), '\uFFFD[2J 4.2.0');
  assert.notEqual(entries[1]?.subject, entries[2]?.subject);
  assert.ok(JSON.stringify(entries).length < 10_000);
});

test('failed authentications name address and reason; a flood from one or many addresses is folded', async (t) => {
  const b = await bench(t);
  const failure = {
    code: 'expired',
    detail: 'the token expired 40 s ago',
    claimedId: 'mallory',
    claimedIssuer: 'corp',
  };
  for (let i = 0; i < 500; i += 1) b.gate.authenticationFailed(failure, laptop);
  b.gate.authenticationFailed({ ...failure, code: 'bad-signature' }, laptop);
  b.pass(1_250);
  const counts = (await b.entries()).map((entry) => [field(entry.data, 'failure', 'code'), entry.data['count']]);
  assert.deepEqual(counts, [
    ['expired', 1],
    ['bad-signature', 1],
    ['expired', 499],
  ]);
  const [first] = await b.entries();
  assert.deepEqual(first?.data['claimed'], { id: 'mallory', issuer: 'corp' });
  assert.equal(first?.data['session_id'], undefined);

  b.pass(5_000);
  for (let i = 0; i < 5_000; i += 1)
    b.gate.authenticationFailed(failure, { ...laptop, address: `2001:db8::${i.toString(16)}` });
  b.pass(1_250);
  const flood = (await b.entries()).slice(3);
  assert.ok(flood.length < 1_100, `${flood.length} entries`);
  assert.equal(
    flood.reduce((sum, entry) => sum + Number(entry.data['count']), 0),
    5_000,
  );
  assert.equal(flood.at(-1)?.data['more_addresses'], true);
});

test('metrics hear of decisions, sessions, refusals and failures', async (t) => {
  const heard: string[] = [];
  const observer: GateObserver = {
    decision: (effect, action, type) => heard.push(`${effect} ${action} ${type}`),
    refused: (code) => heard.push(`refused ${code}`),
    sessionOpened: (port) => heard.push(`opened ${port}`),
    sessionClosed: (port) => heard.push(`closed ${port}`),
    authenticationFailed: (code) => heard.push(`failed ${code}`),
    auditLost: (count) => heard.push(`lost ${count}`),
  };
  const b = await bench(t, sessionBounds, observer);
  const session = await b.gate.join(alice, laptop);
  session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
  session.decide('read', 'topic', 'secrets', 0, 'Fetch v17');
  session.refuse('unknown-api', 'no such request', 'Api 999');
  b.gate.authenticationFailed({ code: 'malformed', detail: '', claimedId: '', claimedIssuer: '' }, laptop);
  await b.gate.close();
  assert.deepEqual(heard, [
    'opened orders',
    'permit read topic',
    'deny read topic',
    'refused unknown-api',
    'failed malformed',
    'closed orders',
  ]);
});

test('entries of the gate and of others share one log', async (t) => {
  const b = await bench(t);
  b.log.append(
    auditEvent('gateway.started', { version: '0.1.0', audit_mode: 'strict', ports: ['orders'], policy_revision: 'r1' }),
  );
  await b.gate.join(alice, laptop);
  assert.deepEqual(await b.codes(), ['gateway.started', 'session.opened']);
});

test('a resource that is called * is not any resource', async (t) => {
  const b = await bench(t);
  b.policies = policy('r1', ['write topic *']);
  const session = await b.gate.join(alice, laptop);
  session.decideAny('write', 'topic', 'InitProducerId v5');
  session.decide('write', 'topic', '*', 0, 'Produce v12');
  const flows = (await b.entries()).slice(1);
  assert.deepEqual(
    flows.map((entry) => field(entry.data, 'authorization', 'patternType')),
    ['any', 'literal'],
  );
});
