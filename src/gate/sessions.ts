import { SluiceError } from '../lib/errors.ts';
import { connectionsPerPrincipalMax, lingeringSessionsPerPrincipalMax, sessionLingerMs } from '../lib/limits.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';
import type { SessionDirectory } from './contract.ts';
import { nameData } from './entry-data.ts';
import { isOver } from './elapsed.ts';
import { principalKey, sessionKey } from './session-key.ts';
import { Session } from './session.ts';
import type { SessionParts } from './session.ts';

/** One principal on one port: its connections, and the sessions that wait for one to come back, oldest first. */
interface Presence {
  connections: number;
  readonly empty: Set<Session>;
}

export interface SessionBounds {
  readonly connectionsPerPrincipalMax: number;
  readonly emptyPerPrincipalMax: number;
  readonly lingerMs: number;
}

export const sessionBounds: SessionBounds = {
  connectionsPerPrincipalMax,
  emptyPerPrincipalMax: lingeringSessionsPerPrincipalMax,
  lingerMs: sessionLingerMs,
};

export type SessionsParts = Omit<SessionParts, 'id' | 'emptied' | 'failed' | 'left'> & {
  /** Absent: all connections are with this process. */
  readonly directory?: SessionDirectory;
};

/** The sessions of the gateway: found by key, opened by the first connection, closed some time after the last. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #bounds: SessionBounds;
  readonly #sessions = new Map<string, Session>();
  readonly #presences = new Map<string, Presence>();
  /** Connections on their way into a session, by its key: it must not be closed as empty before they are there. */
  readonly #expected = new Map<string, number>();
  #ended = false;

  constructor(parts: SessionsParts, bounds: SessionBounds) {
    this.#parts = parts;
    this.#bounds = bounds;
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** @throws SluiceError `too-many-connections`, `gate-closed` */
  async join(principal: Principal, client: ClientFacts): Promise<Session> {
    const { directory } = this.#parts;
    if (directory === undefined) return this.#connect(principal, client);
    const key = sessionKey(principal, client);
    this.#expected.set(key, (this.#expected.get(key) ?? 0) + 1);
    try {
      const { port } = client;
      const answer = await directory.join({ sessionKey: key, principalKey: principalKey(principal, port), port });
      if ('connections' in answer) throw tooMany(principal, port, answer.connections);
      if (this.#ended) {
        directory.leave(answer.id);
        throw gateClosed();
      }
      return this.#connect(principal, client, answer.id);
    } finally {
      const left = (this.#expected.get(key) ?? 0) - 1;
      if (left > 0) this.#expected.set(key, left);
      else this.#expected.delete(key);
    }
  }

  #connect(principal: Principal, client: ClientFacts, id?: string): Session {
    const presence = this.#presence(principal, client.port);
    if (id === undefined && presence.connections >= this.#bounds.connectionsPerPrincipalMax)
      throw tooMany(principal, client.port, presence.connections);
    const key = sessionKey(principal, client);
    const session = this.#sessions.get(key) ?? this.#open(key, principal, client, id);
    presence.connections += 1;
    presence.empty.delete(session);
    session.connect();
    return session;
  }

  /** Closes the sessions to which nobody came back, and writes what is due of the others. */
  sweep(nowMs: number): void {
    for (const [key, session] of this.#sessions) {
      session.sweep(nowMs);
      const over = session.connections === 0 && isOver(session.emptySinceMs, this.#bounds.lingerMs, nowMs);
      if (over && !this.#expected.has(key)) this.#close(key, session);
    }
  }

  closeAll(reason: string): void {
    this.#ended = true;
    for (const [key, session] of this.#sessions) this.#close(key, session, reason);
  }

  #open(key: string, principal: Principal, client: ClientFacts, id?: string): Session {
    const session = new Session(principal, client, {
      ...this.#parts,
      ...(id !== undefined && { id }),
      left: () => {
        const presence = this.#presence(principal, client.port);
        presence.connections -= 1;
        if (id !== undefined) this.#parts.directory?.leave(id);
      },
      emptied: (empty) => this.#emptied(key, empty),
      failed: (failed, reason) => this.#end(key, failed, reason),
    });
    this.#sessions.set(key, session);
    this.#parts.observer.sessionOpened(client.port);
    return session;
  }

  #emptied(key: string, session: Session): void {
    // A session that the gateway closed while connections were there has nothing to wait for.
    if (this.#sessions.get(key) !== session) return this.#forgetPresence(session);
    const { empty } = this.#presence(session.principal, session.client.port);
    empty.add(session);
    const [oldest] = empty;
    if (oldest === undefined || empty.size <= this.#bounds.emptyPerPrincipalMax) return;
    const oldestKey = sessionKey(oldest.principal, oldest.client);
    if (!this.#expected.has(oldestKey)) this.#close(oldestKey, oldest);
  }

  /** Its connections close, and the next one opens another session. */
  #end(key: string, session: Session, reason: string): void {
    if (this.#sessions.get(key) === session) this.#close(key, session, reason);
    session.end(reason);
  }

  #close(key: string, session: Session, reason?: string): void {
    session.close(reason);
    this.#sessions.delete(key);
    this.#forgetPresence(session);
    this.#parts.observer.sessionClosed(session.client.port);
  }

  #presence(principal: Principal, port: string): Presence {
    const key = principalKey(principal, port);
    let presence = this.#presences.get(key);
    if (presence === undefined) {
      presence = { connections: 0, empty: new Set() };
      this.#presences.set(key, presence);
    }
    return presence;
  }

  #forgetPresence(session: Session): void {
    const key = principalKey(session.principal, session.client.port);
    const presence = this.#presences.get(key);
    presence?.empty.delete(session);
    if (presence !== undefined && presence.connections === 0 && presence.empty.size === 0) this.#presences.delete(key);
  }
}

function tooMany(principal: Principal, port: string, connections: number): SluiceError<'too-many-connections'> {
  return new SluiceError(
    'too-many-connections',
    `${principal.kind} ${nameData(principal.id)} of ${principal.issuer} already has ${connections} connections to port ${port}. Close some, or give the jobs identities of their own.`,
    { retriable: true },
  );
}

export function gateClosed(): SluiceError<'gate-closed'> {
  return new SluiceError('gate-closed', 'The gateway is ending and takes no new connections.', { retriable: true });
}
