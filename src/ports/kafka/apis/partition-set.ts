/** Partitions by topic: by its id, or by its name where requests have names. One of the two for all of a set. */
export class PartitionSet {
  readonly #topics = new Map<string, Set<number>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(topic: string, partition: number): boolean {
    return this.#topics.get(topic)?.has(partition) === true;
  }

  /** To look many up in one topic. */
  of(topic: string): ReadonlySet<number> | undefined {
    return this.#topics.get(topic);
  }

  add(topic: string, partition: number): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Set();
      this.#topics.set(topic, partitions);
    }
    if (partitions.has(partition)) return;
    partitions.add(partition);
    this.#size += 1;
  }

  delete(topic: string, partition: number): boolean {
    const partitions = this.#topics.get(topic);
    if (partitions?.delete(partition) !== true) return false;
    if (partitions.size === 0) this.#topics.delete(topic);
    this.#size -= 1;
    return true;
  }

  topics(): Iterable<string> {
    return this.#topics.keys();
  }

  /** Makes no list: the set must not be changed meanwhile. */
  forEach(visit: (topic: string, partition: number) => void): void {
    for (const [topic, partitions] of this.#topics) for (const partition of partitions) visit(topic, partition);
  }

  /** Every partition as it is now; the set may be changed meanwhile. */
  entries(): { readonly topic: string; readonly partition: number }[] {
    return [...this.#topics].flatMap(([topic, partitions]) =>
      Array.from(partitions, (partition) => ({ topic, partition })),
    );
  }

  /** For messages, which list partitions by topic. */
  byTopic(): { topic: string; partitions: number[] }[] {
    return Array.from(this.#topics, ([topic, partitions]) => ({ topic, partitions: [...partitions] }));
  }
}
