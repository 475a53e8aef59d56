/** AlterReplicaLogDirs (34): ALTER on the cluster. DescribeLogDirs (35): DESCRIBE on it, and then of every topic. Denied: 31. */
import { clusterGuarded } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

export const alterReplicaLogDirs: ApiHandler<'AlterReplicaLogDirs'> = clusterGuarded({
  name: 'AlterReplicaLogDirs',
  action: 'alter',
  refuse: (request, errorCode) => ({
    results: request.dirs.flatMap(({ topics }) =>
      topics.map(({ name, partitions }) => ({
        topicName: name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode })),
      })),
    ),
  }),
});

export const describeLogDirs: ApiHandler<'DescribeLogDirs'> = clusterGuarded({
  name: 'DescribeLogDirs',
  action: 'describe',
  refuse: (_request, errorCode) => ({ errorCode, results: [] }),
});
