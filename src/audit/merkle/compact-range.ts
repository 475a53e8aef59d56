import { NodePair, emptyRoot, hashBytes, nodeHash } from './hash.ts';

/**
 * A tree that only grows: the roots of the perfect subtrees that its leaves make up, largest first, one per 1 bit of
 * its size. Enough to append and to know the root; O(log size) of memory.
 */
export class CompactRange {
  #size = 0;
  /** Each of those roots is the left of a pair, which waits for a right that is as large. Pairs behind them are spare. */
  readonly #pairs: NodePair[] = [];
  #count = 0;

  /** @throws RangeError where the hashes are not as many as the size has 1 bits */
  static from(size: number, hashes: readonly Uint8Array[]): CompactRange {
    if (!Number.isSafeInteger(size) || size < 0 || hashes.length !== oneBits(size)) {
      throw new RangeError(`a tree of ${size} leaves is not made up of ${hashes.length} perfect subtrees`);
    }
    const range = new CompactRange();
    range.#size = size;
    range.#count = hashes.length;
    for (const [depth, hash] of hashes.entries()) range.#pair(depth).setLeft(hash);
    return range;
  }

  get size(): number {
    return this.#size;
  }

  /** What `from` takes. */
  get hashes(): readonly Uint8Array[] {
    return this.#pairs.slice(0, this.#count).map(({ left }) => left);
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
    this.#add(node, 0, leaves);
  }

  /** @param leaves their hashes, one behind the other */
  appendLeaves(leaves: Uint8Array): void {
    for (let at = 0; at < leaves.length; at += hashBytes) this.#add(leaves, at, 1);
  }

  /** 32 bytes. */
  root(): Uint8Array {
    const [last, ...rest] = this.hashes.toReversed();
    if (last === undefined) return emptyRoot;
    return rest.reduce((right, left) => nodeHash(left, right), last);
  }

  #add(nodes: Uint8Array, at: number, leaves: number): void {
    // Each trailing 1 bit of the size is a subtree as large as what is being added: two become one.
    let size = this.#size / leaves;
    this.#size += leaves;
    let depth = this.#count;
    if (size % 2 === 0) this.#pair(depth).setLeft(nodes, at);
    else {
      depth -= 1;
      this.#pair(depth).setRight(nodes, at);
      for (size = Math.floor(size / 2); size % 2 === 1; size = Math.floor(size / 2)) {
        this.#pair(depth).hashIntoRight(this.#pair(depth - 1));
        depth -= 1;
      }
      this.#pair(depth).hashIntoLeft(this.#pair(depth));
    }
    this.#count = depth + 1;
  }

  #pair(depth: number): NodePair {
    return (this.#pairs[depth] ??= new NodePair());
  }
}

function oneBits(size: number): number {
  return size.toString(2).replaceAll('0', '').length;
}
