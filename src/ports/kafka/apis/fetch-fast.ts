/**
 * The short way of a fetch: decided on the bytes that came, which then go on. It takes what needs no change (all of it
 * permitted, its session where it should be) and leaves everything else, undecided, to the handler.
 */
import { fetchSessionPartitionsMax } from '../../../lib/limits.ts';
import { type FetchRequestVisitor, walkFetch } from '../protocol/protocol.ts';
import { type DeliveredFetch, deliver, scanOf, stillHolds } from './fetch-delivery.ts';
import {
  FetchSession,
  type FetchSessions,
  type SessionAnswer,
  beginning,
  finalEpoch,
  goingOn,
  initialEpoch,
  isFull,
  topicIdVersion,
} from './fetch-session.ts';
import type { Exchange, ForwardVerdict } from './handler.ts';

/** A request that was not decoded. */
export interface FetchArrival extends Pick<Exchange<'Fetch'>, 'version' | 'access' | 'cluster' | 'addresses'> {
  /** Those of its connection. */
  readonly sessions: FetchSessions;
  /** Whether reading a partition was decided before and entered in the log, and still stands. @param topicKey name or id */
  stands(topicKey: string, partition: number): boolean;
  /** When it came, by `performance.now()`. */
  nowMs: number;
  /** What the last request of its kind was decided to be; mostly the next one is that again. */
  last: DeliveredFetch | null;
}

/**
 * Decides about a request where it lies: its body is `bytes` from `start` to before `end`, memory that must be the
 * gateway's own until the request has left, for a client that makes nothing of sessions has its epoch put to -1 there.
 *
 * @returns what its answer is read with (`fetchVerdict`); `null` where the request has to be decoded and handled; nothing was decided or changed then
 */
export function decideFetch(bytes: Buffer, start: number, end: number, arrival: FetchArrival): DeliveredFetch | null {
  decision.arrive(arrival);
  const usual = walkFetch(bytes, start, end, arrival.version, decision) && decision.usual;
  const delivered = usual ? decision.conclude(arrival, bytes) : null;
  decision.release();
  return delivered;
}

/** Emptying a list costs more than a usual request takes to decide, so a short one is written over. */
const placesKeptMax = 1_024;

/** One for all requests: each is decided within a call. */
class Decision implements FetchRequestVisitor {
  /** Whether what was seen so far can go on as it came. */
  usual = true;
  #arrival: FetchArrival | null = null;
  #byId = false;
  #sessions: FetchSessions | null = null;
  /** The session that the request goes on with. */
  #session: FetchSession | null = null;
  #sessionId = 0;
  #epoch = finalEpoch;
  #epochAt = -1;
  /** What was decided before, lately: the session's, or that of requests without one. */
  #held: FetchSession | null = null;
  #key = '';
  /** What is held of the topic. */
  #heldPartitions: ReadonlySet<number> | undefined;
  /** What the request names beyond what is held: of each partition its topic's key, and its index. */
  readonly #keys: string[] = [];
  readonly #partitions: number[] = [];
  #count = 0;
  readonly #forgottenKeys: string[] = [];
  readonly #forgottenPartitions: number[] = [];
  #forgottenCount = 0;

  arrive(arrival: FetchArrival): void {
    this.usual = true;
    this.#arrival = arrival;
    this.#byId = arrival.version >= topicIdVersion;
    this.#sessions = arrival.sessions;
    this.#session = null;
    this.#held = null;
  }

  begin(replicaId: number, sessionId: number, sessionEpoch: number, epochAt: number): void {
    this.#sessionId = sessionId;
    this.#epoch = sessionEpoch;
    this.#epochAt = epochAt;
    if (replicaId >= 0) this.usual = false;
    const sessions = this.#sessions;
    const arrival = this.#arrival;
    if (sessions === null || arrival === null) return;
    const byId = this.#byId;
    if (isFull(sessionEpoch)) {
      if (sessionId !== 0 && !sessions.gave(sessionId)) this.usual = false;
      if (!this.#begins(sessions)) this.#held = sessions.permitted(byId, arrival.access.session, arrival.nowMs);
      return;
    }
    const session = sessions.errorOf(sessionId, sessionEpoch, byId) === 0 ? sessions.find(sessionId) : undefined;
    if (
      session === undefined ||
      session.withheld.size > 0 ||
      session.mustDecide(arrival.access.session, arrival.nowMs)
    ) {
      this.usual = false;
      return;
    }
    this.#session = session;
    this.#held = session;
  }

  topic(name: string, topicId: string): void {
    this.#key = this.#byId ? topicId : name;
    this.#heldPartitions = this.#held?.granted.of(this.#key);
  }

  partition(index: number): void {
    if (!this.usual || this.#heldPartitions?.has(index) === true) return;
    // What does not stand the handler decides, and enters in the log.
    if (this.#arrival?.stands(this.#key, index) !== true) {
      this.usual = false;
      return;
    }
    this.#keys[this.#count] = this.#key;
    this.#partitions[this.#count] = index;
    this.#count += 1;
  }

  forgottenTopic(name: string, topicId: string): void {
    this.#key = this.#byId ? topicId : name;
  }

  forgottenPartition(index: number): void {
    this.#forgottenKeys[this.#forgottenCount] = this.#key;
    this.#forgottenPartitions[this.#forgottenCount] = index;
    this.#forgottenCount += 1;
  }

  conclude(arrival: FetchArrival, bytes: Buffer): DeliveredFetch | null {
    const sessions = this.#sessions;
    const session = this.#session;
    if (sessions === null) return null;
    if (session !== null) {
      if (session.size + this.#count > fetchSessionPartitionsMax) return null;
      this.#bring(session);
      sessions.used(session);
      return deliveredOf(arrival, goingOn(sessions, session));
    }
    if (this.#sessionId !== 0) sessions.drop(this.#sessionId);
    const begun = this.#held ?? this.#begun(arrival);
    this.#bring(begun);
    if (this.#held === null && begun.size <= fetchSessionPartitionsMax) {
      return deliveredOf(arrival, beginning(sessions, begun));
    }
    sessions.boundPermitted();
    if (this.#epoch === initialEpoch) bytes.writeInt32BE(finalEpoch, this.#epochAt);
    return deliveredOf(arrival, null);
  }

  /** Nothing of a request is kept until the next. */
  release(): void {
    this.#arrival = null;
    this.#sessions = null;
    this.#session = null;
    this.#held = null;
    this.#heldPartitions = undefined;
    if (this.#count > placesKeptMax) this.#keys.length = this.#partitions.length = 0;
    if (this.#forgottenCount > placesKeptMax) this.#forgottenKeys.length = this.#forgottenPartitions.length = 0;
    this.#count = 0;
    this.#forgottenCount = 0;
  }

  /** Whether the request begins a session, if it is not too large for one. */
  #begins(sessions: FetchSessions): boolean {
    return this.#epoch === initialEpoch && sessions.worthwhile;
  }

  #bring(session: FetchSession): void {
    for (let at = 0; at < this.#count; at += 1) {
      session.granted.add(this.#keys[at] ?? '', this.#partitions[at] ?? 0);
    }
    for (let at = 0; at < this.#forgottenCount; at += 1) {
      session.forget(this.#forgottenKeys[at] ?? '', this.#forgottenPartitions[at] ?? 0);
    }
  }

  #begun({ access }: FetchArrival): FetchSession {
    const session = new FetchSession(this.#byId);
    session.decided(access.session);
    return session;
  }
}

const decision = new Decision();
const noRefusals: DeliveredFetch['refusals'] = [];

function deliveredOf(arrival: FetchArrival, settle: SessionAnswer | null): DeliveredFetch {
  const { version, access, cluster, addresses } = arrival;
  const decidedIn = access.session;
  const { revision } = decidedIn;
  const { last } = arrival;
  if (last !== null && last.decidedIn === decidedIn && last.revision === revision && last.settle === settle)
    return last;
  arrival.last = { version, access, cluster, addresses, decidedIn, revision, refusals: noRefusals, settle };
  return arrival.last;
}

/** A request that goes on as it came. */
export function fetchVerdict(delivered: DeliveredFetch): ForwardVerdict<'Fetch'> {
  return {
    kind: 'forward',
    onResponse: (response) => deliver(delivered, response),
    streams: (payloadBytes) => (stillHolds(delivered) ? scanOf(delivered, payloadBytes) : null),
  };
}
