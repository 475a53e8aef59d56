/**
 * The controllers and the cluster's make-up. DescribeQuorum (55): DESCRIBE on the cluster; where controllers listen is
 * left out. UpdateFeatures (57), UnregisterBroker (64), AddRaftVoter (80), RemoveRaftVoter (81): ALTER on the cluster.
 * Denied: 31 on the whole.
 */
import { authorizationMessages, clusterGuarded } from './cluster-guard.ts';
import type { ApiHandler } from './handler.ts';

const errorMessage = authorizationMessages.cluster;

export const describeQuorum: ApiHandler<'DescribeQuorum'> = clusterGuarded({
  name: 'DescribeQuorum',
  action: 'describe',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage, topics: [], nodes: [] }),
  onResponse(response) {
    if (response.nodes.length === 0) return false;
    // Controllers are not reached through the gateway, so there is no address to put in place of theirs.
    response.nodes = response.nodes.map((node) => ({ ...node, listeners: [] }));
    return true;
  },
});

export const updateFeatures: ApiHandler<'UpdateFeatures'> = clusterGuarded({
  name: 'UpdateFeatures',
  action: 'alter',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage, results: [] }),
});

export const unregisterBroker: ApiHandler<'UnregisterBroker'> = clusterGuarded({
  name: 'UnregisterBroker',
  action: 'alter',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage }),
});

export const addRaftVoter: ApiHandler<'AddRaftVoter'> = clusterGuarded({
  name: 'AddRaftVoter',
  action: 'alter',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage }),
});

export const removeRaftVoter: ApiHandler<'RemoveRaftVoter'> = clusterGuarded({
  name: 'RemoveRaftVoter',
  action: 'alter',
  refuse: (_request, errorCode) => ({ errorCode, errorMessage }),
});
