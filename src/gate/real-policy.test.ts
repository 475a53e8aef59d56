/** The gate on policies as they are written and compiled, not on a stand-in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '../audit/audit.ts';
import { compilePolicies } from '../policy/policy.ts';
import type { PolicySet } from '../policy/policy.ts';
import { alice, bench, field, laptop } from './test-kit.ts';

const context = {
  ports: [{ name: 'orders', protocol: 'kafka' as const }],
  issuers: [{ name: 'corp', issuer: 'https://idp.example', requiredClaims: {} }],
};

function compiled(allow: string): PolicySet {
  const text = `apiVersion: sluice/v1
kind: Policy
metadata: { name: payments-readers }
spec:
  subjects:
    - group: payments-eng
  allow:
${allow}
  deny:
    - { port: orders, topics: [payments.secrets], actions: ['*'] }
`;
  const result = compilePolicies([{ path: 'payments.yaml', text }], context, Date.now());
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.policies;
}

const reads =
  "    - { port: orders, topics: [payments, 'payments.*'], actions: [describe, read], partitions: [0, 1], consumerGroups: [billing] }";
const writes = '    - { port: orders, topics: [payments], actions: [write] }';

test('entries name the rule by file and line, whether it permits or denies', async (t) => {
  const b = await bench(t);
  b.policies = compiled(reads);
  const session = await b.gate.join(alice, laptop);
  assert.equal(session.decide('read', 'topic', 'payments', 1, 'Fetch v17').effect, 'permit');
  assert.equal(session.decide('read', 'topic', 'payments', 2, 'Fetch v17').effect, 'deny');
  assert.equal(session.decide('read', 'topic', 'payments.secrets', 0, 'Fetch v17').effect, 'deny');
  assert.equal(session.decideAny('write', 'topic', 'InitProducerId v5').effect, 'deny');
  const told = (await b.entries()).slice(1);
  assert.deepEqual(
    told.map((entry) => [
      codeOf(entry),
      field(entry.data, 'authorization', 'reason'),
      field(entry.data, 'authorization', 'rule', 'effect') ?? null,
      field(entry.data, 'authorization', 'rule', 'source') ?? null,
    ]),
    [
      ['flow.opened', 'allowed', 'allow', 'payments.yaml:8'],
      ['operation.denied', 'no-matching-rule', null, null],
      ['operation.denied', 'denied-by-rule', 'deny', 'payments.yaml:10'],
      ['operation.denied', 'no-matching-rule', null, null],
    ],
  );
});

test('a rule taken away while the session is open denies the next operation', async (t) => {
  const b = await bench(t);
  b.policies = compiled(`${reads}\n${writes}`);
  const session = await b.gate.join(alice, laptop);
  assert.equal(session.decide('write', 'topic', 'payments', 0, 'Produce v12').effect, 'permit');
  const { revision } = session;
  b.policies = compiled(reads);
  b.gate.policyChanged();
  assert.notEqual(session.revision, revision);
  assert.equal(session.decide('write', 'topic', 'payments', 0, 'Produce v12').effect, 'deny');
});

test('groups, not names, carry the grant: another principal of the same name gets nothing', async (t) => {
  const b = await bench(t);
  b.policies = compiled(reads);
  const stranger = await b.gate.join({ ...alice, groups: [] }, laptop);
  assert.equal(stranger.permits('read', 'topic', 'payments', 0), false);
  const session = await b.gate.join(alice, laptop);
  assert.equal(session.permits('read', 'topic', 'payments', 0), true);
});

test('a known flow stays known under a compiled policy: one entry for many fetches', async (t) => {
  const b = await bench(t);
  b.policies = compiled(reads);
  const session = await b.gate.join(alice, laptop);
  for (let i = 0; i < 1_000; i += 1) session.decide('read', 'topic', 'payments', i % 2, 'Fetch v17');
  assert.deepEqual(await b.codes(), ['session.opened', 'flow.opened']);
});
