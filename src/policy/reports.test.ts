import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Operation } from '../model/operation.ts';
import type { PolicySet } from './contract.ts';
import { diffPolicies, formatDiff } from './diff.ts';
import { explain } from './explain.ts';
import { compiled, nowMs, policy, principal, role } from './test-kit.ts';

const read = { port: 'orders', topics: ['a'], actions: ['read'] };

describe('the difference between two revisions', () => {
  it('names documents and rules that came, went and changed', () => {
    const before = compiled([
      policy('gone', { allow: [read] }),
      policy('kept', { allow: [read] }),
      policy('p', { allow: [read, { ...read, topics: ['b'] }] }),
      role('r', { allow: [read] }),
    ]);
    const after = compiled([
      policy('kept', { allow: [read] }),
      policy('new', { deny: [{ ...read, actions: ['*'] }] }),
      policy('p', {
        allow: [
          { ...read, topics: ['b'] },
          { ...read, topics: ['c*'] },
        ],
        roles: ['r'],
      }),
      role('r', { allow: [read] }),
    ]);
    const diff = diffPolicies(before, after);
    assert.deepEqual([diff.before, diff.after], [before.revision, after.revision]);
    assert.equal(
      formatDiff(diff),
      [
        '- Policy gone (removed)',
        '-   subjects: { id: [ alice ] }',
        '-   allow: { port: orders, topics: [ a ], actions: [ read ] }',
        '+ Policy new (added)',
        '+   subjects: { id: [ alice ] }',
        '+   deny: { port: orders, topics: [ a ], actions: [ "*" ] }',
        '  Policy p (changed)',
        '-   allow: { port: orders, topics: [ a ], actions: [ read ] }',
        '+   allow: { port: orders, topics: [ c* ], actions: [ read ] }',
        '+   roles: r',
        '',
      ].join('\n'),
    );
  });

  it('is none between equal revisions, and says where only order changed', () => {
    const one = compiled([policy('p', { allow: [read, { ...read, topics: ['b'] }] })]);
    const other = compiled([policy('p', { allow: [{ ...read, topics: ['b'] }, read] })]);
    assert.deepEqual(diffPolicies(one, one).documents, []);
    assert.equal(formatDiff(diffPolicies(one, one)), 'No difference.\n');
    assert.match(formatDiff(diffPolicies(one, other)), /Policy p \(changed\)\n {4}only the order/);
  });

  it('counts a rule that stands there twice', () => {
    const diff = diffPolicies(
      compiled([policy('p', { allow: [read, read] })]),
      compiled([policy('p', { allow: [read] })]),
    );
    assert.equal(diff.documents[0]?.lines.length, 1);
    assert.equal(diff.documents[0]?.lines[0]?.sign, '-');
  });

  it('is not made of sets from elsewhere', () => {
    const foreign: PolicySet = {
      revision: 'x',
      policies: [],
      accessFor: (who, port) => compiled([]).accessFor(who, port),
    };
    assert.throws(() => diffPolicies(foreign, compiled([])), { code: 'foreign-policy-set' });
  });
});

describe('the explanation of a decision', () => {
  const set = compiled([
    policy('allows', { allow: [{ ...read, partitions: [0, 1] }] }),
    policy('denies', { deny: [{ ...read, when: 'principal.claims.contractor == true' }] }),
    policy('lapsed', { allow: [read], review: { by: '2027-01-14' } }),
    policy('others', { subjects: [{ id: 'bob' }, { group: 'eng', issuer: 'partner' }], allow: [read] }),
    policy('elsewhere', { allow: [{ ...read, port: 'metrics' }] }),
    policy('far', { subjects: [{ id: 'bob' }], allow: [{ ...read, port: 'metrics', topics: ['zzz'] }] }),
  ]);
  const operation: Operation = { action: 'read', resourceType: 'topic', resourceName: 'a', partition: 0 };
  function obstacles(asked: Operation, claims = { contractor: false }): Record<string, string> {
    const { rules } = explain(set, principal({ claims }), 'orders', asked, nowMs);
    return Object.fromEntries(
      rules.map(({ rule, obstacles: found }) => [
        rule.policy,
        found.map(({ aspect, detail }) => `${aspect}: ${detail}`).join('; '),
      ]),
    );
  }

  it('gives the decision, the rules that matched, and what kept the nearest from it', () => {
    assert.equal(
      explain(set, principal({ claims: { contractor: false } }), 'orders', operation, nowMs).decision.rule?.policy,
      'allows',
    );
    assert.deepEqual(obstacles(operation), {
      allows: '',
      denies: 'condition: its condition is false: principal.claims.contractor == true',
      lapsed: "lapsed: the policy's review was due before 2027-01-15T00:00:00.000Z",
      others: 'subject: no subject is met: subjects[0] fails on id, subjects[1] fails on issuer',
      elsewhere: 'port: the rule is for port metrics',
    });
  });

  it('tells partition, action and resource apart', () => {
    assert.equal(
      obstacles({ ...operation, partition: 2 })['allows'],
      'partition: the rule is bound to partitions 0, 1',
    );
    assert.equal(obstacles({ ...operation, action: 'write' })['allows'], 'action: the rule is about read, describe');
    assert.equal(obstacles({ ...operation, resourceName: 'b' })['allows'], 'resource: the rule is about a');
    assert.equal(
      obstacles({ action: 'read', resourceType: 'group', resourceName: 'a' })['allows'],
      'resource: the rule names no group',
    );
  });

  it('takes a deny whose condition cannot be evaluated as a match, as the decision does', () => {
    const { decision, rules } = explain(set, principal(), 'orders', operation, nowMs);
    assert.equal(decision.reason, 'denied-by-rule');
    assert.deepEqual(rules.find(({ rule }) => rule.policy === 'denies')?.obstacles, []);
  });
});
