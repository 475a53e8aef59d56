import { type Action, clusterName } from '../../../model/operation.ts';
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  apiByName,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, type ForwardVerdict, forwardUnread } from './handler.ts';

interface ClusterGuard<N extends ApiName> {
  readonly name: N;
  /** What is asked on the cluster for the request as a whole. */
  readonly action: Action;
  readonly refuse: (request: RequestMessages[N], code: number, version: number) => Draft<ResponseMessages[N]>;
  readonly onResponse?: ForwardVerdict<N>['onResponse'];
}

/** Brokers' own words for what is denied or not there (`Errors.message()`). */
export const authorizationMessages = {
  cluster: 'Cluster authorization failed.',
  topic: 'Topic authorization failed.',
  group: 'Group authorization failed.',
  transactionalId: 'Transactional Id authorization failed.',
  unknownTopic: 'This server does not host this topic-partition.',
  unknownTopicId: 'This server does not host this topic ID.',
  invalidRequest:
    'This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.',
} as const;

/** An API that is allowed as a whole by one operation on the cluster, or refused as a whole with 31. */
export function clusterGuarded<N extends ApiName>(guard: ClusterGuard<N>): ApiHandler<N> {
  const { minVersion, maxVersion } = apiByName(guard.name);
  return {
    name: guard.name,
    versions: { min: minVersion, max: maxVersion },
    refuse: guard.refuse,
    handle({ request, version, access }) {
      if (!access.may(guard.action, 'cluster', clusterName)) {
        return { kind: 'answer', response: guard.refuse(request, errorCodes.CLUSTER_AUTHORIZATION_FAILED, version) };
      }
      return guard.onResponse === undefined ? forwardUnread : { kind: 'forward', onResponse: guard.onResponse };
    },
  };
}
