/** Subtrees stand for their leaves: in the root, in proofs, and merged with each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompactRange } from './compact-range.ts';
import { leafHash } from './hash.ts';
import { ProofBuilder, consistencyHolds, consistencyRanges, inclusionHolds, inclusionRanges } from './proof.ts';
import { SubtreeRoots, subtreesOf } from './subtrees.ts';

const leaves = Array.from({ length: 300 }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));

function rootOf(size: number): Uint8Array {
  const range = new CompactRange();
  for (const leaf of leaves.slice(0, size)) range.append(leaf);
  return range.root();
}

function rootsOf(start: number, end: number): SubtreeRoots {
  const roots = new SubtreeRoots(start);
  for (const leaf of leaves.slice(start, end)) roots.append(leaf);
  return roots;
}

/** What `add` is called with when the leaves from `start` to `end` are gone and the rest is there. */
function* withHole(start: number, end: number, size: number): Generator<readonly [Uint8Array, number]> {
  for (const leaf of leaves.slice(0, start)) yield [leaf, 0];
  const { hashes } = rootsOf(start, end);
  for (const [at, { level }] of subtreesOf(start, end).entries()) yield [hashes[at] ?? Buffer.alloc(0), level];
  for (const leaf of leaves.slice(end, size)) yield [leaf, 0];
}

const stretch = fc.tuple(fc.nat(290), fc.nat(290), fc.integer({ min: 1, max: 290 })).map(([a, b, c]) => {
  const [start = 0, end = 0, size = 1] = [a, b, Math.max(a, b, c)].sort((x, y) => x - y);
  return { start, end, size };
});

test('a stretch is as few subtrees as it can be, without a gap', () => {
  assert.deepEqual(subtreesOf(0, 0), []);
  assert.deepEqual(subtreesOf(0, 8), [{ start: 0, level: 3 }]);
  assert.deepEqual(
    subtreesOf(3, 13).map(({ start, level }) => [start, level]),
    [
      [3, 0],
      [4, 2],
      [8, 2],
      [12, 0],
    ],
  );
  // Beyond 32 bits.
  assert.deepEqual(
    subtreesOf(2 ** 40, 2 ** 40 + 2 ** 39 + 1).map(({ level }) => level),
    [39, 0],
  );
  for (const [start, end] of [
    [-1, 3],
    [3, 2],
    [0, 0.5],
    [0, 2 ** 53],
  ] as const)
    assert.throws(() => subtreesOf(start, end), RangeError);
});

test('the tree over subtrees has the root of the tree over their leaves', () => {
  fc.assert(
    fc.property(stretch, ({ start, end, size }) => {
      assert.equal(rootsOf(start, end).hashes.length, subtreesOf(start, end).length);
      const range = new CompactRange();
      for (const [hash, level] of withHole(start, end, size)) range.append(hash, level);
      assert.deepEqual([range.size, Buffer.from(range.root())], [size, Buffer.from(rootOf(size))]);
    }),
  );
});

test('two stretches that follow each other become one', () => {
  fc.assert(
    fc.property(stretch, ({ start, end, size }) => {
      const roots = new SubtreeRoots(start);
      for (const [from, to] of [
        [start, end],
        [end, size],
      ] as const) {
        const part = rootsOf(from, to).hashes;
        for (const [at, { level }] of subtreesOf(from, to).entries()) roots.append(part[at] ?? Buffer.alloc(0), level);
      }
      assert.deepEqual([roots.end, roots.hashes.map(String)], [size, rootsOf(start, size).hashes.map(String)]);
    }),
  );
});

test('a subtree cannot begin where it has no place', () => {
  const range = new CompactRange();
  range.append(leaves[0] ?? Buffer.alloc(0));
  assert.throws(() => range.append(leaves[1] ?? Buffer.alloc(0), 1), RangeError);
});

test('what is outside a stretch is proved without it, what is within cannot be', () => {
  fc.assert(
    fc.property(stretch, fc.nat(289), ({ start, end, size }, place) => {
      const index = place % size;
      const builder = new ProofBuilder(inclusionRanges(index, size));
      const feed = (): void => {
        for (const [hash, level] of withHole(start, end, size)) builder.add(hash, level);
      };
      const lone = subtreesOf(start, end).some((each) => each.level === 0 && each.start === index);
      if (index >= start && index < end && !lone) return assert.throws(feed, RangeError);
      feed();
      const [root, leaf] = [rootOf(size), leaves[index] ?? Buffer.alloc(0)];
      assert.ok(inclusionHolds({ index, size, leaf, root }, builder.proof()));
    }),
  );
  fc.assert(
    fc.property(stretch, fc.nat(290), ({ start, end, size }, old) => {
      const oldSize = old % (size + 1);
      if (oldSize > start && oldSize < end) return;
      const builder = new ProofBuilder(consistencyRanges(oldSize, size));
      for (const [hash, level] of withHole(start, end, size)) builder.add(hash, level);
      const claim = { oldSize, oldRoot: rootOf(oldSize), size, root: rootOf(size) };
      assert.ok(consistencyHolds(claim, builder.proof()));
    }),
  );
});
