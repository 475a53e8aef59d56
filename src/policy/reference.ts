/**
 * The meaning of policies, written a second time as plainly as can be, for tests to hold the compiled tables against.
 * It reads documents, not compiled rules, walks them all for every question, and matches with regular expressions.
 */
import type { DecisionReason } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';

export interface TestSubject {
  readonly id?: string;
  readonly group?: string;
}

export interface TestRule {
  readonly port: string;
  readonly topics?: readonly string[] | undefined;
  readonly consumerGroups?: readonly string[] | undefined;
  readonly transactionalIds?: readonly string[] | undefined;
  readonly cluster?: true | undefined;
  readonly partitions?: readonly (number | string)[] | undefined;
  readonly actions: readonly (Action | '*')[];
  /** One of the keys of `conditions`. */
  readonly when?: string | undefined;
}

export interface TestPolicy {
  readonly subjects: readonly TestSubject[];
  readonly allow: readonly TestRule[];
  readonly deny: readonly TestRule[];
  /** Rules that a role adds. */
  readonly role: { readonly allow: readonly TestRule[]; readonly deny: readonly TestRule[] };
  /** `YYYY-MM-DD` */
  readonly reviewBy?: string | undefined;
}

export interface TestQuestion {
  readonly action: Action;
  readonly resourceType: ResourceType;
  readonly resourceName: string;
  readonly partition: number;
  readonly nowMs: number;
}

type Truth = boolean | 'error';

/** Conditions in CEL, with what they mean. */
export const conditions: Readonly<Record<string, (principal: Principal, question: TestQuestion) => Truth>> = {
  'principal.claims.mfa == true': ({ claims }) => ('mfa' in claims ? claims['mfa'] === true : 'error'),
  'principal.claims.mfa': ({ claims }) => (typeof claims['mfa'] === 'boolean' ? claims['mfa'] : 'error'),
  '"eng" in principal.groups': ({ groups }) => groups.includes('eng'),
  'operation.action == "read"': (_, { action }) => action === 'read',
  'operation.resource.startsWith("a.")': (_, { resourceName }) => resourceName.startsWith('a.'),
  'operation.partition < 2 && principal.id == "alice"': ({ id }, { partition }) =>
    (Number.isInteger(partition) && partition >= 0 ? partition : -1) < 2 && id === 'alice',
  'now < timestamp("2027-02-01T00:00:00Z")': (_, { nowMs }) => nowMs < Date.parse('2027-02-01T00:00:00Z'),
};

function referenceMatches(pattern: string, name: string): boolean {
  if (/^[^*]*\*$/.test(pattern)) return name.startsWith(pattern.slice(0, -1));
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '[^]*' : part === '*' ? '[^.]*' : part.replace(/[.\\]/g, '\\$&')));
  return new RegExp(`^(?:${source.join('')})$`).test(name);
}

const meant: Readonly<Record<ResourceType, readonly Action[]>> = {
  topic: ['read', 'write', 'create', 'delete', 'alter', 'describe', 'describe-configs', 'alter-configs'],
  group: ['read', 'delete', 'describe', 'describe-configs', 'alter-configs'],
  'transactional-id': ['write', 'describe'],
  cluster: ['create', 'cluster-action', 'describe-configs', 'alter-configs', 'idempotent-write', 'alter', 'describe'],
};

function grants(rule: TestRule, effect: 'allow' | 'deny', { action, resourceType }: TestQuestion): boolean {
  const has = (wanted: Action): boolean => rule.actions.includes(wanted) || rule.actions.includes('*');
  if (effect === 'deny') return has(action);
  const hasHere = (wanted: Action): boolean => meant[resourceType].includes(wanted) && has(wanted);
  if (hasHere(action)) return true;
  if (action === 'describe') return hasHere('read') || hasHere('write') || hasHere('delete') || hasHere('alter');
  return action === 'describe-configs' && hasHere('alter-configs');
}

function namesResource(rule: TestRule, { resourceType, resourceName }: TestQuestion): boolean {
  if (resourceType === 'cluster') return rule.cluster === true && resourceName === 'kafka-cluster';
  const patterns =
    resourceType === 'topic' ? rule.topics : resourceType === 'group' ? rule.consumerGroups : rule.transactionalIds;
  return (patterns ?? []).some((pattern) => referenceMatches(pattern, resourceName));
}

function touches(rule: TestRule, effect: 'allow' | 'deny', { action, resourceType, partition }: TestQuestion): boolean {
  if (rule.partitions === undefined || resourceType !== 'topic') return true;
  if (Number.isInteger(partition) && partition >= 0) {
    return rule.partitions.some((one) => {
      const [first, last = first] = String(one).split('-').map(Number);
      return first !== undefined && last !== undefined && partition >= first && partition <= last;
    });
  }
  const looks = action === 'describe' || action === 'describe-configs';
  return effect === 'allow' ? looks : !looks;
}

export function referenceDecide(
  policies: readonly TestPolicy[],
  principal: Principal,
  port: string,
  question: TestQuestion,
): { effect: 'permit' | 'deny'; reason: DecisionReason } {
  let allowed = false;
  let failed = false;
  for (const policy of policies) {
    const meets = ({ id, group }: TestSubject): boolean =>
      (id === undefined || id === principal.id) && (group === undefined || principal.groups.includes(group));
    if (!policy.subjects.some(meets)) continue;
    const applies = (rule: TestRule, effect: 'allow' | 'deny'): boolean =>
      referenceMatches(rule.port, port) &&
      namesResource(rule, question) &&
      grants(rule, effect, question) &&
      touches(rule, effect, question);
    const truth = (rule: TestRule): Truth =>
      rule.when === undefined ? true : (conditions[rule.when]?.(principal, question) ?? 'error');
    for (const rule of [...policy.deny, ...policy.role.deny]) {
      if (applies(rule, 'deny') && truth(rule) !== false) return { effect: 'deny', reason: 'denied-by-rule' };
    }
    const lapsed =
      policy.reviewBy !== undefined && question.nowMs >= Date.parse(`${policy.reviewBy}T23:59:59.999Z`) + 1;
    for (const rule of lapsed ? [] : [...policy.allow, ...policy.role.allow]) {
      if (!applies(rule, 'allow')) continue;
      if (truth(rule) === true) allowed = true;
      if (truth(rule) === 'error') failed = true;
    }
  }
  // A deny in a later policy must win over an allow in an earlier one: only now is an allow sure.
  if (allowed) return { effect: 'permit', reason: 'allowed' };
  return { effect: 'deny', reason: failed ? 'condition-failed' : 'no-matching-rule' };
}
