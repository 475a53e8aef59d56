/**
 * Fetch sessions (KIP-227) as the gateway follows them. A client names each partition once, the broker keeps fetching it
 * and answers only what is new: so the gateway has to know the whole of a session to hold the policy against it.
 *
 *   full fetch, epoch 0 ─→ the broker gives an id ─→ 1 → 2 → … ─→ dropped: an error, or the broker gives no id any more
 *
 * Brokers know sessions by id alone, whoever brings it. Here a session belongs to the connection that was given its id,
 * and so to one principal, for a connection keeps its principal (KIP-368); each connection has a broker's connection of
 * its own, so id and epoch are the broker's. Requests change a session before they are forwarded, in order: what the
 * gateway holds is never less than what the broker has.
 */
import { performance } from 'node:perf_hooks';
import type { GateSession } from '../../../gate/gate.ts';
import {
  fetchSessionDecidedMs,
  fetchSessionIdsPerConnectionMax,
  fetchSessionPartitionsMax,
  fetchSessionsPerConnectionMax,
} from '../../../lib/limits.ts';
import { type FetchRequestFetchPartition, errorCodes } from '../protocol/protocol.ts';
import { PartitionSet } from './partition-set.ts';

/** KIP-227: the epoch of a request that begins a session, and of one that is in none and makes none. */
export const initialEpoch = 0;
export const finalEpoch: number = -1;
/** From here on there are fetch sessions. */
export const sessionVersion = 7;
/** From here on topics are named by id. */
export const topicIdVersion = 13;
/** Sessions in a row that a client began and did not go on with, after which it is given none. */
const unusedSessionsMax = 2;

/** Something that the client believes to be in the session and the broker does not have. */
export interface Withheld {
  /** 29, or 100 where no topic has the id. */
  readonly code: number;
  /** As the client last asked for it; `null` where that is not known: it was taken away in the middle of a session. */
  readonly wanted: FetchRequestFetchPartition | null;
}

/** What a session is to hold. Topics by id where its requests name them so, else by name. */
export class FetchSession {
  readonly byId: boolean;
  /** What the broker has in its session. */
  readonly granted: PartitionSet = new PartitionSet();
  /** By topic, then partition. */
  readonly withheld: Map<string, Map<number, Withheld>> = new Map();
  /** 0 while the broker has not given it. */
  id = 0;
  /** What the next request must carry. */
  epoch = 1;
  goingOn: SessionAnswer | null = null;
  #withheldCount = 0;
  #decidedIn = '';
  #decidedUnder = '';
  #decidedAtMs = 0;

  constructor(byId: boolean) {
    this.byId = byId;
  }

  get size(): number {
    return this.granted.size + this.#withheldCount;
  }

  /** A request with the epoch that was due goes on to the broker. Epochs start again at 1, since 0 begins a session. */
  advance(): void {
    this.epoch = this.epoch === 0x7fff_ffff ? 1 : this.epoch + 1;
  }

  grant(topic: string, partition: number): void {
    this.#release(topic, partition);
    this.granted.add(topic, partition);
  }

  /** @returns true where the broker has it in its session */
  withhold(topic: string, partition: number, withheld: Withheld): boolean {
    let partitions = this.withheld.get(topic);
    if (partitions === undefined) this.withheld.set(topic, (partitions = new Map<number, Withheld>()));
    if (!partitions.has(partition)) this.#withheldCount += 1;
    partitions.set(partition, withheld);
    return this.granted.delete(topic, partition);
  }

  forget(topic: string, partition: number): void {
    this.#release(topic, partition);
    this.granted.delete(topic, partition);
  }

  /** All of it has just been decided. */
  decided(session: GateSession): void {
    this.#decidedIn = session.id;
    this.#decidedUnder = session.revision;
    this.#decidedAtMs = performance.now();
  }

  /**
   * True where all of it must be decided again: under another revision, for a renewed credential, or after a while, since
   * conditions may speak of the time and rules may lapse.
   * @param nowMs by `performance.now()`
   */
  mustDecide(session: GateSession, nowMs: number = performance.now()): boolean {
    return (
      session.revision !== this.#decidedUnder ||
      session.id !== this.#decidedIn ||
      !(nowMs - this.#decidedAtMs < fetchSessionDecidedMs)
    );
  }

  #release(topic: string, partition: number): void {
    const partitions = this.withheld.get(topic);
    if (partitions?.delete(partition) !== true) return;
    this.#withheldCount -= 1;
    if (partitions.size === 0) this.withheld.delete(topic);
  }
}

/** The sessions of one connection. */
export class FetchSessions {
  /** The oldest first. */
  readonly #sessions = new Map<number, FetchSession>();
  readonly #given = new Set<number>();
  #unused = 0;
  #permitted: FetchSession | null = null;

  find(id: number): FetchSession | undefined {
    return this.#sessions.get(id);
  }

  /** Whether this connection was given the id, be the session there or not: the client may have it closed. */
  gave(id: number): boolean {
    return this.#given.has(id);
  }

  /** The error that a broker answers to a request that goes on with a session; 0 where there is none. */
  errorOf(id: number, epoch: number, byId: boolean): number {
    const session = this.#sessions.get(id);
    if (session === undefined) return errorCodes.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== epoch) return errorCodes.INVALID_FETCH_SESSION_EPOCH;
    return session.byId === byId ? 0 : errorCodes.FETCH_SESSION_TOPIC_ID_ERROR;
  }

  /**
   * False for a client that asks for a session each time and never goes on with it: each would take up one of the
   * broker's places for sessions.
   */
  get worthwhile(): boolean {
    return this.#unused <= unusedSessionsMax;
  }

  /** The broker gave the session an id. */
  bind(session: FetchSession, id: number): void {
    session.id = id;
    this.drop(id);
    this.#sessions.set(id, session);
    this.#unused += 1;
    this.#remember(id);
    this.#makeRoom();
  }

  /** A request goes on with the session. */
  used(session: FetchSession): void {
    this.#unused = 0;
    session.advance();
  }

  /**
   * What requests without a session named lately and were permitted, for consumers that name the same again and again.
   * Decided anew as often as a session.
   */
  permitted(byId: boolean, session: GateSession, nowMs: number): FetchSession {
    const known = this.#permitted;
    if (known !== null && known.byId === byId && !known.mustDecide(session, nowMs)) return known;
    const anew = new FetchSession(byId);
    anew.decided(session);
    this.#permitted = anew;
    return anew;
  }

  /** Nothing goes on with it from here. */
  drop(id: number): void {
    this.#sessions.delete(id);
  }

  #remember(id: number): void {
    this.#given.delete(id);
    this.#given.add(id);
    if (this.#given.size <= fetchSessionIdsPerConnectionMax) return;
    for (const oldest of this.#given) {
      this.#given.delete(oldest);
      return;
    }
  }

  /** What is permitted is forgotten where it would be too much. */
  boundPermitted(): void {
    if (this.#permitted !== null && this.#permitted.size > fetchSessionPartitionsMax) this.#permitted = null;
  }

  #makeRoom(): void {
    let partitions = 0;
    for (const { size } of this.#sessions.values()) partitions += size;
    for (const [id, { size }] of this.#sessions) {
      if (this.#sessions.size <= fetchSessionsPerConnectionMax && partitions <= fetchSessionPartitionsMax) return;
      this.#sessions.delete(id);
      partitions -= size;
    }
  }
}

const sessionsOf = new WeakMap<object, FetchSessions>();

export function fetchSessions(connection: object): FetchSessions {
  let sessions = sessionsOf.get(connection);
  if (sessions === undefined) sessionsOf.set(connection, (sessions = new FetchSessions()));
  return sessions;
}

/** Whether a request names all it wants: it begins a session, or is in none. */
export function isFull(epoch: number): boolean {
  return epoch === initialEpoch || epoch === finalEpoch;
}

/** Told what the answer to a request says of its session: 0 where there is none. */
export type SessionAnswer = (errorCode: number, sessionId: number) => void;

/** For a request that begins the session. */
export function beginning(sessions: FetchSessions, session: FetchSession): SessionAnswer {
  return (errorCode, sessionId) => {
    if (errorCode === 0 && sessionId !== 0) sessions.bind(session, sessionId);
  };
}

/** For a request that goes on with the session: one for all of them. */
export function goingOn(sessions: FetchSessions, session: FetchSession): SessionAnswer {
  return (session.goingOn ??= (errorCode, sessionId) => {
    // The broker evicted it, or ended it with its last partition: the client begins anew, and so does the gateway.
    if (errorCode !== 0 || sessionId !== session.id) sessions.drop(session.id);
  });
}
