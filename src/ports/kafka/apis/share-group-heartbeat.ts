/**
 * ShareGroupHeartbeat (key 76, KIP-932). READ on the group, else 30; DESCRIBE on every topic that the member subscribes
 * to, else 29 for the whole.
 */
import { errorCodes } from '../protocol/protocol.ts';
import { mayDescribeAll } from './described-topics.ts';
import { type ApiHandler, forwardUnread } from './handler.ts';

export const shareGroupHeartbeat: ApiHandler<'ShareGroupHeartbeat'> = {
  name: 'ShareGroupHeartbeat',
  versions: { min: 1, max: 1 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (!access.may('read', 'group', request.groupId)) {
      return { kind: 'answer', response: { errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED } };
    }
    if (mayDescribeAll(request.subscribedTopicNames ?? [], access)) return forwardUnread;
    return { kind: 'answer', response: { errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED } };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};
