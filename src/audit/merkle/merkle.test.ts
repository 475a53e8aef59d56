/** The tree and its proofs, held against the recursive definitions of RFC 6962 §2.1, which share no code with them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { CompactRange } from './compact-range.ts';
import { emptyRoot, leafHash, leafHashesOf } from './hash.ts';
import { ProofBuilder, consistencyHolds, consistencyRanges, inclusionHolds, inclusionRanges } from './proof.ts';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const data = (index: number): Buffer => Buffer.from(`entry ${index}`);
const dataTo = (size: number): Buffer[] => Array.from({ length: size }, (_, index) => data(index));

/** k of RFC 6962: the largest power of two smaller than n. */
const k = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

function mth(entries: readonly Buffer[]): Buffer {
  if (entries.length === 0) return sha256();
  const [only] = entries;
  if (entries.length === 1 && only) return sha256(Buffer.of(0), only);
  const cut = k(entries.length);
  return sha256(Buffer.of(1), mth(entries.slice(0, cut)), mth(entries.slice(cut)));
}

function path(m: number, entries: readonly Buffer[]): Buffer[] {
  if (entries.length === 1) return [];
  const cut = k(entries.length);
  return m < cut
    ? [...path(m, entries.slice(0, cut)), mth(entries.slice(cut))]
    : [...path(m - cut, entries.slice(cut)), mth(entries.slice(0, cut))];
}

function subproof(m: number, entries: readonly Buffer[], whole: boolean): Buffer[] {
  if (m === entries.length) return whole ? [] : [mth(entries)];
  const cut = k(entries.length);
  return m <= cut
    ? [...subproof(m, entries.slice(0, cut), whole), mth(entries.slice(cut))]
    : [...subproof(m - cut, entries.slice(cut), false), mth(entries.slice(0, cut))];
}

function build(ranges: ReturnType<typeof inclusionRanges>, size: number): Uint8Array[] {
  const builder = new ProofBuilder(ranges);
  for (let i = 0; i < size; i += 1) builder.add(leafHash(data(i)));
  return builder.proof();
}

const hex = (hashes: readonly Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString('hex'));

describe('the tree', () => {
  test('has the roots of the definition at every size to 130, and at 1000', () => {
    const range = new CompactRange();
    assert.deepEqual(Buffer.from(range.root()), mth([]));
    for (let size = 1; size <= 1_000; size += 1) {
      range.append(leafHash(data(size - 1)));
      if (size > 130 && size !== 1_000) continue;
      assert.equal(Buffer.compare(range.root(), mth(dataTo(size))), 0, `size ${size}`);
      assert.equal(range.size, size);
    }
  });

  test('has the roots that certificate transparency publishes', () => {
    // The test vectors of the C++ and Go implementations of RFC 6962.
    const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const range = new CompactRange();
    leaves.forEach((leaf, index) => {
      range.append(leafHash(Buffer.from(leaf, 'hex')));
      assert.equal(Buffer.from(range.root()).toString('hex'), roots[index]);
    });
    assert.equal(emptyRoot.toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('goes on from what it was, at any size', () => {
    for (const size of [0, 1, 2, 3, 7, 8, 21]) {
      const first = new CompactRange();
      for (let i = 0; i < size; i += 1) first.append(leafHash(data(i)));
      const second = CompactRange.from(first.size, first.hashes);
      for (let i = size; i < 30; i += 1) second.append(leafHash(data(i)));
      assert.equal(Buffer.compare(second.root(), mth(dataTo(30))), 0);
      assert.equal(first.size, size, 'the first stays as it was');
    }
    for (const [size, count] of [
      [3, 1],
      [4, 2],
      [-1, 0],
      [1.5, 1],
      [0, 1],
    ] as const) {
      assert.throws(() => CompactRange.from(size, Array<Buffer>(count).fill(emptyRoot)), RangeError);
    }
  });

  test('hashes a batch of lines as it hashes each', () => {
    const lines = ['{"a":1}', '', 'ü😀', 'x'.repeat(5_000)];
    for (const some of [lines, lines.slice(0, 2), lines.slice(2), []]) {
      const bytes = Buffer.from(some.map((line) => `${line}\n`).join(''));
      const expected = Buffer.concat(some.map((line) => leafHash(Buffer.from(line))));
      assert.deepEqual(leafHashesOf(bytes, some.length), expected);
    }
  });

  test('takes leaves by the batch as it takes each', () => {
    const batched = new CompactRange();
    for (let size = 1; size <= 40; size += 1) {
      const first = batched.size;
      batched.appendLeaves(Buffer.concat(Array.from({ length: size }, (_, i) => leafHash(data(first + i)))));
      assert.equal(Buffer.compare(batched.root(), mth(dataTo(batched.size))), 0, `size ${batched.size}`);
    }
  });
});

describe('inclusion', () => {
  test('is proved for every leaf of every size to 33, by the path of the definition', () => {
    for (let size = 1; size <= 33; size += 1) {
      const root = mth(dataTo(size));
      for (let index = 0; index < size; index += 1) {
        const proof = build(inclusionRanges(index, size), size);
        assert.deepEqual(hex(proof), hex(path(index, dataTo(size))));
        assert.ok(inclusionHolds({ index, size, leaf: leafHash(data(index)), root }, proof), `${index} of ${size}`);
      }
    }
  });

  test('fails for every forged claim', () => {
    for (let size = 1; size <= 20; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const good = { index, size, leaf: leafHash(data(index)), root: mth(dataTo(size)) };
        const proof = path(index, dataTo(size));
        const refuse = (change: Partial<typeof good>, why: string, forged: readonly Uint8Array[] = proof): void =>
          assert.equal(inclusionHolds({ ...good, ...change }, forged), false, `${why}: ${index} of ${size}`);
        for (let other = 0; other < size + 3; other += 1) if (other !== index) refuse({ index: other }, 'wrong index');
        refuse({ index: -1 }, 'negative index');
        refuse({ index: index + 0.5 }, 'broken index');
        refuse({ index: Number.NaN }, 'no index');
        refuse({ size: 0 }, 'no tree');
        refuse({ size: size * 2 }, 'larger tree');
        refuse({ size: 2 ** 53 }, 'unsafe size');
        refuse({ leaf: leafHash(data(size)) }, 'another leaf');
        refuse({ leaf: good.leaf.subarray(1) }, 'short leaf');
        refuse({ root: mth(dataTo(size + 1)) }, 'another root');
        refuse({ root: good.root.subarray(0, 31) }, 'short root');
        refuse({ root: Buffer.alloc(0) }, 'empty root');
        for (const forged of mangled(proof)) refuse({}, 'mangled proof', forged);
      }
    }
  });

  test('takes no inner node for a leaf', () => {
    const leaf = mth(dataTo(2));
    assert.equal(inclusionHolds({ index: 0, size: 2, leaf, root: mth(dataTo(4)) }, [mth(dataTo(4).slice(2))]), true);
    assert.equal(
      inclusionHolds({ index: 0, size: 4, leaf, root: mth(dataTo(4)) }, [mth(dataTo(4).slice(2))]),
      false,
      'under the size that was signed it does not hold',
    );
    const data01 = Buffer.concat([mth([data(0)]), mth([data(1)])]);
    assert.notDeepEqual(leafHash(data01), leaf, 'and no entry hashes to a node');
  });

  test('of what is not there cannot be asked for', () => {
    for (const [index, size] of [
      [0, 0],
      [3, 3],
      [-1, 3],
      [0.5, 3],
    ] as const) {
      assert.throws(() => inclusionRanges(index, size), RangeError);
    }
    assert.throws(() => build(inclusionRanges(0, 8), 5), /leaves are missing/);
  });
});

describe('consistency', () => {
  test('is proved between all sizes to 24, by the proof of the definition', () => {
    for (let size = 1; size <= 24; size += 1) {
      for (let oldSize = 1; oldSize <= size; oldSize += 1) {
        const proof = build(consistencyRanges(oldSize, size), size);
        assert.deepEqual(hex(proof), hex(oldSize === size ? [] : subproof(oldSize, dataTo(size), true)));
        const claim = { oldSize, oldRoot: mth(dataTo(oldSize)), size, root: mth(dataTo(size)) };
        assert.ok(consistencyHolds(claim, proof), `${oldSize} to ${size}`);
      }
    }
    assert.ok(consistencyHolds({ oldSize: 0, oldRoot: emptyRoot, size: 3, root: mth(dataTo(3)) }, []));
    assert.ok(consistencyHolds({ oldSize: 0, oldRoot: emptyRoot, size: 0, root: emptyRoot }, []));
  });

  test('fails for every forged claim', () => {
    for (let size = 1; size <= 16; size += 1) {
      for (let oldSize = 1; oldSize <= size; oldSize += 1) {
        const good = { oldSize, oldRoot: mth(dataTo(oldSize)), size, root: mth(dataTo(size)) };
        const proof = oldSize === size ? [] : subproof(oldSize, dataTo(size), true);
        const refuse = (change: Partial<typeof good>, why: string, forged: readonly Uint8Array[] = proof): void =>
          assert.equal(consistencyHolds({ ...good, ...change }, forged), false, `${why}: ${oldSize} to ${size}`);
        refuse({ oldSize: size + 1 }, 'a smaller tree');
        for (let other = 0; other < size; other += 1) if (other !== oldSize) refuse({ oldSize: other }, 'wrong size');
        refuse({ size: size * 2 }, 'larger tree');
        refuse({ oldRoot: mth(dataTo(size + 1)) }, 'another old root');
        refuse({ root: mth(dataTo(size + 1)) }, 'another root');
        refuse({ root: mth(dataTo(oldSize - 1)) }, 'a root of less');
        refuse({ oldRoot: good.oldRoot.subarray(1) }, 'short old root');
        refuse({ oldSize: -1 }, 'negative size');
        refuse({ oldSize: oldSize - 0.5 }, 'broken size');
        for (const forged of mangled(proof)) refuse({}, 'mangled proof', forged);
      }
    }
  });

  test('with an empty tree has one form only', () => {
    const root = mth(dataTo(3));
    assert.equal(consistencyHolds({ oldSize: 0, oldRoot: emptyRoot, size: 3, root }, [root]), false);
    assert.equal(consistencyHolds({ oldSize: 0, oldRoot: root, size: 3, root }, []), false);
    assert.throws(() => consistencyRanges(4, 3), RangeError);
  });
});

/** Every proof that differs: one hash less, one more, one changed, two swapped, one short, none. */
function* mangled(proof: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  const other = sha256(Buffer.from('other'));
  yield [...proof, other];
  yield [other, ...proof];
  if (proof.length > 0) yield [];
  for (let i = 0; i < proof.length; i += 1) {
    const at = proof[i] ?? other;
    yield proof.toSpliced(i, 1);
    yield proof.toSpliced(i, 0, at);
    yield proof.with(i, other);
    yield proof.with(i, at.subarray(1));
    yield proof.with(i, Buffer.concat([at, Buffer.of(0)]));
    if (i > 0) yield proof.with(i, proof[i - 1] ?? other).with(i - 1, at);
  }
}
