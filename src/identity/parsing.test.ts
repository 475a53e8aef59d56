import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseClaimPath, readClaim } from './claim-path.ts';
import { parseStrictObject } from './strict-json.ts';

test('strict JSON reads what JSON.parse reads, however it is laid out', () => {
  const noProto = fc.string().filter((name) => name !== '__proto__');
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      tie('list'),
      tie('record'),
    ),
    list: fc.array(tie('any'), { maxLength: 4 }),
    record: fc.dictionary(noProto, tie('any'), { maxKeys: 4, noNullPrototype: true }),
  })).record;
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, '\t', '\r\n '), (object, indent) => {
      const text = JSON.stringify(object, undefined, indent);
      assert.deepEqual(parseStrictObject(text), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('strict JSON refuses a repeated name wherever it is and however it is spelled', () => {
  const name = fc.string().filter((text) => text !== '__proto__');
  fc.assert(
    fc.property(name, fc.jsonValue(), fc.jsonValue(), fc.nat(5), (key, first, second, depth) => {
      const escaped = `"${unicodeEscape(key)}"`;
      const twice = `{${JSON.stringify(key)}:${JSON.stringify(first)} , ${escaped} :${JSON.stringify(second)}}`;
      const text = `{"deep":${'['.repeat(depth)}${twice}${']'.repeat(depth)}}`;
      assert.throws(() => parseStrictObject(text), /two members of the same name|__proto__|nested/);
    }),
    { numRuns: 500 },
  );
});

function unicodeEscape(text: string): string {
  return Array.from(
    { length: text.length },
    (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}

test('strict JSON never repeats the text in its message', () => {
  assert.throws(
    () => parseStrictObject('{"a": hunter2}'),
    (thrown: Error) => thrown instanceof SyntaxError && !thrown.message.includes('hunter2'),
  );
});

test('claim paths', () => {
  assert.deepEqual(parseClaimPath('sub'), ['sub']);
  assert.deepEqual(parseClaimPath('realm_access.roles'), ['realm_access', 'roles']);
  assert.deepEqual(parseClaimPath('"https://x.y/groups"'), ['https://x.y/groups']);
  assert.deepEqual(parseClaimPath('a."b.c \\"d\\"".e'), ['a', 'b.c "d"', 'e']);
  assert.deepEqual(parseClaimPath('agent_tag:queue'), ['agent_tag:queue']);
  for (const text of ['', '.', 'a.', '.a', 'a..b', '"a', 'a"b"', '"a"b', '""', 'a.""', String.raw`"\x"`]) {
    assert.throws(() => parseClaimPath(text), /claim path/, text);
  }
});

test('claims are read through own members of objects only', () => {
  const claims = JSON.parse('{"a":{"b":1},"list":[{"b":2}],"text":"abc","null":null}') as Record<string, never>;
  assert.equal(readClaim(claims, ['a', 'b']), 1);
  assert.equal(readClaim(claims, ['null']), null);
  for (const path of [
    ['b'],
    ['a', 'b', 'c'],
    ['list', '0'],
    ['list', 'length'],
    ['text', 'length'],
    ['toString'],
    ['a', '__proto__'],
    ['null', 'x'],
  ] as const) {
    assert.equal(readClaim(claims, path), undefined, path.join('.'));
  }
});
