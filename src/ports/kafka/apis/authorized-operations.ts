import { type Action, type ResourceType, clusterName } from '../../../model/operation.ts';
import type { RequestAccess } from './handler.ts';

/** Kafka's code of each operation (`AclOperation`); a set is the sum of `1 << code`. */
const operationCodes: Readonly<Record<Action, number>> = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  'cluster-action': 9,
  'describe-configs': 10,
  'alter-configs': 11,
  'idempotent-write': 12,
};

/** The operations that mean something on each resource (`AclEntry.supportedOperations`). */
const supported: Readonly<Record<ResourceType, readonly Action[]>> = {
  topic: ['read', 'write', 'create', 'describe', 'delete', 'alter', 'describe-configs', 'alter-configs'],
  group: ['read', 'describe', 'delete', 'describe-configs', 'alter-configs'],
  'transactional-id': ['describe', 'write'],
  cluster: ['create', 'cluster-action', 'describe-configs', 'alter-configs', 'idempotent-write', 'alter', 'describe'],
};

/** What a response says where it was not asked for authorized operations. */
export const operationsNotAsked = -2_147_483_648;

/** KIP-430: what the principal may do by the gateway's policy; the broker's own answer is about the gateway. */
export function authorizedOperations(access: RequestAccess, resourceType: ResourceType, name: string): number {
  let bits = 0;
  for (const action of supported[resourceType]) {
    if (access.sees(action, resourceType, name)) bits |= 1 << operationCodes[action];
  }
  return bits;
}

/** As brokers answer for the cluster: nothing at all to whoever may not describe it. */
export function clusterAuthorizedOperations(access: RequestAccess): number {
  if (!access.sees('describe', 'cluster', clusterName)) return 0;
  return authorizedOperations(access, 'cluster', clusterName);
}
