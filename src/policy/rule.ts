/** One rule, compiled: its patterns read, its actions as bits, its condition planned, its end known. */
import type { ResourceType } from '../model/operation.ts';
import type { RecordObligation, RuleRef } from '../model/decision.ts';
import { actionBit, actionSet, everyAction, lookingAt, meaningful, withImplied } from './actions.ts';
import type { ActionSet } from './actions.ts';
import type { Condition } from './condition.ts';
import type { RuleDocument } from './document.ts';
import { parsePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';

/** Both ends meant. */
export interface PartitionRange {
  readonly first: number;
  readonly last: number;
}

export type NamedResource = Exclude<ResourceType, 'cluster'>;

export interface CompiledRule {
  /** Place in the one order that all rules of a revision have: by policy name, role name, effect and position. */
  readonly order: number;
  readonly ref: RuleRef;
  readonly effect: 'allow' | 'deny';
  readonly port: Pattern;
  readonly names: Readonly<Record<NamedResource, readonly Pattern[]>>;
  readonly cluster: boolean;
  readonly partitions: readonly PartitionRange[] | null;
  /** What the rule grants or refuses of each type of resource, implied actions included. */
  readonly actions: Readonly<Record<ResourceType, ActionSet>>;
  readonly condition: Condition | null;
  /** What the operations it grants are recorded as; `null` on deny rules, and where nothing is recorded. */
  readonly record: RecordObligation | null;
  /** From this time on an allow rule grants nothing; Infinity: never. */
  readonly lapsesAtMs: number;
  readonly document: RuleDocument;
}

export function compileRule(
  document: RuleDocument,
  rest: Pick<CompiledRule, 'order' | 'ref' | 'effect' | 'condition' | 'record' | 'lapsesAtMs'>,
): CompiledRule {
  const named = (patterns: readonly string[] | undefined): readonly Pattern[] =>
    (patterns ?? []).map((pattern) => parsePattern(pattern, 'name'));
  const names = {
    topic: named(document.topics),
    group: named(document.consumerGroups),
    'transactional-id': named(document.transactionalIds),
  };
  const cluster = document.cluster === true;
  const actionsOn = (type: ResourceType, present: boolean): ActionSet =>
    present ? effectiveActions(document, rest.effect, type) : 0;
  return {
    ...rest,
    document,
    port: parsePattern(document.port, 'name'),
    names,
    cluster,
    partitions: document.partitions?.map(partitionRange) ?? null,
    actions: {
      topic: actionsOn('topic', names.topic.length > 0),
      group: actionsOn('group', names.group.length > 0),
      'transactional-id': actionsOn('transactional-id', names['transactional-id'].length > 0),
      cluster: actionsOn('cluster', cluster),
    },
  };
}

/** The actions a rule's list stands for on one type of resource. A deny of everything is a deny of what we do not know, too. */
function effectiveActions(document: RuleDocument, effect: 'allow' | 'deny', type: ResourceType): ActionSet {
  const all = document.actions.includes('*');
  const listed = actionSet(document.actions.filter((action) => action !== '*'));
  if (effect === 'deny') return all ? everyAction : listed;
  return withImplied(all ? meaningful[type] : listed & meaningful[type]);
}

export function partitionRange(text: number | string): PartitionRange {
  if (typeof text === 'number') return { first: text, last: text };
  const [first = '', last = first] = text.split('-');
  return { first: Number(first), last: Number(last) };
}

/**
 * Whether a rule speaks of the operation's partition. Without `partitions` it speaks of all. With them: an allow grants these,
 * and looking at the topic as a whole; a deny refuses these, and every operation on the whole but looking, since it touches them.
 *
 * @param partition anything but a whole number from 0 is the topic as a whole
 */
export function touchesPartition(
  rule: CompiledRule,
  action: ActionSet,
  type: ResourceType,
  partition: number,
): boolean {
  if (rule.partitions === null || type !== 'topic') return true;
  if (isPartition(partition))
    return rule.partitions.some((range) => partition >= range.first && partition <= range.last);
  return ((action & lookingAt) !== 0) === (rule.effect === 'allow');
}

export function isPartition(partition: number): boolean {
  return Number.isInteger(partition) && partition >= 0;
}

/** An allow rule of a lapsed policy grants nothing; what it denies it goes on denying. */
export function hasLapsed(rule: CompiledRule, nowMs: number): boolean {
  return rule.effect === 'allow' && !(nowMs < rule.lapsesAtMs);
}

export function speaksOf(rule: CompiledRule, action: string, type: ResourceType): boolean {
  return (rule.actions[type] & actionBit(action)) !== 0;
}
