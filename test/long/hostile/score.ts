/** What an attack did and what came back, counted. */
type Kind = 'courses' | 'mutations' | 'codes' | 'oddities';

export class Score {
  bytes = 0;
  frames = 0;
  connections = 0;
  /** Connections that the kernel or the gateway did not take. */
  notConnected = 0;
  answers = 0;
  closedByGateway = 0;
  /** How long the gateway took at most to tell its metrics: what one turn of its event loop may take. */
  longestScrapeMs = 0;
  readonly #counts: Record<Kind, Map<string, number>> = {
    courses: new Map(),
    mutations: new Map(),
    codes: new Map(),
    oddities: new Map(),
  };

  count(kind: Kind, name: string): void {
    const counts = this.#counts[kind];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  of(kind: Kind): ReadonlyMap<string, number> {
    return this.#counts[kind];
  }
}

/** `a 3, b 2`, the most frequent first. */
export function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
