import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Action, ResourceType } from '../model/operation.ts';
import { resourceTypes } from '../model/operation.ts';
import { compiled, nowMs, policy, principal } from './test-kit.ts';

type Rules = Readonly<Record<string, unknown>>;
const allow = (rule: object): object => ({ port: 'orders', actions: ['read'], ...rule });

describe('whether an action is permitted on any resource', () => {
  function any(rules: Rules, action: Action = 'write', type: ResourceType = 'topic'): string {
    return compiled([policy('p', rules)])
      .accessFor(principal(), 'orders')
      .decideAny(action, type, nowMs).reason;
  }
  const write = (rule: object): object => allow({ actions: ['write'], ...rule });

  it('follows authorizeByResourceType: some allow that no single deny covers', () => {
    assert.equal(any({ allow: [write({ topics: ['a'] })] }), 'allowed');
    assert.equal(any({ allow: [write({ consumerGroups: ['a'], actions: ['read'] })] }), 'no-matching-rule');
    assert.equal(any({ allow: [write({ topics: ['a'] })], deny: [write({ topics: ['a'] })] }), 'denied-by-rule');
    assert.equal(any({ allow: [write({ topics: ['a*'] })], deny: [write({ topics: ['a'] })] }), 'allowed');
    assert.equal(any({ allow: [write({ topics: ['ab*'] })], deny: [write({ topics: ['a*'] })] }), 'denied-by-rule');
    assert.equal(any({ allow: [write({ topics: ['a*', 'b'] })], deny: [write({ topics: ['a*'] })] }), 'allowed');
    assert.equal(
      any({ allow: [write({ topics: ['a.*.b'] })], deny: [write({ topics: ['a.*.b'] })] }),
      'denied-by-rule',
    );
    assert.equal(
      any({ allow: [write({ topics: ['a.x.b'] })], deny: [write({ topics: ['a.*.b'] })] }),
      'denied-by-rule',
    );
    assert.equal(any({ allow: [write({ topics: ['*'] })], deny: [write({ topics: ['**'] })] }), 'denied-by-rule');
    assert.equal(
      any({ allow: [write({ topics: ['a'] })], deny: [write({ topics: ['a'], actions: ['read'] })] }),
      'allowed',
    );
  });

  it('looks at partitions: a deny of some leaves the rest', () => {
    assert.equal(
      any({ allow: [write({ topics: ['a'] })], deny: [write({ topics: ['a'], partitions: [0] })] }),
      'allowed',
    );
    assert.equal(
      any({
        allow: [write({ topics: ['a'], partitions: [0] })],
        deny: [write({ topics: ['a'], partitions: ['0-3'] })],
      }),
      'denied-by-rule',
    );
  });

  it('knows that a deny of partitions leaves looking at the topic', () => {
    const rules = {
      allow: [allow({ topics: ['a'], partitions: [0] })],
      deny: [allow({ topics: ['a'], partitions: [0], actions: ['*'] })],
    };
    assert.equal(any(rules, 'describe'), 'allowed');
    assert.equal(any(rules, 'read'), 'denied-by-rule');
  });

  it('looks at conditions and lapses', () => {
    assert.equal(any({ allow: [write({ topics: ['a'], when: 'operation.action == "read"' })] }), 'no-matching-rule');
    assert.equal(any({ allow: [write({ topics: ['a'], when: 'principal.claims.x' })] }), 'condition-failed');
    assert.equal(
      any({
        allow: [write({ topics: ['a'] })],
        deny: [write({ topics: ['*'], when: 'now > timestamp("2020-01-01T00:00:00Z")' })],
      }),
      'denied-by-rule',
    );
    assert.equal(any({ allow: [write({ topics: ['a'] })], review: { by: '2027-01-14' } }), 'no-matching-rule');
  });

  it('works for the cluster', () => {
    assert.equal(
      any({ allow: [allow({ cluster: true, actions: ['idempotent-write'] })] }, 'idempotent-write', 'cluster'),
      'allowed',
    );
  });

  it('denies what does not exist', () => {
    for (const type of resourceTypes)
      assert.equal(
        any({ allow: [write({ topics: ['*'], actions: ['*'] })] }, 'fly' as Action, type),
        'no-matching-rule',
      );
  });
});
