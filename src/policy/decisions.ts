/** The decision objects of one revision: made once, frozen, handed out again and again. */
import type { Decision, DecisionReason, RecordObligation } from '../model/decision.ts';
import type { CompiledRule } from './rule.ts';

export class Decisions {
  readonly noMatch: Decision;
  readonly #revision: string;
  readonly #byRule = new Map<DecisionReason, Map<CompiledRule, Decision>>();
  /** Permits that are recorded, by the rule that made them and what is recorded, which another rule may ask for. */
  readonly #recorded = new Map<CompiledRule, Map<RecordObligation, Decision>>();

  constructor(revision: string) {
    this.#revision = revision;
    this.noMatch = Object.freeze({ effect: 'deny', reason: 'no-matching-rule', rule: null, revision });
  }

  /** @param record the strongest of all rules that permit the operation */
  allowed(rule: CompiledRule, record: RecordObligation | null = rule.record): Decision {
    if (record === null) return this.#of(rule, 'permit', 'allowed');
    let made = this.#recorded.get(rule);
    if (made === undefined) this.#recorded.set(rule, (made = new Map<RecordObligation, Decision>()));
    let decision = made.get(record);
    if (decision === undefined) {
      const revision = this.#revision;
      decision = Object.freeze({ effect: 'permit', reason: 'allowed', rule: rule.ref, revision, record });
      made.set(record, decision);
    }
    return decision;
  }

  denied(rule: CompiledRule): Decision {
    return this.#of(rule, 'deny', 'denied-by-rule');
  }

  conditionFailed(rule: CompiledRule): Decision {
    return this.#of(rule, 'deny', 'condition-failed');
  }

  #of(rule: CompiledRule, effect: Decision['effect'], reason: DecisionReason): Decision {
    let made = this.#byRule.get(reason);
    if (made === undefined) this.#byRule.set(reason, (made = new Map<CompiledRule, Decision>()));
    let decision = made.get(rule);
    if (decision === undefined)
      made.set(rule, (decision = Object.freeze({ effect, reason, rule: rule.ref, revision: this.#revision })));
    return decision;
  }
}
