/**
 * Whether an action is permitted on any resource of a type at all, as Kafka's `authorizeByResourceType` has it (KIP-679):
 * some allow rule's pattern must not be wholly covered by one deny rule's.
 */
import type { Decision } from '../model/decision.ts';
import { clusterName } from '../model/operation.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import { actionBit, lookingAt } from './actions.ts';
import type { Judge, Question } from './judge.ts';
import { covers, parsePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import type { CompiledRule } from './rule.ts';
import type { RuleIndex, SettledRule } from './rule-index.ts';

const theCluster: readonly Pattern[] = [parsePattern(clusterName, 'name')];

/**
 * In conditions, the fixed text of the allow rule's pattern stands for the resource.
 *
 * @returns `settled`: the decision holds until some rule lapses, as no rule asks about the operation or the time
 */
export function decideForAny(
  index: RuleIndex,
  judge: Judge,
  action: Action,
  resourceType: ResourceType,
  nowMs: number,
): { decision: Decision; settled: boolean } {
  const rules = judge.relevant(index.rules, action, resourceType, nowMs);
  const settled = rules.every(({ state }) => state !== 'asks');
  let failed: CompiledRule | null = null;
  let denied: CompiledRule | null = null;
  for (const allow of rules) {
    if (allow.rule.effect !== 'allow') continue;
    for (const pattern of patternsOf(allow.rule, resourceType)) {
      const question = { action, resourceType, resourceName: pattern.head, partition: -1, nowMs };
      const verdict = judge.verdict(allow, question);
      if (verdict === 'error') failed ??= allow.rule;
      if (verdict !== 'true') continue;
      const by = coveringDeny(index, judge, allow.rule, pattern, question);
      if (by === null) return { decision: judge.decisions.allowed(allow.rule, null), settled };
      denied ??= by.rule;
    }
  }
  const decision =
    denied !== null
      ? judge.decisions.denied(denied)
      : failed !== null
        ? judge.decisions.conditionFailed(failed)
        : judge.decisions.noMatch;
  return { decision, settled };
}

function patternsOf(rule: CompiledRule, type: ResourceType): readonly Pattern[] {
  return type === 'cluster' ? theCluster : rule.names[type];
}

function coveringDeny(
  index: RuleIndex,
  judge: Judge,
  allow: CompiledRule,
  pattern: Pattern,
  question: Question,
): SettledRule | null {
  const candidates = judge.relevant(
    index.covering(question.resourceType, pattern),
    question.action,
    question.resourceType,
    question.nowMs,
  );
  const covering = candidates.find(
    (deny) =>
      deny.rule.effect === 'deny' &&
      patternsOf(deny.rule, question.resourceType).some((wide) => covers(wide, pattern)) &&
      (question.resourceType !== 'topic' || coversPartitions(deny.rule, allow, question.action)) &&
      judge.verdict(deny, question) !== 'false',
  );
  return covering ?? null;
}

function coversPartitions(deny: CompiledRule, allow: CompiledRule, action: Action): boolean {
  if (deny.partitions === null) return true;
  // A deny of partitions leaves looking at the topic as a whole, which every allow of it grants.
  if (allow.partitions === null || (lookingAt & actionBit(action)) !== 0) return false;
  return allow.partitions.every(
    (inner) => deny.partitions?.some((outer) => inner.first >= outer.first && inner.last <= outer.last) === true,
  );
}
