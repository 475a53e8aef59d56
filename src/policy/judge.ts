/** The order in which rules count: a deny that matches, then an allow that matches, then nothing. */
import type { Decision, RecordObligation } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import { actionBit } from './actions.ts';
import type { ConditionPrincipal, Verdict } from './condition.ts';
import type { Decisions } from './decisions.ts';
import { stronger } from './obligations.ts';
import { hasLapsed, isPartition, speaksOf, touchesPartition } from './rule.ts';
import type { SettledRule } from './rule-index.ts';

export interface Question {
  readonly action: Action;
  readonly resourceType: ResourceType;
  readonly resourceName: string;
  readonly partition: number;
  readonly nowMs: number;
}

export class Judge {
  readonly decisions: Decisions;
  readonly #port: string;
  /** Needed only where a rule asks per operation. */
  readonly #principal: ConditionPrincipal | null;

  constructor(decisions: Decisions, port: string, principal: ConditionPrincipal | null) {
    this.decisions = decisions;
    this.#port = port;
    this.#principal = principal;
  }

  /** Those of the rules that could decide about this action now, whatever the partition. */
  relevant(
    rules: readonly SettledRule[],
    action: Action,
    resourceType: ResourceType,
    nowMs: number,
  ): readonly SettledRule[] {
    return rules.filter(({ rule }) => speaksOf(rule, action, resourceType) && !hasLapsed(rule, nowMs));
  }

  /** @param rules relevant rules whose pattern matches the name, in ascending order; the first that decides is named */
  judge(rules: readonly SettledRule[], question: Question): Decision {
    const touches = ({ rule }: SettledRule): boolean =>
      touchesPartition(rule, actionBit(question.action), question.resourceType, question.partition);
    for (const settled of rules) {
      if (settled.rule.effect === 'deny' && touches(settled) && this.verdict(settled, question) !== 'false')
        return this.decisions.denied(settled.rule);
    }
    let failed: SettledRule | null = null;
    for (const settled of rules) {
      if (settled.rule.effect !== 'allow' || !touches(settled)) continue;
      const verdict = this.verdict(settled, question);
      if (verdict === 'true')
        return this.decisions.allowed(settled.rule, this.#record(rules, settled, touches, question));
      if (verdict === 'error') failed ??= settled;
    }
    return failed === null ? this.decisions.noMatch : this.decisions.conditionFailed(failed.rule);
  }

  /** What is recorded: the strongest that any rule asks for that permits the operation, and not only the first. */
  #record(
    rules: readonly SettledRule[],
    first: SettledRule,
    touches: (settled: SettledRule) => boolean,
    question: Question,
  ): RecordObligation | null {
    let record = first.rule.record;
    for (const settled of rules) {
      const more = stronger(record, settled.rule.record);
      if (more === record || !touches(settled) || this.verdict(settled, question) !== 'true') continue;
      record = more;
    }
    return record;
  }

  verdict(settled: SettledRule, question: Question): Verdict {
    if (settled.state !== 'asks') return settled.state === 'holds' ? 'true' : 'error';
    const { action, resourceType, resourceName: resource, partition } = question;
    const operation = {
      action,
      resourceType,
      resource,
      partition: isPartition(partition) ? partition : -1,
      port: this.#port,
    };
    return settled.rule.condition?.evaluate(this.#principal, operation, question.nowMs) ?? 'error';
  }
}
