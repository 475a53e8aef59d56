import { CompactRange } from '../merkle/compact-range.ts';
import { ProofBuilder, consistencyRanges } from '../merkle/proof.ts';
import { subtreesOf } from '../merkle/subtrees.ts';

/**
 * The end of the tree, leaf by leaf, and what is before it as its perfect subtrees: enough to prove to a witness that
 * the tree continues the one that it saw, without reading the log.
 */
export class RecentLeaves {
  readonly #leavesMax: number;
  /** The tree before the first of `#leaves`. */
  #before: CompactRange;
  #leaves: Uint8Array[] = [];

  /** @param leavesMax 32 bytes each; beyond it the older half is no longer told apart */
  constructor(before: CompactRange, leavesMax: number) {
    this.#leavesMax = leavesMax;
    this.#before = CompactRange.from(before.size, before.hashes);
  }

  add(leaf: Uint8Array): void {
    this.#leaves.push(leaf);
    if (this.#leaves.length > this.#leavesMax) this.advance(this.#before.size + Math.ceil(this.#leavesMax / 2));
  }

  /** What is before is not asked for any more. */
  advance(size: number): void {
    const count = Math.min(size - this.#before.size, this.#leaves.length);
    if (count <= 0) return;
    for (const leaf of this.#leaves.slice(0, count)) this.#before.append(leaf);
    this.#leaves = this.#leaves.slice(count);
  }

  /** `null` where `oldSize` is further back than is told apart, or `size` is not here. @throws RangeError */
  proof(oldSize: number, size: number): readonly Uint8Array[] | null {
    const start = this.#before.size;
    if (oldSize < start || oldSize > size || size > start + this.#leaves.length) return null;
    const builder = new ProofBuilder(consistencyRanges(oldSize, size));
    const { hashes } = this.#before;
    for (const [at, { level }] of subtreesOf(0, start).entries()) {
      const hash = hashes[at];
      if (hash !== undefined) builder.add(hash, level);
    }
    for (const leaf of this.#leaves.slice(0, size - start)) builder.add(leaf);
    return builder.proof();
  }
}
