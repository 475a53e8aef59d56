/** The decision objects of one revision: made once, frozen, handed out again and again. */
import type { Decision, DecisionReason } from '../model/decision.ts';
import type { CompiledRule } from './rule.ts';

export class Decisions {
  readonly noMatch: Decision;
  readonly #revision: string;
  readonly #byRule = new Map<DecisionReason, Map<CompiledRule, Decision>>();

  constructor(revision: string) {
    this.#revision = revision;
    this.noMatch = Object.freeze({ effect: 'deny', reason: 'no-matching-rule', rule: null, revision });
  }

  allowed(rule: CompiledRule): Decision {
    return this.#of(rule, 'permit', 'allowed');
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
