/** DescribeClientQuotas (48): DESCRIBE_CONFIGS on the cluster. AlterClientQuotas (49): ALTER_CONFIGS on it. Denied: 31 on the whole. */
import { authorizationMessages, clusterGuarded } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

const errorMessage = authorizationMessages.cluster;

export const describeClientQuotas: ApiHandler<'DescribeClientQuotas'> = clusterGuarded({
  name: 'DescribeClientQuotas',
  action: 'describe-configs',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage: null, entries: null }),
});

export const alterClientQuotas: ApiHandler<'AlterClientQuotas'> = clusterGuarded({
  name: 'AlterClientQuotas',
  action: 'alter-configs',
  refuse: (request, errorCode) => ({
    entries: request.entries.map(({ entity }) => ({ errorCode, errorMessage, entity })),
  }),
});
