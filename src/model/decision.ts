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

/** How much of what flows is kept. In rising order; with several grants the strongest counts. */
export type RecordLevel = 'metadata' | 'reference' | 'full';

export const recordLevels: readonly RecordLevel[] = ['metadata', 'reference', 'full'];

/** What a permit obliges the gateway to record, and the tags that the recording carries. One frozen object per rule. */
export interface RecordObligation {
  readonly level: RecordLevel;
  /** Who answers for the recording; empty where no document says so. */
  readonly owner: string;
  /** Free text of the organization's own scheme, such as `pii`; empty where none is given. */
  readonly classification: string;
  /** After this time the recording is erased; `null`: as the configuration says. */
  readonly retentionMs: number | null;
}

/** The answer to one operation. The same frozen object is handed out again and again: compare by identity where it helps. */
export interface Decision {
  readonly effect: 'permit' | 'deny';
  readonly reason: DecisionReason;
  readonly rule: RuleRef | null;
  /** Content hash of the policy set that decided. */
  readonly revision: string;
  /** On permits only; absent: nothing is recorded. Whoever forwards what carries it hands the bytes to the recorder. */
  readonly record?: RecordObligation;
}
