import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OffsetRanges } from './offset-ranges.ts';

test('ranges that follow each other become one, and a gap keeps them apart', () => {
  const ranges = new OffsetRanges(16);
  ranges.add(0n, 9n);
  ranges.add(10n, 19n);
  ranges.add(21n, 30n);
  assert.deepEqual(ranges.toStrings(), [
    ['0', '19'],
    ['21', '30'],
  ]);
  assert.equal(ranges.approximate, false);
  ranges.add(20n, 20n);
  assert.deepEqual(ranges.toStrings(), [['0', '30']]);
});

test('offsets beyond what a double holds stay exact', () => {
  const ranges = new OffsetRanges(16);
  ranges.add(9_223_372_036_854_775_806n, 9_223_372_036_854_775_807n);
  assert.deepEqual(ranges.toStrings(), [['9223372036854775806', '9223372036854775807']]);
});

test('one range too many joins the two closest and says that it covers more', () => {
  const ranges = new OffsetRanges(3);
  for (const offset of [0n, 100n, 110n, 300n]) ranges.add(offset, offset);
  assert.deepEqual(ranges.toStrings(), [
    ['0', '0'],
    ['100', '110'],
    ['300', '300'],
  ]);
  assert.equal(ranges.approximate, true);
});

const added = fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 8 })), { maxLength: 60 });

test('any order of additions gives the exact set while there is room, and always covers it', () => {
  fc.assert(
    fc.property(added, fc.integer({ min: 1, max: 40 }), (additions, max) => {
      const ranges = new OffsetRanges(max);
      const expected = new Set<number>();
      for (const [first, more] of additions) {
        ranges.add(BigInt(first), BigInt(first + more));
        for (let offset = first; offset <= first + more; offset += 1) expected.add(offset);
      }
      const pairs = ranges.toStrings().map(([first, last]) => [Number(first), Number(last)] as const);
      const covered = new Set<number>();
      let previous = -2;
      for (const [first, last] of pairs) {
        assert.ok(first > previous + 1 && last >= first, 'ascending, disjoint and not touching');
        previous = last;
        for (let offset = first; offset <= last; offset += 1) covered.add(offset);
      }
      assert.ok(pairs.length <= max);
      assert.ok([...expected].every((offset) => covered.has(offset)));
      if (!ranges.approximate) assert.equal(covered.size, expected.size);
    }),
  );
});
