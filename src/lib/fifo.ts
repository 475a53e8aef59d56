const placesAtFirst = 8;

/**
 * First in, first out, in constant time: an array's `shift` is a call into the runtime, which shows where there are tens
 * of thousands in a second. Its memory grows with the most it ever held.
 */
export class Fifo<Item extends object> {
  /** As many places as a power of two. */
  #places: (Item | undefined)[] = Array.from({ length: placesAtFirst });
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The one that came first of those that are still here. */
  get first(): Item | undefined {
    return this.#places[this.#head];
  }

  push(item: Item): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#head + this.#length) & (this.#places.length - 1)] = item;
    this.#length += 1;
  }

  shift(): Item | undefined {
    const item = this.#places[this.#head];
    if (item === undefined) return undefined;
    this.#places[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#places.length - 1);
    this.#length -= 1;
    return item;
  }

  #grow(): void {
    const before = this.#places;
    const after: (Item | undefined)[] = Array.from({ length: 2 * before.length });
    for (let at = 0; at < before.length; at += 1) after[at] = before[(this.#head + at) & (before.length - 1)];
    this.#places = after;
    this.#head = 0;
  }
}
