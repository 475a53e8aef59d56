/**
 * Offsets of share groups (KIP-932), from outside. DescribeShareGroupOffsets (key 90): DESCRIBE on each group, else 30
 * on it; DESCRIBE on each topic by partition, else 29 on it; all topics (null): what may not be described is left out.
 * AlterShareGroupOffsets (91): READ on the group, else 30 for the whole; READ on each topic by partition, else 29 on it.
 * DeleteShareGroupOffsets (92): DELETE on the group, else 30 for the whole; READ on each topic, else 29 on it.
 */
import {
  type DescribeShareGroupOffsetsRequestDescribeShareGroupOffsetsRequestGroup,
  type DescribeShareGroupOffsetsResponse,
  type DescribeShareGroupOffsetsResponseDescribeShareGroupOffsetsResponseGroup,
  type DescribeShareGroupOffsetsResponseDescribeShareGroupOffsetsResponseTopic,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { authorizationMessages } from './cluster-guard.ts';
import { splitGroups } from './groups.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

type Group = DescribeShareGroupOffsetsRequestDescribeShareGroupOffsetsRequestGroup;
type GroupAnswer = DescribeShareGroupOffsetsResponseDescribeShareGroupOffsetsResponseGroup;
type TopicAnswer = DescribeShareGroupOffsetsResponseDescribeShareGroupOffsetsResponseTopic;

export const describeShareGroupOffsets: ApiHandler<'DescribeShareGroupOffsets'> = {
  name: 'DescribeShareGroupOffsets',
  versions: { min: 0, max: 1 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    const own: GroupAnswer[] = [];
    const forward = request.groups.flatMap((group) => permittedOffsets(group, access, own));
    const filtered = forward.some(({ topics }) => topics === null);
    if (own.length === 0 && !filtered) return forwardUnread;
    if (forward.length === 0) return { kind: 'answer', response: { groups: own } };
    return {
      kind: 'forward',
      ...(own.length === 0 ? {} : { request: { ...request, groups: forward } }),
      onResponse(response) {
        if (filtered) leaveOutHidden(response, access);
        merge(response, own);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ groups: request.groups.map(({ groupId }) => refusedGroup(groupId, code)) }),
};

/** @returns the group with what may be asked of it, or nothing; what may not goes to `own` */
function permittedOffsets(group: Group, access: RequestAccess, own: GroupAnswer[]): Group[] {
  const { groupId, topics } = group;
  if (!access.may('describe', 'group', groupId)) {
    own.push(refusedGroup(groupId, errorCodes.GROUP_AUTHORIZATION_FAILED));
    return [];
  }
  if (topics === null) return [group];
  const denied: TopicAnswer[] = [];
  const allowed = topics.flatMap((topic) => {
    const no: number[] = [];
    const yes = topic.partitions.filter((partition) => {
      const permitted = access.may('describe', 'topic', topic.topicName, partition);
      if (!permitted) no.push(partition);
      return permitted;
    });
    if (no.length === 0) return [topic];
    denied.push(refusedOffsets(topic.topicName, no));
    return yes.length === 0 ? [] : [{ ...topic, partitions: yes }];
  });
  if (denied.length === 0) return [group];
  own.push({ groupId, topics: denied, errorCode: 0, errorMessage: null });
  return allowed.length === 0 ? [] : [{ ...group, topics: allowed }];
}

function leaveOutHidden(response: DescribeShareGroupOffsetsResponse, access: RequestAccess): void {
  for (const group of response.groups) {
    group.topics = group.topics.filter((topic) => {
      topic.partitions = topic.partitions.filter(({ partitionIndex }) =>
        access.sees('describe', 'topic', topic.topicName, partitionIndex),
      );
      return topic.partitions.length > 0;
    });
  }
}

function merge(response: DescribeShareGroupOffsetsResponse, own: readonly GroupAnswer[]): void {
  const answered = new Map(response.groups.map((group) => [group.groupId, group]));
  for (const group of own) {
    const other = group.errorCode === 0 ? answered.get(group.groupId) : undefined;
    if (other === undefined) response.groups.push(group);
    // An error of the whole group stands alone, as brokers have it.
    else if (other.errorCode === 0) other.topics.push(...group.topics);
  }
}

function refusedGroup(groupId: string, errorCode: number): GroupAnswer {
  return { groupId, topics: [], errorCode, errorMessage: null };
}

function refusedOffsets(topicName: string, partitions: readonly number[]): TopicAnswer {
  return {
    topicName,
    topicId: zeroUuid,
    partitions: partitions.map((partitionIndex) => ({
      partitionIndex,
      startOffset: -1n,
      leaderEpoch: 0,
      lag: -1n,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: authorizationMessages.topic,
    })),
  };
}

export const alterShareGroupOffsets: ApiHandler<'AlterShareGroupOffsets'> = {
  name: 'AlterShareGroupOffsets',
  versions: { min: 0, max: 0 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (!access.may('read', 'group', request.groupId)) {
      return {
        kind: 'answer',
        response: { errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED, errorMessage: authorizationMessages.group },
      };
    }
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ topicName }) => topicName,
      ({ partitionIndex }) => partitionIndex,
      (topic, partition) => access.may('read', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const errorCode = errorCodes.TOPIC_AUTHORIZATION_FAILED;
    const refused = denied.map(({ topicName, partitions }) => ({
      topicName,
      topicId: zeroUuid,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode,
        errorMessage: authorizationMessages.topic,
      })),
    }));
    if (allowed.length === 0) return { kind: 'answer', response: { responses: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: allowed },
      onResponse(response) {
        if (response.errorCode !== 0) return false;
        response.responses.push(...refused);
        return true;
      },
    };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};

export const deleteShareGroupOffsets: ApiHandler<'DeleteShareGroupOffsets'> = {
  name: 'DeleteShareGroupOffsets',
  versions: { min: 0, max: 0 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (!access.may('delete', 'group', request.groupId)) {
      return {
        kind: 'answer',
        response: { errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED, errorMessage: authorizationMessages.group },
      };
    }
    const names = request.topics.map(({ topicName }) => topicName);
    const { allowed, denied } = splitGroups(names, (topicName) => access.may('read', 'topic', topicName));
    if (denied.length === 0) return forwardUnread;
    const refused = denied.map((topicName) => ({
      topicName,
      topicId: zeroUuid,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: authorizationMessages.topic,
    }));
    if (allowed.length === 0) return { kind: 'answer', response: { responses: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: allowed.map((topicName) => ({ topicName })) },
      onResponse(response) {
        if (response.errorCode !== 0) return false;
        response.responses.push(...refused);
        return true;
      },
    };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};
