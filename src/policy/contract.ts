/** What the policy part takes and gives. The door hands these on; the folder's own files import them from here. */
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal, PrincipalKind } from '../model/principal.ts';

/** One policy file: `path` is what problems name, `text` its YAML or JSON, which may hold several documents. */
export interface PolicySource {
  readonly path: string;
  readonly text: string;
}

export interface PolicyProblem {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** What is wrong and what to write instead. */
  readonly message: string;
}

/** What documents are held against: the ports and issuers that the configuration defines. */
export interface PolicyContext {
  readonly ports: readonly { readonly name: string; readonly protocol: 'kafka' }[];
  readonly issuers: readonly {
    readonly name: string;
    readonly issuer: string;
    readonly requiredClaims: Readonly<Record<string, readonly string[]>>;
    /** The kinds its principals can have; absent: any. Lets a rule on users pass beside a shared issuer of jobs. */
    readonly kinds?: readonly PrincipalKind[];
    /** False where the mapping gives its principals no groups, so that no `group` subject can match them; absent: true. */
    readonly mapsGroups?: boolean;
  }[];
  /** Whether the gateway can record; absent: it cannot, and rules that ask for it are refused. */
  readonly recording?: boolean;
}

/** What one principal may do on one port under one revision. Cheap to ask: a table look-up that allocates nothing. */
export interface Access {
  readonly revision: string;
  /**
   * @param partition the partition that the operation touches, or -1 where it touches the resource as a whole.
   *   A rule bound to partitions permits `describe` and `describe-configs` of the whole topic, and nothing else of it.
   */
  decide(action: Action, resourceType: ResourceType, resourceName: string, partition: number, nowMs: number): Decision;
  /**
   * Whether `decide` says the same of this action and name again and again: no rule on it has a condition that is asked
   * for each operation. It holds as long as `stretch` gives the same object.
   */
  settled(action: Action, resourceType: ResourceType, resourceName: string, nowMs: number): boolean;
  /** Stands for the stretch of time, between two lapses of rules, that `nowMs` is in; compare by identity. */
  stretch(nowMs: number): object;
  /** Whether there is any resource of that type the action is permitted on (Kafka's `authorizeByResourceType`). */
  decideAny(action: Action, resourceType: ResourceType, nowMs: number): Decision;
}

/** A compiled revision. */
export interface PolicySet {
  /** SHA-256 over the documents' meaning, in lower-case hex: white space, comments and order of files do not change it. */
  readonly revision: string;
  /** Names of the documents, for reports. */
  readonly policies: readonly string[];
  /** Compiles on first use and remembers per principal and port. */
  accessFor(principal: Principal, port: string): Access;
}

export type CompileResult =
  | { readonly ok: true; readonly policies: PolicySet; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };
