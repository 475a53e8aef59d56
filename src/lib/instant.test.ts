import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from './instant.ts';

test('is what Date writes, whatever was asked before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), fc.integer({ min: 0, max: 200_000 }), (ms, later) => {
      for (const one of [ms, ms, Math.min(ms + later, 253_402_300_799_999)])
        assert.equal(instant(one), new Date(one).toISOString());
    }),
  );
  assert.equal(instant(-5), '1970-01-01T00:00:00.000Z');
  assert.equal(instant(1.9), '1970-01-01T00:00:00.001Z');
  assert.equal(instant(1e20), '9999-12-31T23:59:59.999Z');
});
