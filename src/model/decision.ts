/** The rule that made a decision: `payments-readers` `allow[1]`. Empty fields never occur: no rule is `null` on the decision. */
export interface RuleRef {
  readonly policy: string;
  readonly effect: 'allow' | 'deny';
  /** Position among the policy document's rules of that effect, from 0. */
  readonly index: number;
  /** Where the rule stands, `payments.yaml:12`. */
  readonly source: string;
}

export type DecisionReason =
  | 'allowed' // an allow rule matched and no deny rule did
  | 'denied-by-rule'
  | 'no-matching-rule'
  | 'condition-failed' // an allow rule's `when` could not be evaluated; such a rule grants nothing
  | 'no-policy'; // no revision is loaded

/** The answer to one operation. The same frozen object is handed out again and again: compare by identity where it helps. */
export interface Decision {
  readonly effect: 'permit' | 'deny';
  readonly reason: DecisionReason;
  readonly rule: RuleRef | null;
  /** Content hash of the policy set that decided. */
  readonly revision: string;
}
