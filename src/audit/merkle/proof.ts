/**
 * Proofs of RFC 6962 §2.1.1 and §2.1.2, checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say. What is checked comes from
 * others: every length and index is held against the sizes, and nothing is trusted for having the right form.
 */
import { CompactRange } from './compact-range.ts';
import { emptyRoot, hashBytes, nodeHash } from './hash.ts';

/** A range of leaves, `end` exclusive, whose own root is one hash of a proof. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** The ranges whose roots make up the inclusion proof for `index` in a tree of `size` leaves, in the proof's order. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  mustBeSizes(index, size);
  if (index >= size) throw new RangeError(`a tree of ${size} leaves has no leaf ${index}`);
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  return ranges;
}

/** The ranges of the proof that the first `oldSize` leaves of a tree of `size` are a tree that it continues. */
export function consistencyRanges(oldSize: number, size: number): LeafRange[] {
  mustBeSizes(oldSize, size);
  if (oldSize > size) throw new RangeError(`a tree of ${size} leaves continues none of ${oldSize}`);
  if (oldSize === 0 || oldSize === size) return [];
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end !== oldSize) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  // The old tree's root is known to who checks; any other subtree it ends in is not.
  if (start !== 0) ranges.unshift({ start, end });
  return ranges;
}

/** Makes a proof from leaves that pass by once, in order, starting with the first. */
export class ProofBuilder {
  readonly #ranges: readonly LeafRange[];
  readonly #roots: readonly CompactRange[];
  #next = 0;

  constructor(ranges: readonly LeafRange[]) {
    this.#ranges = ranges;
    this.#roots = ranges.map(() => new CompactRange());
  }

  /**
   * @param level 0 for a leaf; else the root of a perfect subtree of 2^level leaves
   * @throws RangeError where the proof needs what is within that subtree
   */
  add(hash: Uint8Array, level: number = 0): void {
    const first = this.#next;
    const last = first + 2 ** level - 1;
    const at = this.#ranges.findIndex(({ start, end }) => start <= last && first < end);
    const range = this.#ranges[at];
    if (range !== undefined && (first < range.start || last >= range.end)) {
      throw new RangeError(`the proof needs leaves between ${first} and ${last}`);
    }
    this.#roots[at]?.append(hash, level);
    this.#next = last + 1;
  }

  /** @throws RangeError where leaves are missing */
  proof(): Uint8Array[] {
    this.#ranges.forEach(({ start, end }, at) => {
      if (this.#roots[at]?.size !== end - start) throw new RangeError('leaves are missing for the proof');
    });
    return this.#roots.map((range) => range.root());
  }
}

/** Whether `leaf`, the hash of an entry, stands at `index` in the tree of `size` leaves with this root. */
export function inclusionHolds(
  claim: { readonly index: number; readonly size: number; readonly leaf: Uint8Array; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  const { index, size, leaf, root } = claim;
  if (!areSizes(index, size) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  let place = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      for (; place % 2 === 0 && place !== 0; place = half(place)) last = half(last);
    } else {
      hash = nodeHash(hash, sibling);
    }
    place = half(place);
    last = half(last);
  }
  return last === 0 && equal(hash, root);
}

/** Whether the tree of `size` leaves begins with all leaves of the tree of `oldSize`, in their order. */
export function consistencyHolds(
  claim: { readonly oldSize: number; readonly oldRoot: Uint8Array; readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  const { oldSize, oldRoot, size, root } = claim;
  if (!areSizes(oldSize, size) || oldSize > size || !areHashes([oldRoot, root, ...proof])) return false;
  if (oldSize === size) return proof.length === 0 && equal(oldRoot, root);
  if (oldSize === 0) return proof.length === 0 && equal(oldRoot, emptyRoot);
  if (proof.length === 0) return false;
  const [first, ...rest] = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof;
  if (first === undefined) return false;
  return consistentFrom(first, rest, claim);
}

function consistentFrom(
  first: Uint8Array,
  rest: readonly Uint8Array[],
  claim: { readonly oldSize: number; readonly oldRoot: Uint8Array; readonly size: number; readonly root: Uint8Array },
): boolean {
  let place = claim.oldSize - 1;
  let last = claim.size - 1;
  for (; place % 2 === 1; place = half(place)) last = half(last);
  let oldHash = first;
  let hash = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      oldHash = nodeHash(sibling, oldHash);
      hash = nodeHash(sibling, hash);
      for (; place % 2 === 0 && place !== 0; place = half(place)) last = half(last);
    } else {
      hash = nodeHash(hash, sibling);
    }
    place = half(place);
    last = half(last);
  }
  return last === 0 && equal(oldHash, claim.oldRoot) && equal(hash, claim.root);
}

/** The largest power of two below `count`, which is at least 2. Not by shifts: those have 32 bits. */
function split(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return value === 1 || split(value) * 2 === value;
}

function areSizes(...sizes: readonly number[]): boolean {
  return sizes.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function mustBeSizes(...sizes: readonly number[]): void {
  if (!areSizes(...sizes)) throw new RangeError('sizes and positions are whole numbers from 0');
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === hashBytes);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
