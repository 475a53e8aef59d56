/** The rules that count for some principal on one port, found by the name they speak of. */
import { clusterName } from '../model/operation.ts';
import type { ResourceType } from '../model/operation.ts';
import { matches } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import type { CompiledRule, NamedResource } from './rule.ts';

/**
 * A rule as it counts for a principal. `holds`: no condition, or one that is settled. `fails`: its condition could not be
 * evaluated, so that it grants nothing and says why. `asks`: its condition is evaluated for each operation.
 */
export interface SettledRule {
  readonly rule: CompiledRule;
  readonly state: 'holds' | 'fails' | 'asks';
}

interface Waiting {
  readonly pattern: Pattern;
  readonly settled: SettledRule;
}

/** Literals wait under their name, prefixes and globs under the fixed text that every match starts with. */
class NameIndex {
  readonly #literals = new Map<string, SettledRule[]>();
  readonly #heads = new Map<string, Waiting[]>();
  /** Lengths of the heads, ascending: a name is looked up once per length. */
  #headLengths: readonly number[] = [];

  add(pattern: Pattern, settled: SettledRule): void {
    if (pattern.kind === 'literal') append(this.#literals, pattern.head, settled);
    else append(this.#heads, pattern.head, { pattern, settled });
  }

  seal(): void {
    this.#headLengths = [...new Set([...this.#heads.keys()].map((head) => head.length))].toSorted((a, b) => a - b);
  }

  collect(name: string, into: Set<SettledRule>): void {
    for (const settled of this.#literals.get(name) ?? []) into.add(settled);
    for (const length of this.#headLengths) {
      if (length > name.length) return;
      for (const { pattern, settled } of this.#heads.get(name.slice(0, length)) ?? [])
        if (matches(pattern, name)) into.add(settled);
    }
  }

  collectSame(wanted: Pattern, into: Set<SettledRule>): void {
    for (const { pattern, settled } of this.#heads.get(wanted.head) ?? [])
      if (pattern.source === wanted.source) into.add(settled);
  }
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

const namedResources: readonly NamedResource[] = ['topic', 'group', 'transactional-id'];

export class RuleIndex {
  readonly rules: readonly SettledRule[];
  /** When some allow rule here lapses, ascending: between two of these, time changes no decision by itself. */
  readonly lapseTimesMs: readonly number[];
  readonly #byName: Readonly<Record<NamedResource, NameIndex>> = {
    topic: new NameIndex(),
    group: new NameIndex(),
    'transactional-id': new NameIndex(),
  };
  readonly #cluster: readonly SettledRule[];

  /** @param rules in ascending order */
  constructor(rules: readonly SettledRule[]) {
    this.rules = rules;
    this.#cluster = rules.filter(({ rule }) => rule.cluster);
    for (const settled of rules) {
      for (const type of namedResources)
        for (const pattern of settled.rule.names[type]) this.#byName[type].add(pattern, settled);
    }
    for (const type of namedResources) this.#byName[type].seal();
    const lapses = rules
      .filter(({ rule }) => rule.effect === 'allow' && rule.lapsesAtMs !== Infinity)
      .map(({ rule }) => rule.lapsesAtMs);
    this.lapseTimesMs = [...new Set(lapses)].toSorted((a, b) => a - b);
  }

  /** The rules of which some pattern matches the name, each once, in ascending order. */
  lookup(type: ResourceType, name: string): readonly SettledRule[] {
    // The cluster has one name; another one is a mistake of the caller's, and matches nothing.
    if (type === 'cluster') return name === clusterName ? this.#cluster : [];
    const index = this.#byName[type];
    if (index === undefined) return [];
    const found = new Set<SettledRule>();
    index.collect(name, found);
    return inOrder(found);
  }

  /**
   * The rules of which some pattern may cover the whole of this one: those that match its fixed text, since what covers a
   * pattern and is not the same glob is a prefix of that text or, for a literal, matches it.
   */
  covering(type: ResourceType, pattern: Pattern): readonly SettledRule[] {
    if (type === 'cluster') return this.#cluster;
    const found = new Set<SettledRule>();
    this.#byName[type].collect(pattern.head, found);
    this.#byName[type].collectSame(pattern, found);
    return inOrder(found);
  }
}

function inOrder(found: ReadonlySet<SettledRule>): readonly SettledRule[] {
  return found.size < 2 ? [...found] : [...found].toSorted((a, b) => a.rule.order - b.rule.order);
}
