/** What one principal may do on one port: rules looked up once per name, decisions remembered. */
import { decisionNameCharsMax } from '../lib/limits.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import { decideForAny } from './any-resource.ts';
import type { Memory, Remembering } from './memory.ts';
import type { Judge, Question } from './judge.ts';
import type { Access } from './contract.ts';
import { isPartition } from './rule.ts';
import type { RuleIndex, SettledRule } from './rule-index.ts';
import { slotCount, slotOf } from './slot.ts';

/** All there is to know about one action on one name. Partitions between two starts share a decision: clients cannot make it grow. */
interface Answer {
  readonly whole: Decision;
  /** First partition of each stretch, ascending from 0; `null` where all partitions are as the whole. */
  readonly starts: readonly number[] | null;
  readonly decisions: readonly Decision[];
  /** Rules to evaluate for each operation, where one of them has a condition on it or on the time. */
  readonly asks: readonly SettledRule[] | null;
}

export class TableAccess implements Access, Remembering {
  readonly revision: string;
  readonly #index: RuleIndex;
  readonly #judge: Judge;
  readonly #memory: Memory;
  readonly #answers: Map<string, Answer>[] = Array.from({ length: slotCount }, () => new Map<string, Answer>());
  readonly #anyAnswers = new Map<number, Decision>();
  /** Remembered decisions hold from here … */
  #sinceMs = Infinity;
  /** … to before here. */
  #untilMs = -Infinity;
  #stretch: object = {};

  constructor(revision: string, index: RuleIndex, judge: Judge, memory: Memory) {
    this.revision = revision;
    this.#index = index;
    this.#judge = judge;
    this.#memory = memory;
  }

  decide(action: Action, resourceType: ResourceType, resourceName: string, partition: number, nowMs: number): Decision {
    // Negated, so that a time that is no number counts as a change.
    if (!(nowMs >= this.#sinceMs && nowMs < this.#untilMs)) this.#turn(nowMs);
    const slot = slotOf(action, resourceType);
    if (slot === -1) return this.#judge.decisions.noMatch;
    const answer =
      this.#answers[slot]?.get(resourceName) ?? this.#answer(slot, action, resourceType, resourceName, nowMs);
    if (answer.asks !== null)
      return this.#judge.judge(answer.asks, { action, resourceType, resourceName, partition, nowMs });
    if (answer.starts === null || !isPartition(partition)) return answer.whole;
    return answer.decisions[stretchOf(answer.starts, partition)] ?? this.#judge.decisions.noMatch;
  }

  settled(action: Action, resourceType: ResourceType, resourceName: string, nowMs: number): boolean {
    this.stretch(nowMs);
    const slot = slotOf(action, resourceType);
    if (slot === -1) return false;
    return this.#answer(slot, action, resourceType, resourceName, nowMs).asks === null;
  }

  stretch(nowMs: number): object {
    if (!(nowMs >= this.#sinceMs && nowMs < this.#untilMs)) this.#turn(nowMs);
    return this.#stretch;
  }

  decideAny(action: Action, resourceType: ResourceType, nowMs: number): Decision {
    if (!(nowMs >= this.#sinceMs && nowMs < this.#untilMs)) this.#turn(nowMs);
    const slot = slotOf(action, resourceType);
    if (slot === -1) return this.#judge.decisions.noMatch;
    const remembered = this.#anyAnswers.get(slot);
    if (remembered !== undefined) return remembered;
    const { decision, settled } = decideForAny(this.#index, this.#judge, action, resourceType, nowMs);
    if (settled) this.#anyAnswers.set(slot, decision);
    return decision;
  }

  forget(): void {
    for (const answers of this.#answers) answers.clear();
    this.#anyAnswers.clear();
  }

  /** Enters the stretch of time, between two lapses, that `nowMs` is in. */
  #turn(nowMs: number): void {
    this.#memory.release(this);
    const times = this.#index.lapseTimesMs;
    this.#sinceMs = times.findLast((time) => !(nowMs < time)) ?? -Infinity;
    this.#untilMs = times.find((time) => nowMs < time) ?? Infinity;
    this.#stretch = {};
  }

  #answer(slot: number, action: Action, resourceType: ResourceType, resourceName: string, nowMs: number): Answer {
    const rules = this.#judge.relevant(this.#index.lookup(resourceType, resourceName), action, resourceType, nowMs);
    const question = { action, resourceType, resourceName, partition: -1, nowMs };
    const answer = rules.some(({ state }) => state === 'asks')
      ? asking(rules, this.#judge)
      : this.#settle(rules, question);
    if (resourceName.length <= decisionNameCharsMax) {
      this.#memory.makeRoom(this);
      this.#answers[slot]?.set(resourceName, answer);
    }
    return answer;
  }

  #settle(rules: readonly SettledRule[], question: Question): Answer {
    const judge = (partition: number): Decision => this.#judge.judge(rules, { ...question, partition });
    const starts = question.resourceType === 'topic' ? stretches(rules) : null;
    return { whole: judge(-1), starts, decisions: starts?.map(judge) ?? [], asks: null };
  }
}

function asking(rules: readonly SettledRule[], judge: Judge): Answer {
  return { whole: judge.decisions.noMatch, starts: null, decisions: [], asks: rules };
}

/** Where, along the partitions, some rule begins or ceases to speak. */
function stretches(rules: readonly SettledRule[]): readonly number[] | null {
  const ranges = rules.flatMap(({ rule }) => rule.partitions ?? []);
  if (rules.every(({ rule }) => rule.partitions === null)) return null;
  return [...new Set([0, ...ranges.flatMap((range) => [range.first, range.last + 1])])].toSorted((a, b) => a - b);
}

/** The last stretch that starts at or before the partition. */
function stretchOf(starts: readonly number[], partition: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] ?? Infinity) <= partition) low = middle;
    else high = middle - 1;
  }
  return low;
}
