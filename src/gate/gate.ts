/**
 * The gate: decide, then audit, for every protocol. A port turns bytes into operations and decisions back into
 * bytes; it never decides. The gate decides; it never sees a socket.
 */
import type { AuditLog } from '../audit/audit.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';
import type { PolicySet } from '../policy/policy.ts';
import type { Recordings } from '../recording/recording.ts';
import { AuthenticationFailures } from './authentication-failures.ts';
import type {
  AuthenticationFailure,
  Gate,
  GateObserver,
  GateSession,
  SessionDirectory,
  SessionView,
} from './contract.ts';
import type { Session } from './session.ts';
import { Sessions, gateClosed, sessionBounds } from './sessions.ts';
import type { SessionBounds } from './sessions.ts';

export type {
  AuthenticationFailure,
  FlowAccount,
  Gate,
  GateObserver,
  GateSession,
  JoinAnswer,
  JoinRequest,
  SessionDirectory,
  SessionView,
  StandingFlow,
} from './contract.ts';
export { SessionRegistry } from './session-registry.ts';

export { recordingEntries } from './recording-entries.ts';

export interface GateOptions {
  /** The revision in force; `null` before the first: everything is denied. */
  readonly policies: () => PolicySet | null;
  readonly audit: AuditLog;
  readonly mode: 'strict' | 'available';
  /** Length of a flow window; its entries follow within a second of its end. */
  readonly windowMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer?: GateObserver;
  /** What keeps sessions together where their connections are with several processes; absent: all are with this one. */
  readonly directory?: SessionDirectory;
  /** Absent: nothing can be recorded. */
  readonly recordings?: Recordings;
}

export interface RunningGate extends Gate {
  /** Lets open sessions take up the revision in force at once rather than with their next operation. */
  policyChanged(): void;
  sessions(): readonly SessionView[];
  /** Closes every session and waits until its last entry is on disk. End the ports first, and the audit log afterwards. */
  close(reason?: string): Promise<void>;
}

/** How often windows, folds and empty sessions are looked at: well within the second in which their entries follow. */
const sweepMs = 250;

/** Sessions that take up a revision in one turn of the event loop. */
const refreshedAtOnce = 50;

const deaf: GateObserver = {
  decision() {},
  refused() {},
  sessionOpened() {},
  sessionClosed() {},
  authenticationFailed() {},
  auditLost() {},
};

export function createGate(options: GateOptions, bounds: SessionBounds = sessionBounds): RunningGate {
  return new SessionGate(options, bounds);
}

class SessionGate implements RunningGate {
  readonly #options: GateOptions;
  readonly #observer: GateObserver;
  readonly #sessions: Sessions;
  readonly #failures: AuthenticationFailures;
  readonly #timer: NodeJS.Timeout;
  #lostSeen: number;
  #closed = false;

  constructor(options: GateOptions, bounds: SessionBounds) {
    this.#options = options;
    this.#observer = options.observer ?? deaf;
    this.#sessions = new Sessions({ ...options, observer: this.#observer }, bounds);
    this.#failures = new AuthenticationFailures(options.audit);
    this.#lostSeen = options.audit.status().lost;
    this.#timer = setInterval(() => this.#trySweep(), sweepMs).unref();
  }

  async join(principal: Principal, client: ClientFacts, previous?: GateSession): Promise<GateSession> {
    if (this.#closed) throw gateClosed();
    const session = await this.#sessions.join(principal, client);
    if (previous !== undefined) session.renewed(previous.id);
    try {
      await session.durable();
    } catch (error) {
      session.leave('the audit log could not be written');
      throw error;
    }
    return session;
  }

  authenticationFailed(failure: AuthenticationFailure, client: ClientFacts): void {
    this.#failures.add(failure, client, this.#options.clock.nowMs());
    this.#observer.authenticationFailed(failure.code);
  }

  policyChanged(): void {
    this.#refresh([...this.#sessions.all()], 0);
  }

  sessions(): readonly SessionView[] {
    return Array.from(this.#sessions.all(), (session) => session.view());
  }

  async close(reason: string = 'gateway stopped'): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#failures.flush();
    this.#sessions.closeAll(reason);
    // In strict mode a log that cannot be written has said so already, and close() of the log counts what is lost.
    await this.#options.audit.durable().catch(() => undefined);
    this.#reportLost();
  }

  /** A few at a time: each writes its windows, and operations in between take up the revision by themselves. */
  #refresh(sessions: readonly Session[], from: number): void {
    const to = from + refreshedAtOnce;
    for (const session of sessions.slice(from, to)) session.refresh();
    if (to < sessions.length) setImmediate(() => this.#refresh(sessions, to));
  }

  #trySweep(): void {
    try {
      this.#sweep();
    } catch (error) {
      this.#options.logger.error({ error: messageOf(error) }, 'audit entries that were due could not be made');
    }
  }

  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#sessions.sweep(nowMs);
    this.#failures.sweep(nowMs);
    this.#reportLost();
  }

  #reportLost(): void {
    const { lost } = this.#options.audit.status();
    if (lost === this.#lostSeen) return;
    this.#observer.auditLost(lost - this.#lostSeen);
    this.#lostSeen = lost;
  }
}
