/**
 * DescribeCluster (60): asks for nothing; whoever is authenticated may know which brokers there are, at the gateway's
 * addresses. The authorized-operation bits are the policy's.
 */
import { errorCodes } from '../protocol/protocol.ts';
import { clusterAuthorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import type { ApiHandler } from './handler.ts';

/** `DescribeClusterRequest.EndpointType`: 1 for brokers, 2 for controllers, which no client reaches through here. */
const brokerEndpoints = 1;

export const describeCluster: ApiHandler<'DescribeCluster'> = {
  name: 'DescribeCluster',
  versions: { min: 0, max: 2 },
  handle({ request, access, cluster, addresses }) {
    if (request.endpointType !== brokerEndpoints) {
      return { kind: 'answer', response: { errorCode: errorCodes.MISMATCHED_ENDPOINT_TYPE, endpointType: request.endpointType, brokers: [] } };
    }
    return {
      kind: 'forward',
      onResponse(response) {
        cluster.learnBrokers(response.brokers.map(({ brokerId, host, port }) => ({ nodeId: brokerId, host, port })));
        response.brokers = response.brokers.flatMap((broker) => {
          const address = addresses.forNode(broker.brokerId);
          return address === null ? [] : [{ ...broker, host: address.host, port: address.port }];
        });
        response.clusterAuthorizedOperations = request.includeClusterAuthorizedOperations
          ? clusterAuthorizedOperations(access)
          : operationsNotAsked;
        return true;
      },
    };
  },
  refuse: (_request, errorCode) => ({ errorCode, brokers: [] }),
};
