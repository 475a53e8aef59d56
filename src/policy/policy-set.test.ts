import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decisionsPerTableMax, decisionsRememberedMax, principalsRememberedMax } from '../lib/limits.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { Lru } from './lru.ts';
import { Memory } from './memory.ts';
import { compiled, nowMs, policy, principal } from './test-kit.ts';

const read = { port: 'orders', topics: ['a'], actions: ['read'] };

function mayRead(set: ReturnType<typeof compiled>, who: Principal, port = 'orders'): boolean {
  return set.accessFor(who, port).decide('read', 'topic', 'a', 0, nowMs).effect === 'permit';
}

describe('principals that look alike', () => {
  it('are never taken for one another', () => {
    const set = compiled([
      policy('by-id', { subjects: [{ issuer: 'corp', id: 'alice' }], allow: [read] }),
      policy('by-claim', { subjects: [{ claims: { team: 'x' } }], allow: [read] }),
      policy('by-groups', { subjects: [{ group: 'a,b' }, { group: '["a"]' }], allow: [read] }),
      policy('by-condition', { subjects: [{ id: 'carol' }], allow: [{ ...read, when: 'principal.claims.n == "1"' }] }),
    ]);
    const cases: readonly (readonly [Parameters<typeof principal>[0], boolean])[] = [
      [{ issuer: 'corp', id: 'alice' }, true],
      [{ issuer: 'corp ', id: 'alice' }, false],
      [{ issuer: 'partner', id: 'alice' }, false],
      [{ issuer: 'corp","alice', id: '' }, false],
      [{ issuer: 'cor', id: 'palice' }, false],
      [{ id: 'alice"', issuer: 'corp' }, false],
      [{ id: 'bob', groups: ['a,b'] }, true],
      [{ id: 'bob', groups: ['a', 'b'] }, false],
      [{ id: 'bob', groups: ['["a"]'] }, true],
      [{ id: 'bob', groups: ['a'] }, false],
      [{ id: 'bob', claims: { team: 'x' } }, true],
      [{ id: 'bob', claims: { team: 'y' } }, false],
      [{ id: 'bob', claims: { 'team":"x': 1 } }, false],
      [{ id: 'bob', claims: { claims: { team: 'x' } } }, false],
      [{ id: 'carol', claims: { n: '1' } }, true],
      [{ id: 'carol', claims: { n: 1 } }, false],
      [{ id: 'carol', claims: { n: ['1'] } }, false],
    ];
    for (const round of [cases, cases.toReversed(), cases]) {
      for (const [parts, expected] of round)
        assert.equal(mayRead(set, principal(parts)), expected, JSON.stringify(parts));
    }
  });

  it('share a table where the same rules count, and only there', () => {
    const set = compiled([
      policy('p', {
        subjects: [{ group: 'eng' }],
        allow: [read, { ...read, topics: ['b'], when: 'principal.claims.mfa == true' }],
      }),
    ]);
    const access = (id: string, claims: JsonObject, port = 'orders'): unknown =>
      set.accessFor(principal({ id, groups: ['eng'], claims }), port);
    assert.equal(access('a', { mfa: false }), access('b', { mfa: false, other: 1 }));
    assert.notEqual(access('a', { mfa: false }), access('a', { mfa: true }));
    assert.notEqual(access('a', { mfa: true }), access('a', {}), 'one grants, the other cannot be evaluated');
    assert.notEqual(access('a', { mfa: false }), access('a', {}), 'false grants nothing in silence, an error says so');
    assert.notEqual(access('a', { mfa: false }), access('a', { mfa: false }, 'metrics'));
  });

  it('are told apart by port', () => {
    const set = compiled([policy('p', { allow: [read] })]);
    const alice = principal();
    assert.deepEqual([mayRead(set, alice), mayRead(set, alice, 'metrics'), mayRead(set, alice)], [true, false, true]);
  });
});

describe('claims made to hurt', () => {
  it('that nest too deeply are granted nothing, and do not throw', () => {
    const set = compiled([policy('p', { allow: [read] })]);
    const deep = JSON.parse(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`) as JsonObject;
    assert.equal(mayRead(set, principal({ claims: deep })), false);
    assert.equal(mayRead(set, principal()), true);
  });

  it('with prototype names or broken text are claims like any other', () => {
    const set = compiled([policy('p', { subjects: [{ claims: { constructor: 'x' } }], allow: [read] })]);
    assert.equal(mayRead(set, principal({ claims: {} })), false);
    assert.equal(
      mayRead(set, principal({ claims: JSON.parse('{"__proto__":{"constructor":"x"}}') as JsonObject })),
      false,
    );
    assert.equal(
      mayRead(set, principal({ claims: JSON.parse('{"constructor":"x","lone":"\\ud800"}') as JsonObject })),
      true,
    );
    assert.equal(
      mayRead(
        set,
        principal({
          claims: { many: Array.from({ length: 30_000 }, () => 0), constructor: 'x' } as unknown as JsonObject,
        }),
      ),
      true,
    );
  });
});

describe('memory', () => {
  it('of one table, and of all, is bounded whatever names clients choose', () => {
    const memory = new Memory();
    const held = new Map<object, number>();
    const tables = Array.from({ length: 20 }, () => {
      const table = { forget: (): void => void held.set(table, 0) };
      return table;
    });
    const remember = (table: (typeof tables)[number]): void => {
      memory.makeRoom(table);
      held.set(table, (held.get(table) ?? 0) + 1);
      assert.ok((held.get(table) ?? 0) <= decisionsPerTableMax);
    };
    for (let round = 0; round < 30_000; round++) for (const table of tables) remember(table);
    const total = [...held.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(total <= decisionsRememberedMax, String(total));
    assert.equal(total, memory.total, 'the count is what is held');
  });

  it('loses nothing but time: decisions stay right while tables forget', () => {
    const set = compiled([policy('p', { allow: [{ ...read, topics: ['a*'] }] })]);
    const access = set.accessFor(principal(), 'orders');
    for (let index = 0; index < decisionsPerTableMax * 2.5; index++) {
      assert.equal(
        access.decide('read', 'topic', `${index % 2 === 0 ? 'a' : 'b'}${index}`, 0, nowMs).effect,
        index % 2 === 0 ? 'permit' : 'deny',
      );
    }
    assert.equal(access.decide('read', 'topic', 'a0', 0, nowMs).effect, 'permit');
  });

  it('of principals keeps the last used', () => {
    const evicted: number[] = [];
    const lru = new Lru<number>(3, (value) => evicted.push(value));
    for (const value of [1, 2, 3]) lru.set(String(value), value);
    lru.get('1');
    lru.set('4', 4);
    lru.set('4', 5);
    assert.deepEqual(evicted, [2]);
    assert.deepEqual([lru.get('1'), lru.get('2'), lru.get('4'), lru.size], [1, undefined, 5, 3]);
    assert.ok(principalsRememberedMax > 0);
  });
});
