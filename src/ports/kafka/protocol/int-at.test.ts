import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { int16At, int32At } from './int-at.ts';

test('integers are what Buffer reads', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 12 }), fc.nat({ max: 8 }), (array, from) => {
      const bytes = Buffer.from(array);
      const at = Math.min(from, bytes.length - 4);
      assert.equal(int32At(bytes, at), bytes.readInt32BE(at));
      assert.equal(int16At(bytes, at), bytes.readInt16BE(at));
    }),
  );
});
