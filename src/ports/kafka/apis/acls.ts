/** DescribeAcls (29): DESCRIBE on the cluster. CreateAcls (30) and DeleteAcls (31): ALTER on it. Denied: 31 on the whole. */
import { authorizationMessages, clusterGuarded } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

const errorMessage = authorizationMessages.cluster;

export const describeAcls: ApiHandler<'DescribeAcls'> = clusterGuarded({
  name: 'DescribeAcls',
  action: 'describe',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage, resources: [] }),
});

export const createAcls: ApiHandler<'CreateAcls'> = clusterGuarded({
  name: 'CreateAcls',
  action: 'alter',
  refuse: (request, errorCode) => ({ results: request.creations.map(() => ({ errorCode, errorMessage })) }),
});

export const deleteAcls: ApiHandler<'DeleteAcls'> = clusterGuarded({
  name: 'DeleteAcls',
  action: 'alter',
  refuse: (request, errorCode) => ({
    filterResults: request.filters.map(() => ({ errorCode, errorMessage, matchingAcls: [] })),
  }),
});
