/**
 * Groups of any kind, from outside. ListGroups (key 16): DESCRIBE on the cluster shows all of them, else those that
 * may be described are shown and no error. DeleteGroups (42): DELETE on each group, else 30 on it.
 * DescribeGroups (15): DESCRIBE on each group, else 30 on it. What the members of a classic group told each other
 * (subscriptions and assignments, which name topics) is opaque bytes of their own protocol: brokers show it to whoever
 * may describe the group, and so does the gateway.
 */
import { clusterName } from '../../../model/operation.ts';
import { type DescribeGroupsResponseDescribedGroup, errorCodes } from '../protocol/protocol.ts';
import { authorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';

export const listGroups: ApiHandler<'ListGroups'> = {
  name: 'ListGroups',
  versions: { min: 0, max: 5 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ access }) {
    // Silent as at brokers: whoever may not describe the cluster still gets an answer.
    if (access.sees('describe', 'cluster', clusterName) && access.may('describe', 'cluster', clusterName))
      return forwardUnread;
    return {
      kind: 'forward',
      onResponse(response) {
        const before = response.groups.length;
        response.groups = response.groups.filter(({ groupId }) => access.sees('describe', 'group', groupId));
        return response.groups.length !== before;
      },
    };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};

export const deleteGroups: ApiHandler<'DeleteGroups'> = {
  name: 'DeleteGroups',
  versions: { min: 0, max: 2 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    const { allowed, denied } = splitGroups([...new Set(request.groupsNames)], (groupId) =>
      access.may('delete', 'group', groupId),
    );
    if (denied.length === 0) return forwardUnread;
    const refused = denied.map((groupId) => ({ groupId, errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED }));
    if (allowed.length === 0) return { kind: 'answer', response: { results: refused } };
    return {
      kind: 'forward',
      request: { ...request, groupsNames: allowed },
      onResponse(response) {
        response.results.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, errorCode) => ({ results: request.groupsNames.map((groupId) => ({ groupId, errorCode })) }),
};

export const describeGroups: ApiHandler<'DescribeGroups'> = {
  name: 'DescribeGroups',
  versions: { min: 0, max: 6 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    const { allowed, denied } = splitGroups(request.groups, (groupId) => access.may('describe', 'group', groupId));
    const refused = denied.map((groupId) => unknownGroup(groupId, errorCodes.GROUP_AUTHORIZATION_FAILED));
    if (refused.length === 0 && !request.includeAuthorizedOperations) return forwardUnread;
    if (refused.length > 0 && allowed.length === 0) return { kind: 'answer', response: { groups: refused } };
    return {
      kind: 'forward',
      ...(refused.length === 0 ? {} : { request: { ...request, groups: allowed } }),
      onResponse(response) {
        for (const group of response.groups) stateOperations(group, request.includeAuthorizedOperations, access);
        response.groups.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ groups: request.groups.map((groupId) => unknownGroup(groupId, code)) }),
};

/** Says what this principal may do with a group, where the request asked for it and there is a group to speak of. */
export function stateOperations(
  group: { readonly groupId: string; readonly errorCode: number; authorizedOperations: number },
  asked: boolean,
  access: RequestAccess,
): void {
  group.authorizedOperations =
    asked && group.errorCode === 0 ? authorizedOperations(access, 'group', group.groupId) : operationsNotAsked;
}

/** Asks once for every group that a request names. */
export function splitGroups(
  groupIds: readonly string[],
  permitted: (groupId: string) => boolean,
): { readonly allowed: string[]; readonly denied: string[] } {
  const denied: string[] = [];
  const allowed = groupIds.filter((groupId) => {
    const yes = permitted(groupId);
    if (!yes) denied.push(groupId);
    return yes;
  });
  return { allowed, denied };
}

function unknownGroup(groupId: string, errorCode: number): DescribeGroupsResponseDescribedGroup {
  return {
    errorCode,
    errorMessage: null,
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: operationsNotAsked,
  };
}
