import { emptyRoot, nodeHash } from './hash.ts';

/**
 * A tree that only grows: the roots of the perfect subtrees that its leaves make up, largest first, one per 1 bit of
 * its size. Enough to append and to know the root; O(log size) of memory.
 */
export class CompactRange {
  #size = 0;
  #hashes: Uint8Array[] = [];

  /** @throws RangeError where the hashes are not as many as the size has 1 bits */
  static from(size: number, hashes: readonly Uint8Array[]): CompactRange {
    if (!Number.isSafeInteger(size) || size < 0 || hashes.length !== oneBits(size)) {
      throw new RangeError(`a tree of ${size} leaves is not made up of ${hashes.length} perfect subtrees`);
    }
    const range = new CompactRange();
    range.#size = size;
    range.#hashes = [...hashes];
    return range;
  }

  get size(): number {
    return this.#size;
  }

  /** What `from` takes. */
  get hashes(): readonly Uint8Array[] {
    return [...this.#hashes];
  }

  /**
   * @param level 0 for a leaf; else the root of a perfect subtree of 2^level leaves
   * @throws RangeError where such a subtree cannot begin here
   */
  append(node: Uint8Array, level: number = 0): void {
    const leaves = 2 ** level;
    if (this.#size % leaves !== 0) {
      throw new RangeError(`a subtree of ${leaves} leaves does not begin behind ${this.#size}`);
    }
    let hash = node;
    // Each trailing 1 bit of the size is a subtree as large as what is being added: two become one.
    for (let size = this.#size / leaves; size % 2 === 1; size = Math.floor(size / 2)) {
      const left = this.#hashes.pop();
      if (left !== undefined) hash = nodeHash(left, hash);
    }
    this.#hashes.push(hash);
    this.#size += leaves;
  }

  /** 32 bytes. */
  root(): Uint8Array {
    const [last, ...rest] = this.#hashes.toReversed();
    if (last === undefined) return emptyRoot;
    return rest.reduce((right, left) => nodeHash(left, right), last);
  }
}

function oneBits(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}
