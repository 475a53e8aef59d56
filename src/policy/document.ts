/** What a policy file says, once its shape has been checked. One value and a list of one are the same and arrive as lists. */
import type { Action } from '../model/operation.ts';
import type { PrincipalKind } from '../model/principal.ts';
import type { PlacedDocument } from './source.ts';

export type ClaimScalar = string | number | boolean;

/** Keys AND, values of one key OR. An absent key asks for nothing. */
export interface SubjectDocument {
  readonly id?: readonly string[] | undefined;
  readonly group?: readonly string[] | undefined;
  readonly kind?: readonly PrincipalKind[] | undefined;
  readonly issuer?: readonly string[] | undefined;
  readonly claims?: Readonly<Record<string, readonly ClaimScalar[]>> | undefined;
}

export interface RuleDocument {
  readonly port: string;
  readonly topics?: readonly string[] | undefined;
  readonly consumerGroups?: readonly string[] | undefined;
  readonly transactionalIds?: readonly string[] | undefined;
  readonly cluster?: true | undefined;
  /** Numbers, or ranges such as `0-9` with both ends meant. */
  readonly partitions?: readonly (number | string)[] | undefined;
  readonly actions: readonly (Action | '*')[];
  readonly when?: string | undefined;
}

type RecordWord = 'none' | 'metadata' | 'reference' | 'full';

/** `record: full`, or with tags that the recording carries. */
export type RecordDocument =
  | RecordWord
  | {
      readonly level: RecordWord;
      readonly owner?: string | undefined;
      readonly classification?: string | undefined;
      /** Such as `90d`. */
      readonly retention?: string | undefined;
    };

/** Other obligations than `record` are checked in shape and refused at load until they are enforced. */
export interface AllowRuleDocument extends RuleDocument {
  readonly mask?: unknown;
  readonly onMaskError?: 'deny' | undefined;
  readonly record?: RecordDocument | undefined;
  readonly limit?: unknown;
  readonly require?: unknown;
}

export interface PolicyDocument {
  readonly kind: 'Policy';
  readonly metadata: {
    readonly name: string;
    readonly owner?: string | undefined;
    readonly description?: string | undefined;
  };
  readonly spec: {
    readonly subjects: readonly SubjectDocument[];
    readonly allow?: readonly AllowRuleDocument[] | undefined;
    readonly deny?: readonly RuleDocument[] | undefined;
    readonly roles?: readonly string[] | undefined;
    readonly review?: { readonly by: string } | undefined;
  };
}

export interface RoleDocument {
  readonly kind: 'Role';
  readonly metadata: PolicyDocument['metadata'];
  readonly spec: {
    readonly allow?: readonly AllowRuleDocument[] | undefined;
    readonly deny?: readonly RuleDocument[] | undefined;
  };
}

/** A document of the right shape together with where it stands. */
export interface Placed<Checked> {
  readonly document: Checked;
  readonly placed: PlacedDocument;
}
