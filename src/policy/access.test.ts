import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Action, ResourceType } from '../model/operation.ts';
import { actions } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import { compiled, nowMs, policy, principal, role } from './test-kit.ts';

interface Rules {
  readonly allow?: readonly object[];
  readonly deny?: readonly object[];
  readonly [key: string]: unknown;
}

/** Decides for `alice` under one policy and returns `permit`, or the reason why not. */
function asker(rules: Rules, who: Principal = principal(), port = 'orders') {
  const access = compiled([policy('p', rules)]).accessFor(who, port);
  return (action: Action, type: ResourceType, name: string, partition = -1, at = nowMs): string => {
    const decision = access.decide(action, type, name, partition, at);
    return decision.effect === 'permit' ? 'permit' : decision.reason;
  };
}

const allow = (rule: object): object => ({ port: 'orders', actions: ['read'], ...rule });

describe('a decision', () => {
  it('is a denial where no rule matches, and names the revision', () => {
    const set = compiled([]);
    const decision = set.accessFor(principal(), 'orders').decide('read', 'topic', 'payments', 0, nowMs);
    assert.deepEqual(decision, { effect: 'deny', reason: 'no-matching-rule', rule: null, revision: set.revision });
  });

  it('names the rule, its policy, its role and where it stands', () => {
    const documents = [
      policy('p', { roles: ['browser'], allow: [allow({ topics: ['a'] })] }),
      `\n\n${role('browser', { allow: [allow({ topics: ['*'], actions: ['describe'] })] })}`,
    ];
    const access = compiled(documents).accessFor(principal(), 'orders');
    assert.deepEqual(access.decide('read', 'topic', 'a', 0, nowMs).rule, {
      policy: 'p',
      effect: 'allow',
      index: 0,
      source: '0.yaml:1',
    });
    assert.deepEqual(access.decide('describe', 'topic', 'b', 0, nowMs).rule, {
      policy: 'p/browser',
      effect: 'allow',
      index: 0,
      source: '1.yaml:3',
    });
  });

  it('is the same frozen object each time', () => {
    const access = compiled([policy('p', { allow: [allow({ topics: ['*'] })] })]).accessFor(principal(), 'orders');
    const first = access.decide('read', 'topic', 'a', 0, nowMs);
    assert.ok(Object.isFrozen(first) && Object.isFrozen(first.rule));
    assert.equal(access.decide('read', 'topic', 'b', 3, nowMs), first);
    assert.equal(access.decide('write', 'topic', 'a', 0, nowMs), access.decide('write', 'topic', 'b', 0, nowMs));
  });

  it('lets a deny win over an allow of another policy, role and width', () => {
    const wide = policy('wide', { allow: [allow({ topics: ['payments.secrets'] })] });
    const narrow = policy('narrow', { subjects: [{ group: 'eng' }], roles: ['no-secrets'] });
    const set = compiled([
      wide,
      narrow,
      role('no-secrets', { deny: [{ port: '*', topics: ['**.secrets'], actions: ['*'] }] }),
    ]);
    assert.equal(
      set.accessFor(principal(), 'orders').decide('read', 'topic', 'payments.secrets', 0, nowMs).effect,
      'permit',
    );
    assert.equal(
      set.accessFor(principal({ groups: ['eng'] }), 'orders').decide('read', 'topic', 'payments.secrets', 0, nowMs)
        .reason,
      'denied-by-rule',
    );
  });
});

describe('actions', () => {
  it('imply as in Kafka: read, write, delete and alter bring describe, alter-configs brings describe-configs', () => {
    for (const action of actions) {
      for (const [type, field, name] of [
        ['topic', { topics: ['a'] }, 'a'],
        ['group', { consumerGroups: ['a'] }, 'a'],
        ['transactional-id', { transactionalIds: ['a'] }, 'a'],
        ['cluster', { cluster: true }, 'kafka-cluster'],
      ] as const) {
        let ask;
        try {
          ask = asker({ allow: [allow({ ...field, actions: [action] })] });
        } catch {
          continue; // means nothing there, and is refused at load
        }
        const brings = ['read', 'write', 'delete', 'alter'].includes(action)
          ? 'describe'
          : action === 'alter-configs'
            ? 'describe-configs'
            : null;
        const granted = actions.filter((other) => ask(other, type, name) === 'permit');
        assert.deepEqual(
          granted.toSorted(),
          [...new Set(brings === null ? [action] : [action, brings])].toSorted(),
          `${action} on ${type}`,
        );
      }
    }
  });

  it('denied imply nothing: a denied read leaves describe, a denied describe leaves read', () => {
    const ask = asker({
      allow: [allow({ topics: ['a', 'b'] })],
      deny: [allow({ topics: ['a'] }), allow({ topics: ['b'], actions: ['describe'] })],
    });
    assert.deepEqual([ask('read', 'topic', 'a'), ask('describe', 'topic', 'a')], ['denied-by-rule', 'permit']);
    assert.deepEqual([ask('read', 'topic', 'b'), ask('describe', 'topic', 'b')], ['permit', 'denied-by-rule']);
  });

  it('apply to every resource of the rule for which they mean something', () => {
    const ask = asker({
      allow: [allow({ topics: ['t'], consumerGroups: ['g'], transactionalIds: ['x'], actions: ['read', 'write'] })],
    });
    assert.deepEqual(
      [
        ask('read', 'topic', 't'),
        ask('write', 'topic', 't'),
        ask('read', 'group', 'g'),
        ask('write', 'transactional-id', 'x'),
      ],
      Array.from({ length: 4 }, () => 'permit'),
    );
    assert.deepEqual(
      [ask('write', 'group', 'g'), ask('read', 'transactional-id', 'x'), ask('read', 'topic', 'g')],
      Array.from({ length: 3 }, () => 'no-matching-rule'),
    );
  });

  it('all mean all that the resource has', () => {
    const ask = asker({ allow: [allow({ topics: ['a'], cluster: true, actions: ['*'] })] });
    assert.equal(ask('alter-configs', 'topic', 'a'), 'permit');
    assert.equal(ask('cluster-action', 'cluster', 'kafka-cluster'), 'permit');
    assert.equal(ask('cluster-action', 'topic', 'a'), 'no-matching-rule');
    assert.equal(ask('alter', 'cluster', 'other-cluster'), 'no-matching-rule', 'the cluster has one name');
  });

  it('and resource types that do not exist are denied', () => {
    const ask = asker({ allow: [allow({ topics: ['*'], actions: ['*'] })] });
    assert.equal(ask('fly' as Action, 'topic', 'a'), 'no-matching-rule');
    assert.equal(ask('__proto__' as Action, 'topic', 'a'), 'no-matching-rule');
    assert.equal(ask('read', 'constructor' as ResourceType, 'a'), 'no-matching-rule');
  });
});

describe('partitions', () => {
  const whole = [-1, -2, -2_147_483_648, 0.5, NaN, Infinity];

  it('of an allow rule grant these, and looking at the topic', () => {
    const ask = asker({
      allow: [allow({ topics: ['a'], partitions: [0, '4-6'], actions: ['read', 'delete', 'alter-configs'] })],
    });
    const granted = [-1, 0, 1, 3, 4, 5, 6, 7, 2_147_483_647].filter(
      (partition) => ask('read', 'topic', 'a', partition) === 'permit',
    );
    assert.deepEqual(granted, [0, 4, 5, 6]);
    for (const partition of whole) {
      assert.equal(ask('read', 'topic', 'a', partition), 'no-matching-rule', `read ${partition}`);
      assert.equal(ask('delete', 'topic', 'a', partition), 'no-matching-rule');
      assert.equal(ask('alter-configs', 'topic', 'a', partition), 'no-matching-rule');
      assert.equal(ask('describe', 'topic', 'a', partition), 'permit');
      assert.equal(ask('describe-configs', 'topic', 'a', partition), 'permit');
    }
    assert.equal(ask('describe', 'topic', 'a', 1), 'no-matching-rule');
  });

  it('of a deny rule cannot be passed by asking for the whole topic or for a partition that is none', () => {
    const ask = asker({
      allow: [allow({ topics: ['a'], actions: ['*'] })],
      deny: [allow({ topics: ['a'], partitions: [3], actions: ['*'] })],
    });
    assert.equal(ask('read', 'topic', 'a', 2), 'permit');
    assert.equal(ask('read', 'topic', 'a', 3), 'denied-by-rule');
    assert.equal(ask('describe', 'topic', 'a', 3), 'denied-by-rule');
    for (const partition of whole) {
      assert.equal(ask('read', 'topic', 'a', partition), 'denied-by-rule', `read ${partition}`);
      assert.equal(ask('delete', 'topic', 'a', partition), 'denied-by-rule');
      assert.equal(ask('describe', 'topic', 'a', partition), 'permit');
    }
  });

  it('hold the same where a condition is asked each time', () => {
    const rule = { topics: ['a'], partitions: [3], actions: ['*'], when: 'operation.port == "orders"' };
    const granted = asker({ allow: [allow(rule)] });
    const denied = asker({ allow: [allow({ topics: ['a'], actions: ['*'] })], deny: [allow(rule)] });
    for (const partition of whole) {
      assert.deepEqual(
        [granted('read', 'topic', 'a', partition), granted('describe', 'topic', 'a', partition)],
        ['no-matching-rule', 'permit'],
        `${partition}`,
      );
      assert.deepEqual(
        [denied('read', 'topic', 'a', partition), denied('describe', 'topic', 'a', partition)],
        ['denied-by-rule', 'permit'],
        `${partition}`,
      );
    }
    assert.deepEqual(
      [granted('read', 'topic', 'a', 3), denied('read', 'topic', 'a', 3), denied('read', 'topic', 'a', 2)],
      ['permit', 'denied-by-rule', 'permit'],
    );
  });

  it('bind topics, and not the other resources of the rule', () => {
    const ask = asker({ allow: [allow({ topics: ['a'], consumerGroups: ['g'], partitions: [0] })] });
    assert.equal(ask('read', 'group', 'g'), 'permit');
  });
});

describe('names', () => {
  it('that are prototype keys, empty, long or not ASCII are names like any other', () => {
    const ask = asker({
      allow: [allow({ topics: ['constructor', 'a*'], consumerGroups: ['caf\u00e9', '__proto__'] })],
    });
    for (const name of ['__proto__', 'toString', 'hasOwnProperty', '', 'Constructor'])
      assert.equal(ask('read', 'topic', name), 'no-matching-rule', name);
    assert.equal(ask('read', 'topic', 'constructor'), 'permit');
    assert.equal(ask('read', 'group', '__proto__'), 'permit');
    assert.equal(ask('read', 'group', 'caf\u00e9'), 'permit');
    assert.equal(ask('read', 'group', 'cafe\u0301'), 'no-matching-rule');
    assert.equal(ask('read', 'topic', `a${'b'.repeat(30_000)}`), 'permit');
    assert.equal(ask('read', 'topic', 'a\u0000b'), 'permit');
  });

  it('of one type say nothing about another', () => {
    const ask = asker({ allow: [allow({ topics: ['*'] })], deny: [allow({ consumerGroups: ['*'] })] });
    assert.equal(ask('read', 'topic', 'a'), 'permit');
    assert.equal(ask('read', 'group', 'a'), 'denied-by-rule');
  });
});

describe('ports', () => {
  it('are matched by pattern, and a port the rule is not for gets nothing', () => {
    const rules = { allow: [allow({ port: 'o*s', topics: ['a'] })] };
    assert.equal(asker(rules)('read', 'topic', 'a'), 'permit');
    assert.equal(asker(rules, principal(), 'metrics')('read', 'topic', 'a'), 'no-matching-rule');
    assert.equal(asker(rules, principal(), '')('read', 'topic', 'a'), 'no-matching-rule');
  });
});

describe('conditions', () => {
  it('that cannot be evaluated grant nothing, and deny', () => {
    const when = 'principal.claims.mfa == true';
    const granted = (claims: Principal['claims'], rules: Rules): string =>
      asker(rules, principal({ claims }))('read', 'topic', 'a');
    const guarded = { allow: [allow({ topics: ['a'], when })] };
    assert.equal(granted({ mfa: true }, guarded), 'permit');
    assert.equal(granted({ mfa: false }, guarded), 'no-matching-rule');
    assert.equal(granted({}, guarded), 'condition-failed');
    const denied = { allow: [allow({ topics: ['a'] })], deny: [allow({ topics: ['a'], when })] };
    assert.equal(granted({ mfa: false }, denied), 'permit');
    assert.equal(granted({}, denied), 'denied-by-rule');
  });

  it('on the operation and the time are asked anew', () => {
    const ask = asker({
      allow: [allow({ topics: ['a'], when: 'operation.partition == 1 || now > timestamp("2027-02-01T00:00:00Z")' })],
    });
    assert.deepEqual(
      [0, 1, 0].map((partition) => ask('read', 'topic', 'a', partition)),
      ['no-matching-rule', 'permit', 'no-matching-rule'],
    );
    assert.equal(ask('read', 'topic', 'a', 0, Date.parse('2027-02-02')), 'permit');
    assert.equal(ask('read', 'topic', 'a', 0, nowMs), 'no-matching-rule');
  });

  it('that ask each time are never shared between principals', () => {
    const rules = {
      subjects: [{ kind: 'user' }],
      allow: [allow({ topics: ['a'], when: 'principal.id == "alice" && operation.partition >= 0' })],
    };
    const set = compiled([policy('p', rules)]);
    const effects = ['alice', 'bob', 'alice'].map(
      (id) => set.accessFor(principal({ id }), 'orders').decide('read', 'topic', 'a', 0, nowMs).effect,
    );
    assert.deepEqual(effects, ['permit', 'deny', 'permit']);
  });
});

describe('a review date', () => {
  const lapses = Date.parse('2027-02-01T00:00:00Z');
  const rules = {
    allow: [allow({ topics: ['a', 'b'] })],
    deny: [allow({ topics: ['b'] })],
    review: { by: '2027-01-31' },
  };

  it('ends what the policy grants at the end of that day, without a reload, and never what it denies', () => {
    const other = policy('other', { allow: [allow({ topics: ['b', 'c'] })] });
    const access = compiled([policy('p', rules), other]).accessFor(principal(), 'orders');
    const ask = (name: string, at: number): string => access.decide('read', 'topic', name, 0, at).reason;
    assert.deepEqual(
      [ask('a', lapses - 1), ask('b', lapses - 1), ask('c', lapses - 1)],
      ['allowed', 'denied-by-rule', 'allowed'],
    );
    assert.deepEqual(
      [ask('a', lapses), ask('b', lapses), ask('c', lapses)],
      ['no-matching-rule', 'denied-by-rule', 'allowed'],
    );
    assert.equal(ask('a', lapses - 1), 'allowed', 'a clock that is set back finds the old answer');
    assert.equal(access.decideAny('read', 'topic', lapses - 1).effect, 'permit');
  });

  it('counts as passed where the time is not a number', () => {
    assert.equal(asker(rules)('read', 'topic', 'a', 0, NaN), 'no-matching-rule');
  });

  it('holds for what roles add, too', () => {
    const documents = [
      policy('p', { roles: ['r'], review: { by: '2027-01-31' } }),
      role('r', { allow: [allow({ topics: ['a'] })], deny: [allow({ topics: ['b'] })] }),
    ];
    const access = compiled(documents).accessFor(principal(), 'orders');
    assert.deepEqual(
      ['a', 'b'].map((name) => access.decide('read', 'topic', name, 0, lapses).reason),
      ['no-matching-rule', 'denied-by-rule'],
    );
  });
});

describe('a decision that may be kept', () => {
  it('a decision is settled where no rule on the name asks for each operation, for one stretch of time', () => {
    const rules = {
      allow: [
        allow({ topics: ['plain'] }),
        allow({ topics: ['asks'], when: 'operation.partition == 0' }),
        allow({ topics: ['principal'], when: 'principal.id != "nobody"' }),
      ],
    };
    const access = compiled([policy('p', rules)]).accessFor(principal(), 'orders');
    assert.equal(access.settled('read', 'topic', 'plain', nowMs), true);
    assert.equal(access.settled('read', 'topic', 'asks', nowMs), false);
    assert.equal(access.settled('read', 'topic', 'principal', nowMs), true);
    assert.equal(access.stretch(nowMs), access.stretch(nowMs + 1_000));
  });

  it('a rule that lapses begins another stretch', () => {
    const document = policy('p', { allow: [allow({ topics: ['plain'] })], review: { by: '2026-03-20' } });
    const access = compiled([document]).accessFor(principal(), 'orders');
    const before = Date.parse('2026-03-19T00:00:00Z');
    const after = Date.parse('2026-03-22T00:00:00Z');
    const stretch = access.stretch(before);
    assert.equal(access.stretch(before + 1), stretch);
    assert.notEqual(access.stretch(after), stretch);
    assert.notEqual(access.stretch(before), access.stretch(after));
  });
});
