/**
 * Classic group membership: JoinGroup (key 11), Heartbeat (12), LeaveGroup (13), SyncGroup (14). Each names one group
 * and asks READ on it; denied, the whole request gets 30. What members tell each other (subscriptions, assignments)
 * is opaque to brokers and to the gateway: what a member may read is settled where it fetches and commits.
 */
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, forwardUnread } from './handler.ts';

/** From here on JoinGroup says "no protocol" by null; before, by the empty string. */
const nullProtocolVersion = 7;

type MembershipApi = Extract<ApiName, 'JoinGroup' | 'Heartbeat' | 'LeaveGroup' | 'SyncGroup'>;

function ofMembers<N extends MembershipApi>(
  name: N,
  max: number,
  refuse: (code: number, version: number) => Draft<ResponseMessages[N]>,
): ApiHandler<N> {
  return {
    name,
    versions: { min: 0, max },
    unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
    handle({ request, version, access }) {
      const { groupId }: RequestMessages[MembershipApi] = request;
      if (access.may('read', 'group', groupId)) return forwardUnread;
      return { kind: 'answer', response: refuse(errorCodes.GROUP_AUTHORIZATION_FAILED, version) };
    },
    refuse: (_request, code, version) => refuse(code, version),
  };
}

export const joinGroup: ApiHandler<'JoinGroup'> = ofMembers('JoinGroup', 9, (errorCode, version) => ({
  errorCode,
  generationId: -1,
  protocolName: version >= nullProtocolVersion ? null : '',
}));

export const heartbeat: ApiHandler<'Heartbeat'> = ofMembers('Heartbeat', 4, (errorCode) => ({ errorCode }));

export const leaveGroup: ApiHandler<'LeaveGroup'> = ofMembers('LeaveGroup', 5, (errorCode) => ({ errorCode }));

export const syncGroup: ApiHandler<'SyncGroup'> = ofMembers('SyncGroup', 5, (errorCode) => ({ errorCode }));
