/**
 * Fetch requests that need no closer look: everything they name is in their session or on flows that stand, in the version
 * that the last decoded one had. They are decided where they lie and leave with the bytes around them, and answers of the
 * usual kind come back the same way; what they bring is counted as ever.
 */
import type { GateSession } from '../../gate/gate.ts';
import { type AnswerQueue, Place } from './answers.ts';
import { type DeliveredFetch, stillHolds } from './apis/fetch-delivery.ts';
import { type FetchArrival, decideFetch, fetchVerdict } from './apis/fetch-fast.ts';
import { fetchSessions } from './apis/fetch-session.ts';
import { type ForwardVerdict, RequestAccess, type SessionHolder } from './apis/handler.ts';
import type { ConnectionParts } from './parts.ts';
import { FetchAnswerGlance, type FrameSink, int16At, int32At } from './protocol/protocol.ts';
import type { WholeTaker } from './responses.ts';
import { StandingFlows } from './standing-flows.ts';
import type { ResponseTaker } from './upstream-events.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;
const flexibleVersion = 12;
/** API key, version, correlation id, and the length of the client id. */
const headerBytesMin = 10;

/** Tickets that one connection keeps to use again, as many as a client mostly has under way. */
const spareTicketsMax = 8;

// One serves all connections: a reading is used up before the next begins.
const glance = new FetchAnswerGlance();

/** What reads an answer that cannot pass at a glance; `null` where the connection ends. */
export type TakerOf = (ticket: FetchTicket, verdict: ForwardVerdict<'Fetch'>) => WholeTaker | null;

/** A request that passed, and the place of its answer. One whose answer passed as well serves again. */
export class FetchTicket extends Place implements ResponseTaker {
  correlationId = 0;
  delivered: DeliveredFetch;
  readonly #lane: FetchLane;
  #taker: WholeTaker | null = null;

  constructor(lane: FetchLane, delivered: DeliveredFetch) {
    super(lane.answers, 'Fetch', delivered.version, 0);
    this.#lane = lane;
    this.delivered = delivered;
  }

  assign(delivered: DeliveredFetch, correlationId: number, startedMs: number): void {
    this.delivered = delivered;
    this.version = delivered.version;
    this.correlationId = correlationId;
    this.startedMs = startedMs;
  }

  passes(bytes: Buffer, start: number, end: number): boolean {
    return this.#lane.passes(this, bytes, start, end);
  }

  whole(frame: Buffer): void {
    this.#other()?.whole(frame);
  }

  large(size: number): FrameSink | null {
    return this.#other()?.large(size) ?? null;
  }

  #other(): WholeTaker | null {
    return (this.#taker ??= this.#lane.takerOf(this, fetchVerdict(this.delivered)));
  }
}

export class FetchLane {
  readonly answers: AnswerQueue;
  readonly takerOf: TakerOf;
  readonly #holder: SessionHolder;
  readonly #parts: ConnectionParts;
  readonly #flows: StandingFlows;
  #arrival: FetchArrival | null = null;
  /** Partitions of the request under way that stand. */
  #found = 0;
  #startedMs = 0;
  /** Whether what the answers of this turn bring can be counted. */
  #accounts = false;
  readonly #spare: FetchTicket[] = [];

  constructor(holder: SessionHolder, answers: AnswerQueue, parts: ConnectionParts, takerOf: TakerOf) {
    this.#holder = holder;
    this.answers = answers;
    this.#parts = parts;
    this.takerOf = takerOf;
    this.#flows = new StandingFlows('read', parts);
  }

  /** A request was decoded, decided and forwarded. @param connection as `Exchange` has it */
  learn(version: number, connection: object): void {
    if (this.#arrival?.version === version) return;
    const { cluster, addresses } = this.#parts;
    this.#flows.name(version >= topicIdVersion);
    this.#arrival = {
      version,
      access: new RequestAccess(this.#holder, `Fetch v${version}`),
      cluster,
      addresses,
      sessions: fetchSessions(connection),
      stands: (topicKey, partition) => this.#stands(topicKey, partition),
      nowMs: performance.now(),
      last: null,
    };
  }

  /** Before the first `ticket` of a turn. @returns false where nothing may pass now */
  begin(startedMs: number): boolean {
    this.#startedMs = startedMs;
    if (this.#arrival === null) return false;
    this.#arrival.nowMs = startedMs;
    return this.#flows.begin(this.#holder.session);
  }

  /**
   * The ticket with which a request passes whose payload lies in `bytes` from `start` to before `end`; the epoch of its
   * session may be put in place there. `null` where it takes the usual way.
   */
  ticket(bytes: Buffer, start: number, end: number): FetchTicket | null {
    const arrival = this.#arrival;
    const body = bodyOf(bytes, start, end, arrival?.version ?? -1);
    if (arrival === null || body === -1) return null;
    this.#found = 0;
    const delivered = decideFetch(bytes, body, end, arrival);
    if (delivered === null) return null;
    this.#flows.carry(this.#found);
    const ticket = this.#spare.pop() ?? new FetchTicket(this, delivered);
    ticket.assign(delivered, int32At(bytes, start + 4), this.#startedMs);
    return ticket;
  }

  /** After the last `ticket` of a turn. */
  end(): void {
    this.#flows.end();
  }

  /** Before the first answer of a turn. */
  beginAnswers(): void {
    this.#accounts = this.#arrival !== null && this.#flows.begin(this.#holder.session);
  }

  passes(ticket: FetchTicket, bytes: Buffer, start: number, end: number): boolean {
    const { delivered } = ticket;
    if (!this.answers.isFirst(ticket) || !stillHolds(delivered)) return false;
    if (!glance.read(bytes, start, end, delivered.version, ticket.correlationId)) return false;
    if (glance.count > 0 && !this.#accounts) return false;
    delivered.settle?.(0, glance.sessionId);
    this.#account(this.#holder.session);
    this.answers.dropFirst();
    if (this.#spare.length < spareTicketsMax) this.#spare.push(ticket);
    return true;
  }

  #account(session: GateSession): void {
    const { nowMs } = this.#flows;
    for (let at = 0; at < glance.count; at += 1) {
      const topicKey = glance.topicKeys[at] ?? '';
      const partition = glance.partitions[at] ?? -1;
      const [first, last] = [glance.firsts[at] ?? 0, glance.lasts[at] ?? 0];
      const [records, bytes] = [glance.records[at] ?? 0, glance.bytes[at] ?? 0];
      const flow = this.#flows.find(topicKey, partition);
      if (flow !== null) flow.account(first, last, records, bytes, nowMs);
      else {
        const topic = this.#flows.topicOf(topicKey);
        const [firstOffset, lastOffset] = [BigInt(first), BigInt(last)];
        if (topic !== undefined)
          session.account({ action: 'read', topic, partition, firstOffset, lastOffset, records, bytes });
      }
    }
  }

  #stands(topicKey: string, partition: number): boolean {
    if (this.#flows.find(topicKey, partition) === null) return false;
    this.#found += 1;
    return true;
  }
}

/** Where a request's body begins; -1 where the request is not of this version, or its header is not a usual one. */
function bodyOf(bytes: Buffer, start: number, end: number, version: number): number {
  if (end - start < headerBytesMin || int16At(bytes, start + 2) !== version) return -1;
  let body = start + headerBytesMin + Math.max(0, int16At(bytes, start + 8));
  if (version >= flexibleVersion) {
    if (body >= end || bytes[body] !== 0) return -1;
    body += 1;
  }
  return body < end ? body : -1;
}
