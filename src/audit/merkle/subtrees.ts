/** A stretch of leaves within a tree as the roots of the perfect subtrees that it is made up of: what can stand for it. */
import { nodeHash } from './hash.ts';

/** 2^`level` leaves from `start`, which is a multiple of that. */
export interface Subtree {
  readonly start: number;
  readonly level: number;
}

/**
 * The fewest perfect subtrees that cover the leaves from `start` to before `end`, in their order: at most two per level.
 * @throws RangeError where those are no places in a tree
 */
export function subtreesOf(start: number, end: number): Subtree[] {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new RangeError(`leaves ${start} to ${end} are no part of a tree`);
  }
  const found: Subtree[] = [];
  for (let at = start; at < end;) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level += 1;
    found.push({ start: at, level });
    at += 2 ** level;
  }
  return found;
}

/** Makes the roots of `subtreesOf` from leaves that pass by once. O(log size) of memory. */
export class SubtreeRoots {
  readonly #stack: { readonly start: number; readonly level: number; readonly hash: Uint8Array }[] = [];
  #end: number;

  /** @param start the first leaf's place in the whole tree */
  constructor(start: number) {
    this.#end = start;
  }

  get end(): number {
    return this.#end;
  }

  /** In the order of `subtreesOf`. */
  get hashes(): readonly Uint8Array[] {
    return this.#stack.map(({ hash }) => hash);
  }

  /** @param level 0 for a leaf; a larger perfect subtree has to begin at a multiple of its size */
  append(hash: Uint8Array, level: number = 0): void {
    const end = this.#end + 2 ** level;
    let node = { start: this.#end, level, hash };
    for (let left = this.#stack.at(-1); left !== undefined; left = this.#stack.at(-1)) {
      // Two become one where they are as large, and are the halves of the same subtree of the whole tree.
      if (left.level !== node.level || left.start % 2 ** (left.level + 1) !== 0) break;
      this.#stack.pop();
      node = { start: left.start, level: left.level + 1, hash: nodeHash(left.hash, node.hash) };
    }
    this.#stack.push(node);
    this.#end = end;
  }
}
