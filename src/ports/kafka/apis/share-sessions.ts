/**
 * Share sessions (KIP-932) as the gateway follows them. A client names each partition once and the broker keeps
 * fetching it, so what the policy takes away or gives later must be taken out of, or put into, the broker's session by
 * the gateway. Brokers know sessions by group and member id alone, both of which a client may name as it likes; here a
 * session belongs to the connection that began it, and no other connection can go on with it. A broker too ends a
 * session with its connection.
 */
import { shareSessionsPerConnectionMax } from '../../../lib/limits.ts';
import { PartitionSet } from './partition-set.ts';

export class ShareSession {
  /** What the broker has in its session. */
  readonly granted: PartitionSet = new PartitionSet();
  /** What the client believes to be in the session and the broker does not have: denied, or of no known topic. */
  readonly withheld: PartitionSet = new PartitionSet();
}

const sessionsOf = new WeakMap<object, Map<string, ShareSession>>();

/** The session that this connection has begun, and not ended since. */
export function shareSession(connection: object, groupId: string, memberId: string): ShareSession | undefined {
  return sessionsOf.get(connection)?.get(keyOf(groupId, memberId));
}

/** Begins a session, in place of the one before it. @returns `null` where the connection has too many */
export function beginShareSession(connection: object, groupId: string, memberId: string): ShareSession | null {
  let sessions = sessionsOf.get(connection);
  if (sessions === undefined) {
    sessions = new Map();
    sessionsOf.set(connection, sessions);
  }
  const key = keyOf(groupId, memberId);
  if (!sessions.has(key) && sessions.size >= shareSessionsPerConnectionMax) return null;
  const session = new ShareSession();
  sessions.set(key, session);
  return session;
}

/** @param session ended only if it is still this one; absent: whichever there is */
export function endShareSession(connection: object, groupId: string, memberId: string, session?: ShareSession): void {
  const sessions = sessionsOf.get(connection);
  const key = keyOf(groupId, memberId);
  if (session !== undefined && sessions?.get(key) !== session) return;
  sessions?.delete(key);
}

/** Two names of any content as one, without two pairs ever meeting. */
function keyOf(groupId: string, memberId: string): string {
  return `${groupId.length}:${groupId}${memberId}`;
}
