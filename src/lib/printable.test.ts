import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';

test('a forged line, an override and half a character cannot be smuggled into a log', () => {
  assert.equal(printable('a\r\n{"forged":true}', 100), 'a\uFFFD\uFFFD{"forged":true}');
  assert.equal(printable('pay\u202Estnem', 100), 'pay\uFFFDstnem');
  assert.equal(printable('x\uD800y\u0085z\u2028', 100), 'x\uFFFDy\uFFFDz\uFFFD');
});

test('ordinary text of any language passes unchanged', () => {
  assert.equal(printable('zahlungen-größe-支払い-😀', 100), 'zahlungen-größe-支払い-😀');
});

test('long names are cut and stay different', () => {
  const a = printable('n'.repeat(1_000) + 'a', 20);
  const b = printable('n'.repeat(1_000) + 'b', 20);
  assert.match(a, /^n{20}…sha256:[0-9a-f]{16}$/);
  assert.notEqual(a, b);
  assert.ok(printable('😀'.repeat(100), 3).isWellFormed());
});
