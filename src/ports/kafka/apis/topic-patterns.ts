/**
 * The topics of a cluster that match a regular expression, as brokers match one (KIP-848): RE2/J syntax, the whole
 * name. What of them a principal may know is for the caller to ask.
 */
import {
  subscriptionRegexCharsMax,
  subscriptionRegexInstructionsMax,
  subscriptionRegexMatchMs,
  subscriptionRegexesMax,
  subscriptionTopicsAgeMs,
} from '../../../lib/limits.ts';
import { compileRe2 } from '../../../lib/re2.ts';
import type { ClusterView } from '../cluster.ts';

export type PatternMatch =
  | { readonly ok: true; readonly topics: readonly string[] }
  | { readonly ok: false; /** What is wrong, fit for a client. */ readonly problem: string };

interface ClusterTopics {
  names: readonly string[];
  /** On the clock of `performance.now`. */
  askedAtMs: number;
  /** Of these names, by expression. */
  readonly matches: Map<string, PatternMatch>;
}

const topicsOf = new WeakMap<ClusterView, ClusterTopics>();

/**
 * @param expression not empty
 * @throws SluiceError `upstream-unreachable` where the topics cannot be asked for
 */
export async function topicsMatching(cluster: ClusterView, expression: string): Promise<PatternMatch> {
  const topics = await currentTopics(cluster);
  const known = topics.matches.get(expression);
  if (known !== undefined) return known;
  const match = matchAll(expression, topics.names);
  if (topics.matches.size >= subscriptionRegexesMax) topics.matches.clear();
  topics.matches.set(expression, match);
  return match;
}

async function currentTopics(cluster: ClusterView): Promise<ClusterTopics> {
  const known = topicsOf.get(cluster);
  const nowMs = performance.now();
  if (known !== undefined && nowMs - known.askedAtMs < subscriptionTopicsAgeMs) return known;
  const names = (await cluster.allTopics()).map(({ name }) => name).sort();
  const current = known ?? { names: [], askedAtMs: nowMs, matches: new Map<string, PatternMatch>() };
  current.askedAtMs = nowMs;
  if (names.length !== current.names.length || names.some((name, index) => name !== current.names[index])) {
    current.names = names;
    current.matches.clear();
  }
  topicsOf.set(cluster, current);
  return current;
}

function matchAll(expression: string, names: readonly string[]): PatternMatch {
  if (expression.length > subscriptionRegexCharsMax)
    return { ok: false, problem: `is longer than ${subscriptionRegexCharsMax} characters` };
  let pattern;
  try {
    pattern = compileRe2(expression);
  } catch {
    return { ok: false, problem: 'is not a valid regular expression' };
  }
  if (pattern.programSize() > subscriptionRegexInstructionsMax) return { ok: false, problem: 'is too large' };
  const untilMs = performance.now() + subscriptionRegexMatchMs;
  const topics: string[] = [];
  for (const name of names) {
    if (pattern.matches(name)) topics.push(name);
    if (performance.now() > untilMs) return { ok: false, problem: 'takes too long to match' };
  }
  return { ok: true, topics };
}
