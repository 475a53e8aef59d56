/**
 * Share sessions (KIP-932) as the gateway follows them. A client names each partition once and the broker keeps
 * fetching it, so what the policy takes away or gives later must be taken out of, or put into, the broker's session by
 * the gateway. Brokers know sessions by group and member id alone, both of which a client may name as it likes; here a
 * session belongs to the connection that began it, and no other connection can go on with it. A broker too ends a
 * session with its connection.
 */
import { shareSessionsPerConnectionMax } from '../../../lib/limits.ts';

/** Partitions by topic id. */
export class PartitionSet {
  readonly #topics = new Map<string, Set<number>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(topicId: string, partition: number): boolean {
    return this.#topics.get(topicId)?.has(partition) === true;
  }

  add(topicId: string, partition: number): void {
    let partitions = this.#topics.get(topicId);
    if (partitions === undefined) {
      partitions = new Set();
      this.#topics.set(topicId, partitions);
    }
    if (partitions.has(partition)) return;
    partitions.add(partition);
    this.#size += 1;
  }

  delete(topicId: string, partition: number): boolean {
    const partitions = this.#topics.get(topicId);
    if (partitions?.delete(partition) !== true) return false;
    if (partitions.size === 0) this.#topics.delete(topicId);
    this.#size -= 1;
    return true;
  }

  topicIds(): Iterable<string> {
    return this.#topics.keys();
  }

  /** Every partition as it is now; the set may be changed meanwhile. */
  entries(): { readonly topicId: string; readonly partition: number }[] {
    return [...this.#topics].flatMap(([topicId, partitions]) =>
      Array.from(partitions, (partition) => ({ topicId, partition })),
    );
  }

  /** For messages, which list partitions by topic. */
  byTopic(): { topicId: string; partitions: number[] }[] {
    return Array.from(this.#topics, ([topicId, partitions]) => ({ topicId, partitions: [...partitions] }));
  }
}

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
