/**
 * ListOffsets (key 2) and OffsetForLeaderEpoch (key 23): DESCRIBE on each topic, by partition; 29 on what is denied
 * while the rest goes on. For OffsetForLeaderEpoch CLUSTER_ACTION does as well, on every topic.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type ListOffsetsResponseListOffsetsPartitionResponse,
  type ListOffsetsResponseListOffsetsTopicResponse,
  type OffsetForLeaderEpochResponseEpochEndOffset,
  type OffsetForLeaderEpochResponseOffsetForLeaderTopicResult,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

export const listOffsets: ApiHandler<'ListOffsets'> = {
  name: 'ListOffsets',
  versions: { min: 1, max: 11 },
  handle({ request, access }) {
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
  refuse: (request, code) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => unknownOffset(partitionIndex, code)),
    })),
  }),
};

export const offsetForLeaderEpoch: ApiHandler<'OffsetForLeaderEpoch'> = {
  name: 'OffsetForLeaderEpoch',
  versions: { min: 2, max: 4 },
  handle({ request, access }) {
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
  refuse: (request, code) => ({
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => unknownEpoch(partition, code)),
    })),
  }),
};

function unknownOffset(partitionIndex: number, errorCode: number): ListOffsetsResponseListOffsetsPartitionResponse {
  return { partitionIndex, errorCode, timestamp: -1n, offset: -1n, leaderEpoch: -1 };
}

function unknownEpoch(partition: number, errorCode: number): OffsetForLeaderEpochResponseEpochEndOffset {
  return { partition, errorCode, leaderEpoch: -1, endOffset: -1n };
}
