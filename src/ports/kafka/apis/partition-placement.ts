/**
 * ElectLeaders (43) and AlterPartitionReassignments (45): ALTER on the cluster. ListPartitionReassignments (46):
 * DESCRIBE on it. Denied: 31 on the whole.
 */
import { authorizationMessages, clusterGuarded } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

const errorMessage = authorizationMessages.cluster;

export const electLeaders: ApiHandler<'ElectLeaders'> = clusterGuarded({
  name: 'ElectLeaders',
  action: 'alter',
  refuse: (request, errorCode, version) => ({
    // Version 0 has an error for each partition only.
    ...(version === 0 ? {} : { errorCode }),
    replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
    })),
  }),
});

export const alterPartitionReassignments: ApiHandler<'AlterPartitionReassignments'> = clusterGuarded({
  name: 'AlterPartitionReassignments',
  action: 'alter',
  refuse: (request, errorCode) => ({
    errorCode,
    errorMessage,
    responses: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, errorMessage })),
    })),
  }),
});

export const listPartitionReassignments: ApiHandler<'ListPartitionReassignments'> = clusterGuarded({
  name: 'ListPartitionReassignments',
  action: 'describe',
  refuse: (request, errorCode) => ({
    errorCode,
    errorMessage,
    topics: (request.topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex })),
    })),
  }),
});
