/**
 * One session, several workers: a client's connections land wherever there is room, and each worker's gate keeps its
 * own part of the session. Here, in the process that writes the log, the parts become one: one id, one `session.opened`
 * and one `session.closed`, entries numbered without a gap, and flows told once.
 *
 *   first join ─→ open ─ last part closed ─→ closed
 *                  └─ its last worker died ─→ waits for its clients to come back, then closed
 */
import { randomUUID } from 'node:crypto';
import { auditEvent } from '../audit/audit.ts';
import type { AuditLog, EntryDraft } from '../audit/audit.ts';
import type { Clock } from '../lib/clock.ts';
import { instant } from '../lib/instant.ts';
import { connectionsPerPrincipalMax, sessionLingerMs, auditSessionsMax } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import type { JoinAnswer, JoinRequest } from './contract.ts';
import { isOver } from './elapsed.ts';
import { nameData } from './entry-data.ts';
import { SharedSession } from './shared-session.ts';

export interface SessionRegistryOptions {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Length of a flow window: what a worker that dies may not have told. */
  readonly windowMs: number;
  readonly observer: { sessionOpened(port: string): void; sessionClosed(port: string): void };
  readonly connectionsPerPrincipalMax?: number;
  readonly lingerMs?: number;
}

export interface WorkerDeath {
  readonly worker: number;
  readonly cause: string;
  readonly connections: number;
  /** When it was last heard of. */
  readonly lastHeardMs: number;
}

/** Windows are looked at this often, and take a moment on their way. */
const windowSlackMs = 1_000;

export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #connectionsMax: number;
  readonly #byKey = new Map<string, SharedSession>();
  readonly #byId = new Map<string, SharedSession>();
  /** Connections of each principal and port. */
  readonly #connections = new Map<string, number>();
  readonly #retiring = new Set<number>();

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#connectionsMax = options.connectionsPerPrincipalMax ?? connectionsPerPrincipalMax;
  }

  get size(): number {
    return this.#byId.size;
  }

  join(worker: number, { sessionKey, principalKey, port }: JoinRequest): JoinAnswer {
    const connections = this.#connections.get(principalKey) ?? 0;
    if (connections >= this.#connectionsMax) return { connections };
    this.#connections.set(principalKey, connections + 1);
    let session = this.#byKey.get(sessionKey);
    if (session === undefined) {
      session = new SharedSession(randomUUID(), sessionKey, principalKey, port);
      this.#byKey.set(sessionKey, session);
      this.#byId.set(session.id, session);
    }
    session.connected(worker);
    return { id: session.id };
  }

  /** The worker is about to end: clients may come back to its sessions elsewhere, for as long as if they had left. */
  retire(worker: number): void {
    this.#retiring.add(worker);
  }

  /** A worker has ended as it was asked to. */
  ended(worker: number): void {
    for (const session of this.#byId.values()) {
      if (!session.has(worker)) continue;
      this.#disconnected(session, session.lose(worker, this.#options.clock.nowMs()));
      this.#settle(session);
    }
    this.#retiring.delete(worker);
  }

  leave(worker: number, id: string): void {
    const session = this.#byId.get(id);
    if (session === undefined || !session.left(worker)) return;
    this.#disconnected(session, 1);
    this.#settle(session);
  }

  /** An entry as a worker's gate made it. */
  append(worker: number, draft: EntryDraft): void {
    const id = draft.data['session_id'];
    if (typeof id !== 'string') return void this.#options.audit.append(draft);
    const session = this.#byId.get(id);
    if (session === undefined) {
      this.#options.logger.error(
        { worker, session: id, entry: draft.code },
        'an entry came after its session was closed',
      );
      return void this.#options.audit.append(draft);
    }
    const opensNow = draft.code === 'session.opened' && !session.opened;
    const told = session.take(worker, draft, this.#options.clock.nowMs(), this.#options.audit.status().lost);
    if (told !== null) this.#options.audit.append(told);
    if (opensNow) this.#options.observer.sessionOpened(session.port);
    // Ended by its worker while connections are there: the next connection gets another session.
    if (session.sealed && this.#byKey.get(session.key) === session) this.#byKey.delete(session.key);
    if (draft.code !== 'session.closed') return;
    if (this.#retiring.has(worker) && session.deserted) session.orphanedMs = this.#options.clock.nowMs();
    this.#settle(session);
  }

  /** A worker could not keep so many entries. */
  lost(worker: number, count: number): void {
    if (count > 0) this.#options.audit.append(auditEvent('worker.entries-lost', { worker, count }));
  }

  /** Enters what can be known of a worker's end, and lets go of its parts of sessions. Call it after its last message. */
  died({ worker, cause, connections, lastHeardMs }: WorkerDeath): void {
    const nowMs = this.#options.clock.nowMs();
    const sessions = [...this.#byId.values()].filter((session) => session.has(worker));
    const listed = sessions.filter(({ opened }) => opened).map(({ id }) => id);
    this.#options.audit.append(
      auditEvent('worker.died', {
        worker,
        cause: nameData(cause),
        connections,
        windows_may_be_missing: {
          start: instant(lastHeardMs - this.#options.windowMs - windowSlackMs),
          end: instant(nowMs),
        },
        sessions: listed.slice(0, auditSessionsMax),
        ...(listed.length > auditSessionsMax && { sessions_more: listed.length - auditSessionsMax }),
      }),
    );
    for (const session of sessions) {
      this.#disconnected(session, session.lose(worker, nowMs));
      this.#settle(session);
    }
  }

  /** Closes the sessions whose worker died and whose clients did not come back. */
  sweep(nowMs: number): void {
    for (const session of this.#byId.values()) {
      if (session.orphanedMs === null || !isOver(session.orphanedMs, this.#options.lingerMs ?? sessionLingerMs, nowMs))
        continue;
      session.orphanedMs = null;
      this.#settle(session);
    }
  }

  /** Every worker has ended. */
  closeAll(): void {
    for (const session of this.#byId.values()) this.#close(session);
  }

  #settle(session: SharedSession): void {
    if (!session.deserted || session.orphanedMs !== null) return;
    this.#close(session);
  }

  #close(session: SharedSession): void {
    this.#byId.delete(session.id);
    if (this.#byKey.get(session.key) === session) this.#byKey.delete(session.key);
    const last = session.closing();
    if (last === null) return;
    this.#options.audit.append(last);
    this.#options.observer.sessionClosed(session.port);
  }

  #disconnected(session: SharedSession, count: number): void {
    const left = (this.#connections.get(session.principalKey) ?? 0) - count;
    if (left > 0) this.#connections.set(session.principalKey, left);
    else this.#connections.delete(session.principalKey);
  }
}
