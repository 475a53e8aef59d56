/**
 * ListOffsets (key 2) and OffsetForLeaderEpoch (key 23): DESCRIBE on each topic, by partition; 29 on what is denied
 * while the rest goes on. For OffsetForLeaderEpoch CLUSTER_ACTION does as well, on every topic. Followers (replica id ≥ 0)
 * are brokers, and none comes through a gateway: 29 on everything.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type Draft,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  type ListOffsetsResponseListOffsetsPartitionResponse,
  type ListOffsetsResponseListOffsetsTopicResponse,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  type OffsetForLeaderEpochResponseEpochEndOffset,
  type OffsetForLeaderEpochResponseOffsetForLeaderTopicResult,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

export const listOffsets: ApiHandler<'ListOffsets'> = {
  name: 'ListOffsets',
  versions: { min: 1, max: 11 },
  handle({ request, access }) {
    if (isFollower(request.replicaId, access))
      return { kind: 'answer', response: everyOffset(request, errorCodes.TOPIC_AUTHORIZATION_FAILED) };
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ name }) => name,
      ({ partitionIndex }) => partitionIndex,
      (topic, partition) => access.may('describe', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const refused: ListOffsetsResponseListOffsetsTopicResponse[] = denied.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) =>
        unknownOffset(partitionIndex, errorCodes.TOPIC_AUTHORIZATION_FAILED),
      ),
    }));
    if (allowed.length === 0) return { kind: 'answer', response: { topics: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: allowed },
      onResponse(response) {
        response.topics.push(...refused);
        return true;
      },
    };
  },
  refuse: everyOffset,
};

export const offsetForLeaderEpoch: ApiHandler<'OffsetForLeaderEpoch'> = {
  name: 'OffsetForLeaderEpoch',
  versions: { min: 2, max: 4 },
  handle({ request, access }) {
    if (isFollower(request.replicaId, access))
      return { kind: 'answer', response: everyEpoch(request, errorCodes.TOPIC_AUTHORIZATION_FAILED) };
    if (access.sees('cluster-action', 'cluster', clusterName) && access.may('cluster-action', 'cluster', clusterName))
      return forwardUnread;
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ topic }) => topic,
      ({ partition }) => partition,
      (topic, partition) => access.may('describe', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const refused: OffsetForLeaderEpochResponseOffsetForLeaderTopicResult[] = denied.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => unknownEpoch(partition, errorCodes.TOPIC_AUTHORIZATION_FAILED)),
    }));
    if (allowed.length === 0) return { kind: 'answer', response: { topics: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: allowed },
      onResponse(response) {
        response.topics.push(...refused);
        return true;
      },
    };
  },
  refuse: everyEpoch,
};

/** Followers are told what consumers are not: offsets that are not replicated yet. None comes through a gateway. */
function isFollower(replicaId: number, access: RequestAccess): boolean {
  if (replicaId < 0) return false;
  access.refused('follower-request', 'a question as a replica: brokers do not come through the gateway');
  return true;
}

function everyOffset({ topics }: ListOffsetsRequest, code: number): Draft<ListOffsetsResponse> {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => unknownOffset(partitionIndex, code)),
    })),
  };
}

function everyEpoch({ topics }: OffsetForLeaderEpochRequest, code: number): Draft<OffsetForLeaderEpochResponse> {
  return {
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => unknownEpoch(partition, code)),
    })),
  };
}

function unknownOffset(partitionIndex: number, errorCode: number): ListOffsetsResponseListOffsetsPartitionResponse {
  return { partitionIndex, errorCode, timestamp: -1n, offset: -1n, leaderEpoch: -1 };
}

function unknownEpoch(partition: number, errorCode: number): OffsetForLeaderEpochResponseEpochEndOffset {
  return { partition, errorCode, leaderEpoch: -1, endOffset: -1n };
}
