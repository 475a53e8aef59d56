/**
 * Disjoint ranges of offsets, both ends inclusive, ascending. At most `rangesMax`: beyond it the two with the smallest
 * gap between them become one and `approximate` turns true, so that what flowed is always covered.
 */
export class OffsetRanges {
  readonly #rangesMax: number;
  readonly #firsts: bigint[] = [];
  readonly #lasts: bigint[] = [];
  #approximate = false;

  constructor(rangesMax: number) {
    this.#rangesMax = rangesMax;
  }

  get approximate(): boolean {
    return this.#approximate;
  }

  /** Adds `first` to `last`, where 0 ≤ first ≤ last. */
  add(first: bigint, last: bigint): void {
    const end = this.#firsts.length - 1;
    const endLast = this.#lasts[end];
    const endFirst = this.#firsts[end];
    // The common case by far: what flows now follows what flowed before.
    if (endLast === undefined || endFirst === undefined || first > endLast + 1n) this.#insert(end + 1, 0, first, last);
    else if (first >= endFirst) {
      if (last > endLast) this.#lasts[end] = last;
    } else this.#merge(first, last);
  }

  /** As decimal strings: offsets have 64 bits. */
  toStrings(): [string, string][] {
    return this.#firsts.map((first, i) => [String(first), String(this.#lasts[i])]);
  }

  #merge(first: bigint, last: bigint): void {
    let from = 0;
    while (this.#lastAt(from) + 1n < first) from += 1;
    let to = from;
    let mergedFirst = first;
    let mergedLast = last;
    while (to < this.#firsts.length && this.#firstAt(to) <= last + 1n) {
      if (this.#firstAt(to) < mergedFirst) mergedFirst = this.#firstAt(to);
      if (this.#lastAt(to) > mergedLast) mergedLast = this.#lastAt(to);
      to += 1;
    }
    this.#insert(from, to - from, mergedFirst, mergedLast);
  }

  #insert(at: number, replaced: number, first: bigint, last: bigint): void {
    this.#firsts.splice(at, replaced, first);
    this.#lasts.splice(at, replaced, last);
    if (this.#firsts.length > this.#rangesMax) this.#joinClosest();
  }

  #joinClosest(): void {
    let closest = 1;
    let smallest = this.#gapBefore(1);
    for (let i = 2; i < this.#firsts.length; i += 1) {
      const gap = this.#gapBefore(i);
      if (gap < smallest) {
        smallest = gap;
        closest = i;
      }
    }
    this.#firsts.splice(closest, 1);
    this.#lasts.splice(closest - 1, 1);
    this.#approximate = true;
  }

  #gapBefore(i: number): bigint {
    return this.#firstAt(i) - this.#lastAt(i - 1);
  }

  #firstAt(i: number): bigint {
    return this.#firsts[i] ?? 0n;
  }

  #lastAt(i: number): bigint {
    return this.#lasts[i] ?? 0n;
  }
}
