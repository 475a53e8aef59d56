/** A request's topics with only those of their partitions that may go on, and with only those that may not. */
export interface Split<T> {
  readonly allowed: T[];
  readonly denied: T[];
}

/**
 * Asks for every partition of every topic. Topics of which nothing is left are left out.
 *
 * @param nameOf a topic's name
 * @param indexOf a partition's number
 */
export function splitPartitions<T extends { readonly partitions: readonly object[] }>(
  topics: readonly T[],
  nameOf: (topic: T) => string,
  indexOf: (partition: T['partitions'][number]) => number,
  permitted: (topic: string, partition: number) => boolean,
): Split<T> {
  const allowed: T[] = [];
  const denied: T[] = [];
  for (const topic of topics) {
    const name = nameOf(topic);
    const no: T['partitions'][number][] = [];
    const yes: T['partitions'][number][] = [];
    for (const partition of topic.partitions) (permitted(name, indexOf(partition)) ? yes : no).push(partition);
    if (no.length === 0) allowed.push(topic);
    else {
      denied.push({ ...topic, partitions: no });
      if (yes.length > 0) allowed.push({ ...topic, partitions: yes });
    }
  }
  return { allowed, denied };
}
