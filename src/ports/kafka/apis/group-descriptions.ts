/**
 * Groups of the newer kinds, with all that is known of their members: ConsumerGroupDescribe (key 69, KIP-848),
 * ShareGroupDescribe (77, KIP-932), StreamsGroupDescribe (89, KIP-1071). DESCRIBE on each group, else 30 on it. Their
 * answers name topics: a group with one that may not be described (assigned to a member; for streams, part of the
 * topology) is answered with 29 and nothing of it is shown.
 */
import {
  type ApiName,
  type ConsumerGroupDescribeResponseDescribedGroup,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  type ShareGroupDescribeResponseDescribedGroup,
  type StreamsGroupDescribeResponseDescribedGroup,
  errorCodes,
} from '../protocol/protocol.ts';
import { operationsNotAsked } from './authorized-operations.ts';
import { splitGroups, stateOperations } from './groups.ts';
import type { ApiHandler, Exchange, RequestAccess, Verdict } from './handler.ts';

const hiddenAssignment = 'The group has described topic(s) that the client is not authorized to describe.';
const hiddenTopology = 'The described group uses topics that the client is not authorized to describe.';

/** What the three kinds of described groups have in common. */
interface Described {
  errorCode: number;
  errorMessage: string | null;
  groupId: string;
  authorizedOperations: number;
}

interface Assigned {
  readonly topicPartitions: readonly { readonly topicName: string }[];
}

type DescribeApi = Extract<ApiName, 'ConsumerGroupDescribe' | 'ShareGroupDescribe' | 'StreamsGroupDescribe'>;

interface Kind<G extends Described> {
  /** A group of which nothing is told but an error. */
  readonly withError: (groupId: string, errorCode: number, errorMessage: string | null) => G;
  readonly topicsOf: (group: G) => Iterable<string>;
  readonly hiddenMessage: string;
}

/** @returns the groups as the principal may see them, in the order they came */
function shown<G extends Described>(groups: readonly G[], kind: Kind<G>, asked: boolean, access: RequestAccess): G[] {
  return groups.map((group) => {
    for (const topic of kind.topicsOf(group)) {
      if (access.sees('describe', 'topic', topic)) continue;
      return kind.withError(group.groupId, errorCodes.TOPIC_AUTHORIZATION_FAILED, kind.hiddenMessage);
    }
    stateOperations(group, asked, access);
    return group;
  });
}

/** @returns which groups may be asked for, and the answers for the others */
function permittedGroups<G extends Described>(
  { groupIds }: { readonly groupIds: readonly string[] },
  access: RequestAccess,
  kind: Kind<G>,
): { readonly allowed: string[]; readonly refused: G[] } {
  const { allowed, denied } = splitGroups(groupIds, (groupId) => access.may('describe', 'group', groupId));
  return {
    allowed,
    refused: denied.map((groupId) => kind.withError(groupId, errorCodes.GROUP_AUTHORIZATION_FAILED, null)),
  };
}

function described(): {
  groupState: string;
  groupEpoch: number;
  assignmentEpoch: number;
  authorizedOperations: number;
} {
  return { groupState: '', groupEpoch: 0, assignmentEpoch: 0, authorizedOperations: operationsNotAsked };
}

function* topicsAssigned(assignments: Iterable<Assigned>): Generator<string> {
  for (const { topicPartitions } of assignments) for (const { topicName } of topicPartitions) yield topicName;
}

/** The handler of one kind. The compiler needs to be told, per API, that its response holds groups of that kind. */
function describing<N extends DescribeApi, G extends Described>(
  name: N,
  versions: { readonly min: number; readonly max: number },
  kind: Kind<G>,
  groupsOf: (response: ResponseMessages[N]) => G[],
  withGroups: (groups: readonly G[]) => Draft<ResponseMessages[N]>,
  withIds: (request: RequestMessages[N], groupIds: readonly string[]) => Draft<RequestMessages[N]>,
): ApiHandler<N> {
  return {
    name,
    versions,
    unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
    handle({ request, access }: Exchange<N>): Verdict<N> {
      const { allowed, refused } = permittedGroups(request, access, kind);
      if (allowed.length === 0 && refused.length > 0) return { kind: 'answer', response: withGroups(refused) };
      return {
        kind: 'forward',
        ...(refused.length === 0 ? {} : { request: withIds(request, allowed) }),
        onResponse(response) {
          const groups = groupsOf(response);
          groups.splice(
            0,
            groups.length,
            ...shown(groups, kind, request.includeAuthorizedOperations, access),
            ...refused,
          );
          return true;
        },
      };
    },
    refuse: (request, code) => withGroups(request.groupIds.map((groupId) => kind.withError(groupId, code, null))),
  };
}

const consumerKind: Kind<ConsumerGroupDescribeResponseDescribedGroup> = {
  withError: (groupId, errorCode, errorMessage) => ({
    ...described(),
    groupId,
    errorCode,
    errorMessage,
    assignorName: '',
    members: [],
  }),
  topicsOf: ({ members }) =>
    topicsAssigned(members.flatMap(({ assignment, targetAssignment }) => [assignment, targetAssignment])),
  hiddenMessage: hiddenAssignment,
};

export const consumerGroupDescribe: ApiHandler<'ConsumerGroupDescribe'> = describing(
  'ConsumerGroupDescribe',
  { min: 0, max: 1 },
  consumerKind,
  ({ groups }) => groups,
  (groups) => ({ groups }),
  (request, groupIds) => ({ ...request, groupIds }),
);

const shareKind: Kind<ShareGroupDescribeResponseDescribedGroup> = {
  withError: (groupId, errorCode, errorMessage) => ({
    ...described(),
    groupId,
    errorCode,
    errorMessage,
    assignorName: '',
    members: [],
  }),
  topicsOf: ({ members }) => topicsAssigned(members.map(({ assignment }) => assignment)),
  hiddenMessage: hiddenAssignment,
};

export const shareGroupDescribe: ApiHandler<'ShareGroupDescribe'> = describing(
  'ShareGroupDescribe',
  { min: 1, max: 1 },
  shareKind,
  ({ groups }) => groups,
  (groups) => ({ groups }),
  (request, groupIds) => ({ ...request, groupIds }),
);

const streamsKind: Kind<StreamsGroupDescribeResponseDescribedGroup> = {
  withError: (groupId, errorCode, errorMessage) => ({
    ...described(),
    groupId,
    errorCode,
    errorMessage,
    topology: null,
    members: [],
  }),
  topicsOf: ({ topology }) =>
    (topology?.subtopologies ?? []).flatMap((part) => [
      ...part.sourceTopics,
      ...part.repartitionSinkTopics,
      ...part.repartitionSourceTopics.map(({ name }) => name),
      ...part.stateChangelogTopics.map(({ name }) => name),
    ]),
  hiddenMessage: hiddenTopology,
};

export const streamsGroupDescribe: ApiHandler<'StreamsGroupDescribe'> = describing(
  'StreamsGroupDescribe',
  { min: 0, max: 0 },
  streamsKind,
  ({ groups }) => groups,
  (groups) => ({ groups }),
  (request, groupIds) => ({ ...request, groupIds }),
);
