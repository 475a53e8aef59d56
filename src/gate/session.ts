import { randomUUID } from 'node:crypto';
import type { AuditLog } from '../audit/audit.ts';
import type { Clock } from '../lib/clock.ts';
import { instant } from '../lib/instant.ts';
import type { Logger } from '../lib/logger.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';
import type { PolicySet } from '../policy/policy.ts';
import type { Recordings, SessionRecorder } from '../recording/recording.ts';
import type { FlowAccount, GateObserver, GateSession, SessionView, StandingFlow } from './contract.ts';
import { Decider } from './decide.ts';
import { Durability } from './durability.ts';
import { clientData, credentialData, nameData, principalData } from './entry-data.ts';
import { SessionAccess, noRevision } from './session-access.ts';
import { TrailFlow } from './standing-flow.ts';
import { SessionTrail } from './trail.ts';

export interface SessionParts {
  /** Absent: one of its own. */
  readonly id?: string;
  readonly policies: () => PolicySet | null;
  readonly audit: AuditLog;
  readonly mode: 'strict' | 'available';
  readonly windowMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: GateObserver;
  readonly recordings?: Recordings;
  /** Called each time the last connection has left. */
  readonly emptied: (session: Session) => void;
  /** Called where the session must end at once, and may be called again. */
  readonly failed: (session: Session, reason: string) => void;
  /** Called for each connection that left. */
  readonly left: (session: Session) => void;
}

/**
 * opened ─ connect ⇄ leave ─→ empty ─ nobody comes back in time, or the gateway ends ─→ closed
 *
 * A closed session denies everything: its last entry is written, and no operation may pass without one.
 */
export class Session implements GateSession {
  readonly id: string;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly openedMs: number;
  readonly recorder: SessionRecorder | null;
  readonly #parts: SessionParts;
  readonly #durability: Durability;
  readonly #trail: SessionTrail;
  readonly #access: SessionAccess;
  readonly #decider: Decider;
  #connections = 0;
  #connectionsTotal = 0;
  #emptySinceMs: number;
  #leaveReason = 'never connected';
  #closed = false;
  readonly #onEnd = new Set<(reason: string) => void>();
  #standing: object = {};
  #standingStretch: object | null = null;
  #standingLost = -1;
  /** Learned after the session was opened; `client` stays what the session is found by. */
  #software: Pick<ClientFacts, 'softwareName' | 'softwareVersion'> | null = null;

  constructor(principal: Principal, client: ClientFacts, parts: SessionParts) {
    this.id = parts.id ?? randomUUID();
    this.principal = principal;
    this.client = client;
    this.#parts = parts;
    this.openedMs = parts.clock.nowMs();
    this.#emptySinceMs = this.openedMs;
    this.#durability = new Durability(parts.audit, parts.mode);
    this.recorder = parts.recordings?.session(this, (reason) => parts.failed(this, reason)) ?? null;
    const about = {
      session_id: this.id,
      port: nameData(client.port),
      principal: principalData(principal),
      client: clientData(client),
    };
    this.#trail = new SessionTrail(parts.audit, this.#durability, about, noRevision);
    this.#access = new SessionAccess(this.#policies, principal, client.port, parts.logger, (revision) =>
      this.#trail.revise(revision),
    );
    this.#decider = new Decider(this.#access, this.#trail, parts.clock, parts.observer);
    this.#trail.write('session.opened', this.#credential());
  }

  learnSoftware(softwareName: string, softwareVersion: string): void {
    if (softwareName === '' || this.#software !== null || this.client.softwareName !== '') return;
    this.#software = { softwareName, softwareVersion };
    this.#trail.describeClient(clientData({ ...this.client, ...this.#software }));
  }

  get revision(): string {
    return this.#access.revision;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Since when no connection is there; meaningless while one is. */
  get emptySinceMs(): number {
    return this.#emptySinceMs;
  }

  connect(): void {
    this.#connections += 1;
    this.#connectionsTotal += 1;
  }

  renewed(previousId: string): void {
    this.#trail.write('authentication.renewed', { ...this.#credential(), previous_session_id: previousId });
  }

  decide(
    action: Action,
    resourceType: ResourceType,
    resourceName: string,
    partition: number,
    requestName: string,
  ): Decision {
    return this.#decider.decide(action, resourceType, resourceName, partition, requestName);
  }

  decideAny(action: Action, resourceType: ResourceType, requestName: string): Decision {
    return this.#decider.decideAny(action, resourceType, requestName);
  }

  permits(action: Action, resourceType: ResourceType, resourceName: string, partition: number): boolean {
    return this.#decider.permits(action, resourceType, resourceName, partition);
  }

  refuse(code: string, detail: string, requestName: string): void {
    this.#trail.refused(code, detail, requestName, this.#parts.clock.nowMs());
    this.#parts.observer.refused(code);
  }

  durable(): Promise<void> | null {
    const entries = this.#durability.wait();
    const recorded = this.recorder?.durable() ?? null;
    if (entries === null || recorded === null) return entries ?? recorded;
    return Promise.all([entries, recorded]).then(() => undefined);
  }

  onEnd(ended: (reason: string) => void): () => void {
    this.#onEnd.add(ended);
    return () => void this.#onEnd.delete(ended);
  }

  /** Ends it while connections are there. */
  end(reason: string): void {
    this.close(reason);
    const told = [...this.#onEnd];
    this.#onEnd.clear();
    for (const ended of told) ended(reason);
  }

  account(flow: FlowAccount): void {
    if (this.#closed) {
      const { topic, partition, records } = flow;
      this.#parts.logger.error(
        { session: this.id, topic, partition, records },
        'records flowed after their session was closed',
      );
    }
    this.#trail.account(flow, this.#parts.clock.nowMs());
  }

  standing(nowMs: number): object {
    const stretch = this.#access.stretch(nowMs);
    const { lost } = this.#trail;
    if (stretch !== this.#standingStretch || lost !== this.#standingLost || stretch === null) {
      this.#standingStretch = stretch;
      this.#standingLost = lost;
      this.#standing = {};
    }
    return this.#standing;
  }

  standingFlow(action: 'read' | 'write', topic: string, partition: number, nowMs: number): StandingFlow | null {
    const standing = this.standing(nowMs);
    // The connections of a session keep flows at hand, but not those of any number of topics.
    const known = this.#trail.flow(action, topic, partition);
    if (known !== null && known.standing === standing) return known;
    const decision = this.#access.settled(action, 'topic', topic, partition, nowMs);
    if (decision === null || !this.#trail.tells(decision, action, topic)) return null;
    return new TrailFlow(action, topic, partition, standing, this.#trail);
  }

  countStanding(action: 'read' | 'write', count: number): void {
    this.#parts.observer.decision('permit', action, 'topic', count);
  }

  leave(reason: string): void {
    if (this.#connections === 0) return;
    this.#connections -= 1;
    this.#parts.left(this);
    if (this.#connections > 0) return;
    this.#leaveReason = reason;
    this.#emptySinceMs = this.#parts.clock.nowMs();
    this.#parts.emptied(this);
  }

  refresh(): void {
    this.#access.refresh();
  }

  sweep(nowMs: number): void {
    this.#trail.sweep(nowMs, this.#parts.windowMs);
  }

  /** @param reason absent: why the last connection left */
  close(reason: string = this.#leaveReason): void {
    if (this.#closed) return;
    this.recorder?.close();
    this.#trail.close(reason, this.openedMs, this.#connectionsTotal);
    this.#closed = true;
  }

  view(): SessionView {
    return {
      id: this.id,
      principal: this.principal,
      client: { ...this.client, ...this.#software },
      openedAtMs: this.openedMs,
      connections: this.#connections,
      revision: this.revision,
      entries: this.#trail.entries,
    };
  }

  readonly #policies = (): PolicySet | null => (this.#closed ? null : this.#parts.policies());

  #credential(): { credential: { type: string; id: string }; expires_at: string | null } {
    const { expiresAtMs } = this.principal;
    return {
      credential: credentialData(this.principal),
      expires_at: expiresAtMs === null ? null : instant(expiresAtMs),
    };
  }
}
