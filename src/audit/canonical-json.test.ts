import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import type { JsonObject, JsonValue } from '../model/json.ts';
import { canonicalText, constantData } from './canonical-json.ts';

test('is what another implementation of RFC 8785 writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      assert.equal(canonicalText(value as JsonValue), canonicalize(value));
    }),
    { numRuns: 2_000 },
  );
  // RFC 8785 §3.2.3 and §3.2.2.3.
  const names = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
  const numbers = [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0, 1e21, 5e-324];
  for (const value of [names, numbers, { b: [], a: {}, '': null }]) {
    assert.equal(canonicalText(value), canonicalize(value));
  }
});

test('refuses what JSON cannot carry', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  for (const value of [NaN, Infinity, '\ud800', { '\udc00': 1 }, 1n, circle, new Date(0), new Map(), () => 1]) {
    assert.throws(() => canonicalText({ value } as unknown as JsonValue), TypeError);
  }
  assert.equal(canonicalText({ a: undefined, b: 1 } as unknown as JsonObject), '{"b":1}');
});

test('what is constant cannot be changed behind its text', () => {
  const who = constantData({ id: 'alice', groups: ['b', 'a'], inner: { z: 1, a: 2 } });
  const text = '{"groups":["b","a"],"id":"alice","inner":{"a":2,"z":1}}';
  assert.equal(canonicalText({ who }), `{"who":${text}}`);
  assert.throws(() => who.groups.push('c'), TypeError);
  assert.throws(() => Object.assign(who.inner, { a: 3 }), TypeError);
  assert.equal(canonicalText({ ...who, id: 'bob' }), text.replace('alice', 'bob'));
});
