/**
 * FindCoordinator (key 10). Names groups (key type 0: DESCRIBE on the group, else 30), transactional ids (1: DESCRIBE
 * on the id, else 53) or share partitions (2: CLUSTER_ACTION, else 31 on everything: brokers ask for those); one up to
 * version 3, any number from version 4 on, each with its own answer. Addresses become the gateway's.
 */
import { type ResourceType, clusterName } from '../../../model/operation.ts';
import {
  type Draft,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  type FindCoordinatorResponseCoordinator,
  errorCodes,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import { authorizationMessages } from './cluster-guard.ts';
import type { ApiHandler, Exchange } from './handler.ts';

/** From here on a request names any number of keys. */
const keysVersion = 4;
/** From here on share partitions have coordinators. */
const shareVersion = 6;
const shareKeyType = 2;

/** What each key type names, and how its denial looks. */
const keyTypes: ReadonlyMap<
  number,
  { readonly resource: ResourceType; readonly code: number; readonly message: string }
> = new Map([
  [0, { resource: 'group', code: errorCodes.GROUP_AUTHORIZATION_FAILED, message: 'Group authorization failed.' }],
  [
    1,
    {
      resource: 'transactional-id',
      code: errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      message: 'Transactional Id authorization failed.',
    },
  ],
]);

export const findCoordinator: ApiHandler<'FindCoordinator'> = {
  name: 'FindCoordinator',
  versions: { min: 0, max: 6 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle(exchange) {
    const { request, version, access } = exchange;
    const type = keyTypes.get(request.keyType);
    if (type === undefined) {
      const refusal = refusalOfOtherTypes(exchange);
      if (refusal !== null)
        return { kind: 'answer', response: refusedWhole(request, version, refusal.code, refusal.message) };
      return { kind: 'forward', onResponse: (response) => rewrite(exchange, response, []) };
    }
    const keys = version >= keysVersion ? request.coordinatorKeys : [request.key];
    const denied: FindCoordinatorResponseCoordinator[] = [];
    const allowed = keys.filter((key) => {
      const permitted = access.may('describe', type.resource, key);
      if (!permitted) denied.push(noCoordinator(key, type.code, ''));
      return permitted;
    });
    if (denied.length > 0 && version < keysVersion) {
      return { kind: 'answer', response: refusedWhole(request, version, type.code, type.message) };
    }
    if (denied.length > 0 && allowed.length === 0) return { kind: 'answer', response: { coordinators: denied } };
    return {
      kind: 'forward',
      ...(denied.length === 0 ? {} : { request: { ...request, coordinatorKeys: allowed } }),
      onResponse: (response) => rewrite(exchange, response, denied),
    };
  },
  refuse: (request, code, version) => refusedWhole(request, version, code, null),
};

function refusalOfOtherTypes({
  request,
  version,
  access,
}: Exchange<'FindCoordinator'>): { readonly code: number; readonly message: string } | null {
  if (request.keyType !== shareKeyType) {
    access.refused(
      'coordinator-type-unknown',
      `coordinator key type ${request.keyType} is none that the gateway knows`,
    );
    return { code: errorCodes.INVALID_REQUEST, message: authorizationMessages.invalidRequest };
  }
  if (version < shareVersion) {
    // In lists of keys an error has no words.
    return {
      code: errorCodes.INVALID_REQUEST,
      message: version < keysVersion ? authorizationMessages.invalidRequest : '',
    };
  }
  if (access.may('cluster-action', 'cluster', clusterName)) return null;
  return { code: errorCodes.CLUSTER_AUTHORIZATION_FAILED, message: 'Cluster authorization failed.' };
}

function refusedWhole(
  { coordinatorKeys }: FindCoordinatorRequest,
  version: number,
  errorCode: number,
  errorMessage: string | null,
): Draft<FindCoordinatorResponse> {
  if (version < keysVersion) return { errorCode, errorMessage, nodeId: -1, host: '', port: -1 };
  return { coordinators: coordinatorKeys.map((key) => noCoordinator(key, errorCode, errorMessage)) };
}

function noCoordinator(
  key: string,
  errorCode: number,
  errorMessage: string | null,
): FindCoordinatorResponseCoordinator {
  return { key, nodeId: -1, host: '', port: -1, errorCode, errorMessage };
}

/** A coordinator without an address of the gateway's is one that cannot be reached now. */
function rewrite(
  { cluster, addresses, version }: Exchange<'FindCoordinator'>,
  response: FindCoordinatorResponse,
  denied: readonly FindCoordinatorResponseCoordinator[],
): boolean {
  const found = version >= keysVersion ? response.coordinators : [response];
  for (const coordinator of found) {
    if (coordinator.errorCode !== 0 || coordinator.nodeId < 0) {
      Object.assign(coordinator, { nodeId: -1, host: '', port: -1 });
      continue;
    }
    cluster.learnBrokers([coordinator]);
    if (rewriteBrokers([coordinator], addresses).length > 0) continue;
    Object.assign(coordinator, { nodeId: -1, host: '', port: -1, errorCode: errorCodes.COORDINATOR_NOT_AVAILABLE });
  }
  response.coordinators.push(...denied);
  return true;
}
