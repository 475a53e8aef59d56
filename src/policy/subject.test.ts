import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { JsonObject } from '../model/json.ts';
import { claimAt, claimTexts, nestsTooDeeply, parseClaimPath } from './claims.ts';
import type { SubjectDocument } from './document.ts';
import { SubjectIndex, compileSubject, unmetKey } from './subject.ts';
import { principal } from './test-kit.ts';

function meets(document: SubjectDocument, who: Parameters<typeof principal>[0]): boolean {
  return unmetKey(compileSubject(document), principal(who)) === null;
}

describe('claim paths', () => {
  it('separate steps by dots and quote steps that hold dots', () => {
    assert.deepEqual(parseClaimPath('a.b'), ['a', 'b']);
    assert.deepEqual(parseClaimPath('"https://x.y/groups".admin'), ['https://x.y/groups', 'admin']);
    for (const wrong of ['', '.', 'a.', '.a', 'a..b', '"a', '""', '"a"b', 'a"b"'])
      assert.equal(parseClaimPath(wrong), null, wrong);
  });

  it('find own properties only', () => {
    const claims = JSON.parse('{ "a": { "b": 1 }, "list": [1] }') as JsonObject;
    assert.equal(claimAt(claims, ['a', 'b']), 1);
    for (const path of [
      ['constructor'],
      ['__proto__'],
      ['toString'],
      ['a', 'constructor', 'name'],
      ['list', 'length'],
      ['list', '0'],
    ]) {
      assert.equal(claimAt(claims, path), undefined, path.join('.'));
    }
    const own = JSON.parse('{ "__proto__": "x", "constructor": "y" }') as JsonObject;
    assert.deepEqual([claimTexts(own, ['__proto__']), claimTexts(own, ['constructor'])], [['x'], ['y']]);
  });

  it('bound how deep claims may nest', () => {
    const deep = (levels: number): JsonObject =>
      JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`) as JsonObject;
    assert.equal(nestsTooDeeply(deep(32)), false);
    assert.equal(nestsTooDeeply(deep(33)), true);
    assert.equal(nestsTooDeeply(deep(5_000)), true);
  });
});

describe('subjects', () => {
  it('ask for all of their keys and any value of each', () => {
    const subject: SubjectDocument = { group: ['eng', 'ops'], kind: ['user'] };
    assert.ok(meets(subject, { groups: ['x', 'ops'] }));
    assert.ok(!meets(subject, { groups: ['ops'], kind: 'job' }));
    assert.ok(!meets(subject, { groups: [] }));
    assert.ok(!meets({ issuer: ['corp'] }, { issuer: 'partner' }));
  });

  it('compare claims as text, and lists by their elements', () => {
    const claims = {
      id: 65,
      text: '65',
      yes: true,
      roles: ['a', 'repo:acme/app'],
      nested: { level: 2 },
      nothing: null,
      map: {},
      empty: [],
    };
    assert.ok(meets({ claims: { id: ['65'] } }, { claims }));
    assert.ok(meets({ claims: { text: [65] } }, { claims }));
    assert.ok(meets({ claims: { yes: [true] } }, { claims }));
    assert.ok(meets({ claims: { roles: ['b', 'repo:acme/*'] } }, { claims }));
    assert.ok(meets({ claims: { 'nested.level': [2] } }, { claims }));
    for (const absent of ['nothing', 'map', 'empty', 'missing'])
      assert.ok(!meets({ claims: { [absent]: ['**'] } }, { claims }), absent);
    assert.ok(!meets({ claims: { id: [65], yes: [false] } }, { claims }), 'all claims must hold');
  });

  it('never take a claim number that is not exact', () => {
    assert.ok(
      !meets({ claims: { n: ['9007199254740992'] } }, { claims: JSON.parse('{"n":9007199254740993}') as JsonObject }),
    );
  });
});

describe('the index of subjects', () => {
  const words = fc.constantFrom('a', 'b', 'constructor', '__proto__', 'claim a', 'a","b', '1');
  const patterns = fc.oneof(words, fc.constantFrom('*', 'a*', '**'));
  const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
    fc.option(value, { nil: undefined });
  const lists = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> =>
    fc.array(value, { minLength: 1, maxLength: 3 });
  const subjects = fc.record({
    id: optional(lists(patterns)),
    group: optional(lists(words)),
    kind: optional(lists(fc.constantFrom('user' as const, 'job' as const))),
    issuer: optional(lists(fc.constantFrom('corp', 'partner'))),
    claims: optional(
      fc.dictionary(fc.constantFrom('a', 'constructor', 'toString'), lists(fc.oneof(patterns, fc.constant(1)))),
    ),
  });
  const principals = fc.record({
    id: words,
    kind: fc.constantFrom('user' as const, 'job' as const),
    issuer: fc.constantFrom('corp', 'partner'),
    groups: fc.array(words, { maxLength: 3 }),
    claims: fc.dictionary(
      fc.constantFrom('a', 'constructor'),
      fc.oneof(words, fc.constant(1), fc.array(words, { maxLength: 2 })),
    ),
  });

  it('finds exactly the subjects that are met', () => {
    fc.assert(
      fc.property(fc.array(subjects, { maxLength: 12 }), principals, (documents, who) => {
        const entries = documents.map((document, index) => ({ subject: compileSubject(document), owner: index % 5 }));
        const someone = principal({ ...who, claims: { ...who.claims } });
        const expected = new Set(
          entries.filter(({ subject }) => unmetKey(subject, someone) === null).map(({ owner }) => owner),
        );
        assert.deepEqual(
          new SubjectIndex(entries).ownersFor(someone),
          [...expected].toSorted((a, b) => a - b),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it('holds a principal against few of many subjects', () => {
    const entries = Array.from({ length: 20_000 }, (_, owner) => ({
      subject: compileSubject({
        issuer: ['corp'],
        kind: ['user'],
        claims: { pipeline: [`p${owner}`], organization: ['acme'] },
      }),
      owner,
    }));
    const index = new SubjectIndex(entries);
    const started = performance.now();
    for (let round = 0; round < 1_000; round++) {
      assert.deepEqual(index.ownersFor(principal({ claims: { pipeline: `p${round}`, organization: 'acme' } })), [
        round,
      ]);
    }
    // Asking all 20,000 each time takes tens of seconds; the bound leaves room for a busy machine.
    assert.ok(performance.now() - started < 3_000);
  });
});
