import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../model/decision.ts';
import type { PolicyContext } from './contract.ts';
import { compiled, context, nowMs, policy, principal, problemsOf, role } from './test-kit.ts';

const recording: PolicyContext = { ...context, recording: true };
const dayMs = 86_400_000;

function read(rule: object): object {
  return { port: 'orders', topics: ['payments'], actions: ['read'], ...rule };
}

function decided(documents: readonly string[], partition = 0, action: 'read' | 'write' = 'read'): Decision {
  return compiled(documents, recording)
    .accessFor(principal(), 'orders')
    .decide(action, 'topic', 'payments', partition, nowMs);
}

describe('record', () => {
  it('is on the permit, with the tags of the rule, and nothing where nobody asks for it', () => {
    const retention = { level: 'full', owner: 'risk', classification: 'pii', retention: '90d' };
    assert.deepEqual(decided([policy('p', { allow: [read({ record: retention })] })]).record, {
      level: 'full',
      owner: 'risk',
      classification: 'pii',
      retentionMs: 90 * dayMs,
    });
    const tagless = { level: 'metadata', owner: '', classification: '', retentionMs: null };
    assert.deepEqual(decided([policy('p', { allow: [read({ record: 'metadata' })] })]).record, tagless);
    for (const record of ['none', { level: 'none' }, undefined])
      assert.equal(decided([policy('p', { allow: [read({ record })] })]).record, undefined);
    assert.equal(decided([policy('p', { allow: [read({ record: 'full' })] })], 0, 'write').record, undefined);
  });

  it('takes the owner of the document that the rule stands in', () => {
    const text = policy('p', { allow: [read({ record: 'full' })] }).replace('"name":"p"', '"name":"p","owner":"data"');
    assert.equal(decided([text]).record?.owner, 'data');
  });

  it('is the strongest of all grants that permit, whichever grant is named', () => {
    const plain = policy('a', { allow: [read({})] });
    const reference = policy('b', { allow: [read({ record: 'reference' })] });
    const full = policy('c', { allow: [read({ record: { level: 'full', classification: 'pii' } })] });
    const { rule, record } = decided([plain, reference, full]);
    assert.equal(rule?.policy, 'a');
    assert.deepEqual([record?.level, record?.classification], ['full', 'pii']);
    assert.equal(decided([reference, plain]).record?.level, 'reference');
  });

  it('keeps longest where two are as strong', () => {
    const short = policy('a', { allow: [read({ record: { level: 'full', retention: '1d' } })] });
    const long = policy('b', { allow: [read({ record: { level: 'full', retention: '9d' } })] });
    assert.equal(decided([short, long]).record?.retentionMs, 9 * dayMs);
  });

  it('counts only grants that speak of the operation and whose condition holds', () => {
    const plain = policy('a', { allow: [read({})] });
    const other = policy('b', { allow: [read({ record: 'full', partitions: [7] })] });
    assert.equal(decided([plain, other], 0).record, undefined);
    assert.equal(decided([plain, other], 7).record?.level, 'full');
    const never = policy('c', { allow: [read({ record: 'full', when: 'principal.claims.mfa == true' })] });
    assert.equal(decided([plain, never]).record, undefined);
    const perOperation = policy('d', { allow: [read({ record: 'full', when: 'operation.partition == 3' })] });
    assert.equal(decided([plain, perOperation], 2).record, undefined);
    assert.equal(decided([plain, perOperation], 3).record?.level, 'full');
  });

  it('comes with the rules of a role', () => {
    const documents = [policy('p', { roles: ['r'] }), role('r', { allow: [read({ record: 'full' })] })];
    assert.equal(decided(documents).record?.level, 'full');
  });

  it('never gives another object for the same answer: nothing is allocated per decision', () => {
    const set = compiled(
      [policy('p', { allow: [read({ record: 'full' }), read({ when: 'operation.partition == 3' })] })],
      recording,
    );
    const access = set.accessFor(principal(), 'orders');
    const first = access.decide('read', 'topic', 'payments', 0, nowMs);
    assert.equal(access.decide('read', 'topic', 'payments', 1, nowMs), first);
    assert.ok(Object.isFrozen(first) && Object.isFrozen(first.record));
  });

  it('refuses words, keys and lengths of time that it does not know, each with what to write', () => {
    const problems = (record: unknown): string =>
      problemsOf([policy('p', { allow: [read({ record })] })], recording).join();
    assert.match(problems('all'), /Write one of none, metadata, reference, full/);
    assert.match(problems(true), /Write one of/);
    assert.match(problems({ level: 'full', retention: 'forever' }), /Write a length of time with its unit/);
    assert.match(problems({ classification: 'pii' }), /Write record: \{ level: full/);
    assert.match(problems({ level: 'full', owners: 'x' }), /owner/);
  });

  it('is refused where the gateway cannot record, so that nobody believes in it', () => {
    const documents = [policy('p', { allow: [read({ record: 'full' })] })];
    assert.match(problemsOf(documents).join(), /keeps no recordings/);
    assert.deepEqual(problemsOf(documents, recording), []);
  });
});
