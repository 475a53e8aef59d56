/** Why an operation is decided as it is: the rules that matched, and those that nearly did with what kept them from it. */
import type { Decision, RuleRef } from '../model/decision.ts';
import type { Operation } from '../model/operation.ts';
import { clusterName } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import { actionBit, actionsIn } from './actions.ts';
import { nestsTooDeeply } from './claims.ts';
import { conditionPrincipal } from './condition.ts';
import type { ConditionPrincipal } from './condition.ts';
import type { PolicySet } from './contract.ts';
import { matches } from './pattern.ts';
import { contentOf } from './policy-set.ts';
import type { CompiledPolicy } from './policy-set.ts';
import { hasLapsed, speaksOf, touchesPartition } from './rule.ts';
import type { CompiledRule } from './rule.ts';
import { unmetKey } from './subject.ts';

export type Aspect = 'subject' | 'port' | 'resource' | 'action' | 'partition' | 'condition' | 'lapsed';

export interface Obstacle {
  readonly aspect: Aspect;
  /** For the person who reads it: what the rule asks for. */
  readonly detail: string;
}

export interface RuleVerdict {
  readonly rule: RuleRef;
  /** What keeps the rule from speaking of this operation; empty: it does. */
  readonly obstacles: readonly Obstacle[];
}

export interface Explanation {
  readonly decision: Decision;
  /** Rules without an obstacle first, then those with one; where there is none of either, those with two. */
  readonly rules: readonly RuleVerdict[];
  /** How many more rules were as near and are left out. */
  readonly omitted: number;
}

const rulesShownMax = 100;

interface Question {
  readonly principal: Principal;
  readonly seen: ConditionPrincipal;
  readonly port: string;
  readonly operation: Operation;
  readonly nowMs: number;
}

/** @throws SluiceError `foreign-policy-set` for a set that `compilePolicies` did not make */
export function explain(
  set: PolicySet,
  principal: Principal,
  port: string,
  operation: Operation,
  nowMs: number,
): Explanation {
  const { action, resourceType, resourceName, partition = -1 } = operation;
  const decision = set.accessFor(principal, port).decide(action, resourceType, resourceName, partition, nowMs);
  if (nestsTooDeeply(principal.claims)) return { decision, rules: [], omitted: 0 };
  const question: Question = { principal, seen: conditionPrincipal(principal), port, operation, nowMs };
  const near: [RuleVerdict[], RuleVerdict[], RuleVerdict[]] = [[], [], []];
  for (const policy of contentOf(set).policies) {
    const subject = subjectObstacle(policy, principal);
    for (const rule of policy.rules) {
      const obstacles = [...subject, ...ruleObstacles(rule, question)];
      near[obstacles.length]?.push({ rule: rule.ref, obstacles });
    }
  }
  const close = [...near[0], ...near[1]];
  const rules = close.length > 0 ? close : near[2];
  return { decision, rules: rules.slice(0, rulesShownMax), omitted: Math.max(0, rules.length - rulesShownMax) };
}

function subjectObstacle(policy: CompiledPolicy, principal: Principal): readonly Obstacle[] {
  const unmet = policy.subjects.map((subject) => unmetKey(subject, principal));
  if (unmet.includes(null)) return [];
  return [
    {
      aspect: 'subject',
      detail: `no subject is met: ${unmet
        .slice(0, 5)
        .map((key, index) => `subjects[${index}] fails on ${key}`)
        .join(', ')}${unmet.length > 5 ? ', …' : ''}`,
    },
  ];
}

function ruleObstacles(rule: CompiledRule, { seen, port, operation, nowMs }: Question): readonly Obstacle[] {
  const { action, resourceType, resourceName, partition = -1 } = operation;
  const found: Obstacle[] = [];
  const add = (aspect: Aspect, detail: string): unknown => found.push({ aspect, detail });
  if (hasLapsed(rule, nowMs))
    add('lapsed', `the policy's review was due before ${new Date(rule.lapsesAtMs).toISOString()}`);
  if (!matches(rule.port, port)) add('port', `the rule is for port ${rule.port.source}`);
  if (!namesResource(rule, operation)) add('resource', resourceDetail(rule, operation));
  // Where the rule has no resource of that type it has no actions on it either: one obstacle is enough.
  else if (!speaksOf(rule, action, resourceType))
    add('action', `the rule is about ${actionsIn(rule.actions[resourceType]).join(', ')}`);
  else if (!touchesPartition(rule, actionBit(action), resourceType, partition))
    add('partition', `the rule is bound to partitions ${rule.document.partitions?.join(', ')}`);
  const verdict =
    rule.condition?.evaluate(seen, { action, resourceType, resource: resourceName, partition, port }, nowMs) ?? 'true';
  if (verdict === 'false') add('condition', `its condition is false: ${rule.condition?.text}`);
  if (verdict === 'error' && rule.effect === 'allow')
    add('condition', `its condition cannot be evaluated, and so grants nothing: ${rule.condition?.text}`);
  return found;
}

function namesResource(rule: CompiledRule, { resourceType, resourceName }: Operation): boolean {
  if (resourceType === 'cluster') return rule.cluster && resourceName === clusterName;
  return rule.names[resourceType].some((pattern) => matches(pattern, resourceName));
}

function resourceDetail(rule: CompiledRule, { resourceType }: Operation): string {
  const patterns = resourceType === 'cluster' ? [] : rule.names[resourceType];
  if (patterns.length === 0) return `the rule names no ${resourceType}`;
  return `the rule is about ${patterns
    .slice(0, 10)
    .map(({ source }) => source)
    .join(', ')}${patterns.length > 10 ? ', …' : ''}`;
}
