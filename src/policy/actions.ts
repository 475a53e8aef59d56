/** Which action means something for which resource, and which action another one brings with it. */
import { actions } from '../model/operation.ts';
import type { Action, ResourceType } from '../model/operation.ts';

/** A set of actions, one bit each. */
export type ActionSet = number;

const bits: ReadonlyMap<string, number> = new Map(actions.map((action, index) => [action, 1 << index]));
export const everyAction: ActionSet = (1 << actions.length) - 1;

/** 0 for what is no action: such an operation meets no rule. */
export function actionBit(action: string): ActionSet {
  return bits.get(action) ?? 0;
}

export function actionSet(list: readonly Action[]): ActionSet {
  return list.reduce((set, action) => set | actionBit(action), 0);
}

export function actionsIn(set: ActionSet): readonly Action[] {
  return actions.filter((action) => (set & actionBit(action)) !== 0);
}

/** As in Kafka's `AclEntry.supportedOperations`, without the operations on users and delegation tokens. */
export const meaningful: Readonly<Record<ResourceType, ActionSet>> = {
  topic: actionSet(['read', 'write', 'create', 'delete', 'alter', 'describe', 'describe-configs', 'alter-configs']),
  group: actionSet(['read', 'delete', 'describe', 'describe-configs', 'alter-configs']),
  'transactional-id': actionSet(['write', 'describe']),
  cluster: actionSet([
    'create',
    'cluster-action',
    'describe-configs',
    'alter-configs',
    'idempotent-write',
    'alter',
    'describe',
  ]),
};

const impliesDescribe = actionSet(['read', 'write', 'delete', 'alter']);

/** What an allow of these grants, as in Kafka's `StandardAuthorizerData`: denies imply nothing. */
export function withImplied(set: ActionSet): ActionSet {
  const describe = (set & impliesDescribe) === 0 ? 0 : actionBit('describe');
  const describeConfigs = (set & actionBit('alter-configs')) === 0 ? 0 : actionBit('describe-configs');
  return set | describe | describeConfigs;
}

/** What a partition-bound rule says about the topic as a whole: it may be looked at. */
export const lookingAt: ActionSet = actionSet(['describe', 'describe-configs']);
