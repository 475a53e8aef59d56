/**
 * Heartbeats of the groups whose coordinator assigns partitions: ConsumerGroupHeartbeat (key 68, KIP-848) and
 * ShareGroupHeartbeat (76, KIP-932). READ on the group, else 30; DESCRIBE on every topic that the member subscribes to,
 * else 29 for the whole.
 *
 * ConsumerGroupHeartbeat ends at version 0. From version 1 on a member may subscribe by a regular expression, which the
 * broker resolves by what *its* client may describe: behind the gateway that is the gateway, and so everything. A
 * member sends the expression once; to resolve it here for as long as the member lives, through lost connections and
 * restarts of the gateway, needs a state that heartbeats do not carry. Clients offered version 0 refuse such a
 * subscription themselves and say why; subscriptions that clients resolve from Metadata (Java's `Pattern`) work.
 */
import { type ApiName, type Draft, type RequestMessages, type ResponseMessages, errorCodes } from '../protocol/protocol.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';

type HeartbeatApi = Extract<ApiName, 'ConsumerGroupHeartbeat' | 'ShareGroupHeartbeat'>;

function ofMembers<N extends HeartbeatApi>(
  name: N,
  versions: { readonly min: number; readonly max: number },
  refuse: (errorCode: number) => Draft<ResponseMessages[N]>,
): ApiHandler<N> {
  return {
    name,
    versions,
    unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
    handle({ request, access }) {
      const { groupId, subscribedTopicNames }: RequestMessages[HeartbeatApi] = request;
      if (!access.may('read', 'group', groupId)) {
        return { kind: 'answer', response: refuse(errorCodes.GROUP_AUTHORIZATION_FAILED) };
      }
      if (mayDescribeAll(subscribedTopicNames ?? [], access)) return forwardUnread;
      return { kind: 'answer', response: refuse(errorCodes.TOPIC_AUTHORIZATION_FAILED) };
    },
    refuse: (_request, code) => refuse(code),
  };
}

/** Asks for every name, so that the log has each denial and not only the first. */
export function mayDescribeAll(topics: Iterable<string>, access: RequestAccess): boolean {
  let permitted = true;
  for (const topic of topics) permitted = access.may('describe', 'topic', topic) && permitted;
  return permitted;
}

export const consumerGroupHeartbeat: ApiHandler<'ConsumerGroupHeartbeat'> = ofMembers(
  'ConsumerGroupHeartbeat',
  { min: 0, max: 0 },
  (errorCode) => ({ errorCode }),
);

export const shareGroupHeartbeat: ApiHandler<'ShareGroupHeartbeat'> = ofMembers(
  'ShareGroupHeartbeat',
  { min: 1, max: 1 },
  (errorCode) => ({ errorCode }),
);
