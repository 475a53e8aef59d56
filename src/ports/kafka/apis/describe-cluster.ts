/**
 * DescribeCluster (60): asks for nothing; whoever is authenticated may know which brokers there are, at the gateway's
 * addresses. The authorized-operation bits are the policy's.
 */
import { type DescribeClusterResponse, type Draft, errorCodes } from '../protocol/protocol.ts';
import { clusterAuthorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import type { ApiHandler } from './handler.ts';

/** `EndpointType`: 1 for brokers, 2 for controllers, which no client reaches through here. */
const brokerEndpoints = 1;
const controllerEndpoints = 2;

export const describeCluster: ApiHandler<'DescribeCluster'> = {
  name: 'DescribeCluster',
  versions: { min: 0, max: 2 },
  handle({ request, access, cluster, addresses }) {
    if (request.endpointType !== brokerEndpoints) {
      return { kind: 'answer', response: noSuchEndpoints(request.endpointType) };
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

/** In the words of brokers, which do not serve them either. */
function noSuchEndpoints(endpointType: number): Draft<DescribeClusterResponse> {
  if (endpointType === controllerEndpoints) {
    const errorMessage =
      'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER';
    return { errorCode: errorCodes.MISMATCHED_ENDPOINT_TYPE, errorMessage, brokers: [] };
  }
  return {
    errorCode: errorCodes.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: `Unsupported endpoint type ${endpointType}`,
    brokers: [],
  };
}
