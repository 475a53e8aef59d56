/**
 * Counters and histograms for the data path. A metrics library hashes its labels on every call, about a microsecond
 * each; these walk a small map per label and add a number. They render themselves in Prometheus' text form 0.0.4.
 */

/** What one process counted: labels as rendered, and the numbers under them. Plain values, which pass between processes. */
export type Counted = readonly (readonly [labels: string, values: readonly number[]])[];

/** Number by number, label set by label set. */
export function added(all: readonly Counted[]): Counted {
  const sums = new Map<string, number[]>();
  for (const [labels, values] of all.flat()) {
    const sum = sums.get(labels);
    if (sum === undefined) sums.set(labels, [...values]);
    else values.forEach((value, index) => (sum[index] = (sum[index] ?? 0) + value));
  }
  return [...sums];
}

type Branch<Leaf> = Map<string, Branch<Leaf> | Leaf>;

/** Distinct label sets that one metric keeps; what comes beyond them is counted under `other`. */
const labelSetsMax = 2_000;
const overflowLabel = 'other';

/** A monotonic count per label set. */
export class Tally {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: LabelTree<{ count: number }>;

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = new LabelTree(labelNames, () => ({ count: 0 }));
  }

  /** @param labels one value per label name, in their order */
  add(amount: number, a: string, b?: string, c?: string): void {
    this.#labels.leaf(a, b, c).count += amount;
  }

  counted(): Counted {
    return Array.from(this.#labels.leaves(), ([labels, { count }]) => [labels, [count]]);
  }

  /** @param counted other than what this process counted itself */
  render(counted: Counted = this.counted()): string {
    const lines = counted.map(([labels, [count = 0]]) => `${this.#name}{${labels}} ${count}\n`);
    return header(this.#name, this.#help, 'counter') + lines.join('');
  }
}

/** Upper bounds in seconds. A fetch that waits for records takes `fetch.max.wait.ms`, half a second by default. */
const bucketSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** How long something took, per label set. */
export class Timing {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: LabelTree<{ sumSeconds: number; readonly counts: Float64Array }>;

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = new LabelTree(labelNames, () => ({
      sumSeconds: 0,
      counts: new Float64Array(bucketSeconds.length + 1),
    }));
  }

  /** @param count how many took as long */
  observe(milliseconds: number, count: number, a: string, b?: string, c?: string): void {
    const leaf = this.#labels.leaf(a, b, c);
    const seconds = milliseconds / 1_000;
    leaf.sumSeconds += seconds * count;
    let bucket = 0;
    while (bucket < bucketSeconds.length && seconds > (bucketSeconds[bucket] ?? 0)) bucket++;
    leaf.counts[bucket] = (leaf.counts[bucket] ?? 0) + count;
  }

  counted(): Counted {
    return Array.from(this.#labels.leaves(), ([labels, { sumSeconds, counts }]) => [labels, [sumSeconds, ...counts]]);
  }

  /** @param counted other than what this process measured itself */
  render(counted: Counted = this.counted()): string {
    let out = header(this.#name, this.#help, 'histogram');
    for (const [labels, [sumSeconds = 0, ...counts]] of counted) {
      let cumulative = 0;
      counts.forEach((count, index) => {
        cumulative += count;
        out += `${this.#name}_bucket{${labels},le="${bucketSeconds[index] ?? '+Inf'}"} ${cumulative}\n`;
      });
      out += `${this.#name}_sum{${labels}} ${sumSeconds}\n${this.#name}_count{${labels}} ${cumulative}\n`;
    }
    return out;
  }
}

/** Leaves found by one to three label values. */
class LabelTree<Leaf extends object> {
  readonly #names: readonly string[];
  readonly #make: () => Leaf;
  readonly #root: Branch<Leaf> = new Map();
  #size = 0;
  // What is counted next has mostly the labels of what was counted last.
  #a = '';
  #b: string | undefined;
  #c: string | undefined;
  #last: Leaf | null = null;

  constructor(names: readonly string[], make: () => Leaf) {
    this.#names = names;
    this.#make = make;
  }

  leaf(a: string, b?: string, c?: string): Leaf {
    if (this.#last !== null && a === this.#a && b === this.#b && c === this.#c) return this.#last;
    this.#last = this.#find(a, b, c);
    this.#a = a;
    this.#b = b;
    this.#c = c;
    return this.#last;
  }

  #find(a: string, b: string | undefined, c: string | undefined): Leaf {
    let node = this.#root.get(a);
    if (b !== undefined && node instanceof Map) node = node.get(b);
    if (c !== undefined && node instanceof Map) node = node.get(c);
    if (node !== undefined && !(node instanceof Map)) return node;
    return this.#grow([a, b, c].filter((value) => value !== undefined));
  }

  #grow(values: readonly string[]): Leaf {
    if (this.#size >= labelSetsMax && values.some((value) => value !== overflowLabel)) {
      const [a = '', b, c] = values.map(() => overflowLabel);
      return this.#find(a, b, c);
    }
    let branch = this.#root;
    for (const value of values.slice(0, -1)) {
      const next = branch.get(value);
      const child: Branch<Leaf> = next instanceof Map ? next : new Map();
      branch.set(value, child);
      branch = child;
    }
    const leaf = this.#make();
    branch.set(values.at(-1) ?? '', leaf);
    this.#size++;
    return leaf;
  }

  *leaves(): Generator<readonly [labels: string, leaf: Leaf]> {
    yield* this.#walk(this.#root, []);
  }

  *#walk(branch: Branch<Leaf>, path: readonly string[]): Generator<readonly [string, Leaf]> {
    for (const [value, node] of branch) {
      const here = [...path, `${this.#names[path.length] ?? 'label'}="${escape(value)}"`];
      if (node instanceof Map) yield* this.#walk(node, here);
      else yield [here.join(','), node];
    }
  }
}

function header(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
