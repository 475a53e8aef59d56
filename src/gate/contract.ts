import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';
import type { SessionRecorder } from '../recording/recording.ts';

/** Why a connection got no session; the words of the audit log and of the metrics. */
export interface AuthenticationFailure {
  /** Stable and machine-readable: `expired`, `wrong-audience`, `bad-signature`, … */
  readonly code: string;
  /** For the log, in more detail than the client is told. Never the credential. */
  readonly detail: string;
  /** What the credential claimed to be, unverified; empty where it could not be read. */
  readonly claimedId: string;
  readonly claimedIssuer: string;
}

/** What was produced, or delivered, in one partition by one request. Offsets inclusive; -1 where the broker told none. */
export interface FlowAccount {
  readonly action: 'read' | 'write';
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly records: number;
  readonly bytes: number;
}

/**
 * A flow that was decided and entered in the log, for ports that carry its next requests without asking for each: it is
 * good as long as `GateSession.standing` gives the object that it was made under.
 */
export interface StandingFlow {
  readonly action: 'read' | 'write';
  readonly topic: string;
  readonly partition: number;
  /** What `standing` gave when it was made. */
  readonly standing: object;
  /** As `GateSession.account`, of offsets that are safe integers with 0 ≤ first ≤ last. Makes nothing, never blocks. */
  account(firstOffset: number, lastOffset: number, records: number, bytes: number, nowMs: number): void;
}

/** One client's presence: shared by the connections of one principal, credential, client id, software and address. */
export interface GateSession {
  readonly id: string;
  readonly principal: Principal;
  /** Changes when another policy revision is in force; `none` where there is none. */
  readonly revision: string;
  /**
   * Decides one operation and audits it: a denial and the first use of a flow are entries of their own.
   * @param partition -1 where the operation touches no single partition
   * @param requestName protocol's own name of the request, for the entry: `Fetch v17`
   */
  decide(
    action: Action,
    resourceType: ResourceType,
    resourceName: string,
    partition: number,
    requestName: string,
  ): Decision;
  /** As `decide`, where any one resource of the type will do (Kafka's idempotent producers). */
  decideAny(action: Action, resourceType: ResourceType, requestName: string): Decision;
  /** The same answer without an entry: for listings that are filtered silently and for authorized-operation bits. */
  permits(action: Action, resourceType: ResourceType, resourceName: string, partition: number): boolean;
  /** An attempt that no rule could permit (unknown API, malformed request, forged session id): refused, and entered in the log. */
  refuse(code: string, detail: string, requestName: string): void;
  /**
   * Resolves once every entry so far that must be durable before the operation takes effect is; `null` when there
   * is nothing to wait for, which is the common case. Await it between deciding and forwarding.
   * In `available` mode always `null`: entries follow within milliseconds, and what is lost is counted.
   * @throws SluiceError `audit-unavailable` in strict mode: the operation must be refused
   */
  durable(): Promise<void> | null;
  /** What the client's software calls itself, where it says so only after authentication (KIP-511); the first word counts. */
  learnSoftware(name: string, version: string): void;
  /** Where decisions say `record`, what they say it of goes here; `null` where the gateway keeps no recordings. */
  readonly recorder: SessionRecorder | null;
  /**
   * Calls back once, when the session is ended from this side while connections are there: they must close.
   * @returns takes the callback back
   */
  onEnd(ended: (reason: string) => void): () => void;
  /** Counts what flowed. Never blocks. */
  account(flow: FlowAccount): void;
  /** Stands for what is permitted now; another object once that may have changed. Compare by identity. */
  standing(nowMs: number): object;
  /**
   * The flow of an operation that is permitted, unconditionally, and that the log tells of already; `null` for any
   * other: use `decide`. Decides and audits nothing.
   */
  standingFlow(action: 'read' | 'write', topic: string, partition: number, nowMs: number): StandingFlow | null;
  /** Counts `count` operations carried on standing flows as the decisions that they are. */
  countStanding(action: 'read' | 'write', count: number): void;
  /** One connection of the session closed. Once per `join`. */
  leave(reason: string): void;
}

export interface Gate {
  /**
   * Joins the principal's session for this client, opening it (and its entry) where it is the first connection.
   *
   * @param previous the session that the connection was in, where it authenticated again (KIP-368): entered in the log
   *   as `authentication.renewed`. The new credential opens a session of its own; leave the previous one afterwards.
   * @throws SluiceError `too-many-connections` beyond `connectionsPerPrincipalMax`, `audit-unavailable` in strict mode
   *   where the entry cannot be written, `gate-closed` when the gateway ends
   */
  join(principal: Principal, client: ClientFacts, previous?: GateSession): Promise<GateSession>;
  /** A credential that was refused, or a request before authentication. */
  authenticationFailed(failure: AuthenticationFailure, client: ClientFacts): void;
}

/** What metrics hear of. Called on the hot path: it must neither block nor throw. */
export interface GateObserver {
  /** @param count how many such decisions, 1 where absent */
  decision(effect: Decision['effect'], action: Action, resourceType: ResourceType, count?: number): void;
  refused(code: string): void;
  sessionOpened(port: string): void;
  sessionClosed(port: string): void;
  authenticationFailed(code: string): void;
  /** `count` more entries of the audit log were lost. */
  auditLost(count: number): void;
}

/** One session as operators see it. */
export interface SessionView {
  readonly id: string;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly openedAtMs: number;
  /** 0 while it waits for one to come back. */
  readonly connections: number;
  readonly revision: string;
  /** Audit entries so far. */
  readonly entries: number;
}

/** What is asked before a connection joins a session. */
export interface JoinRequest {
  /** The same for all connections of one session, in every process. */
  readonly sessionKey: string;
  readonly principalKey: string;
  readonly port: string;
}

/** `connections`: how many the principal has already, where there is no room for one more. */
export type JoinAnswer = { readonly id: string } | { readonly connections: number };

/** Where sessions are kept together whose connections are with several processes. */
export interface SessionDirectory {
  /** Rejects where the session cannot be known: the connection must be refused. */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** One connection of the session closed. */
  leave(sessionId: string): void;
}
