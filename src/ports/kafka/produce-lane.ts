/**
 * Produce requests that need no closer look: on flows that were decided before and still stand, not transactional, in
 * the version that the last decoded one had. They leave with the bytes around them, and their answers come back the same
 * way; what they write is counted as ever. Whatever is out of the ordinary takes the way of every other request.
 */
import type { GateSession, StandingFlow } from '../../gate/gate.ts';
import { type AnswerQueue, Place } from './answers.ts';
import { type Written, writtenVerdict } from './apis/produce.ts';
import type { ForwardVerdict } from './apis/handler.ts';
import type { ConnectionParts } from './parts.ts';
import { ProduceAnswerGlance, ProduceGlance } from './protocol/protocol.ts';
import { StandingFlows } from './standing-flows.ts';
import type { ResponseTaker } from './upstream-events.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;

/** Tickets that one connection keeps to use again, as many as a client mostly has under way, and the most they may write. */
const spareTicketsMax = 8;
const spareWritesMax = 16;

// One of each serves all connections: a reading is used up before the next begins.
const glance = new ProduceGlance();
const answerGlance = new ProduceAnswerGlance();

/** Reads the answer to a request that passed, where it cannot pass as it is. */
export type ReadAnswer = (ticket: ProduceTicket, verdict: ForwardVerdict<'Produce'>, frame: Buffer) => void;

/** One partition of a request under way. */
interface Part {
  topicKey: string;
  flow: StandingFlow;
  records: number;
  bytes: number;
}

/** A request that passed, and the place of its answer. One whose answer passed as well serves again. */
export class ProduceTicket extends Place implements ResponseTaker {
  correlationId = 0;
  session: GateSession;
  readonly #lane: ProduceLane;
  /** Of the request under way the first `#count`. */
  readonly #writes: Part[] = [];
  #count = 0;

  constructor(lane: ProduceLane, session: GateSession) {
    super(lane.answers, 'Produce', 0, 0);
    this.#lane = lane;
    this.session = session;
  }

  get count(): number {
    return this.#count;
  }

  get writes(): readonly Part[] {
    return this.#writes.slice(0, this.#count);
  }

  /** For the request that the glance has just read. */
  assign(session: GateSession, startedMs: number): void {
    this.session = session;
    this.startedMs = startedMs;
    this.version = glance.version;
    this.correlationId = glance.correlationId;
    this.#count = glance.count;
  }

  /** What the request under way writes in its place `at`; places are filled in order. */
  fill(at: number, topicKey: string, flow: StandingFlow, records: number, bytes: number): void {
    const part = this.#writes[at];
    if (part === undefined) {
      this.#writes.push({ topicKey, flow, records, bytes });
      return;
    }
    part.topicKey = topicKey;
    part.flow = flow;
    part.records = records;
    part.bytes = bytes;
  }

  /** What was written where the answer's place `at` says so; mostly they come in the order of the request. */
  writeAt(at: number): Part | undefined {
    const topicKey = answerGlance.topicKeys[at];
    const partition = answerGlance.partitions[at];
    const here = this.#writes[at];
    if (here !== undefined && here.topicKey === topicKey && here.flow.partition === partition) return here;
    return this.writes.find((write) => write.topicKey === topicKey && write.flow.partition === partition);
  }

  passes(bytes: Buffer, start: number, end: number): boolean {
    return this.#lane.passes(this, bytes, start, end);
  }

  whole(frame: Buffer): void {
    this.#lane.decode(this, frame);
  }
}

export class ProduceLane {
  readonly answers: AnswerQueue;
  readonly #parts: ConnectionParts;
  readonly #read: ReadAnswer;
  readonly #flows: StandingFlows;
  #session: GateSession;
  /** Of the last request that was decoded and forwarded as it came: this connection's broker speaks it. */
  #version = -1;
  #startedMs = 0;
  #nowMs = 0;
  readonly #spare: ProduceTicket[] = [];

  constructor(session: GateSession, answers: AnswerQueue, parts: ConnectionParts, read: ReadAnswer) {
    this.#session = session;
    this.answers = answers;
    this.#parts = parts;
    this.#read = read;
    this.#flows = new StandingFlows('write', parts);
  }

  /** A request was decoded, decided and forwarded as it came. */
  learn(version: number): void {
    this.#version = version;
    this.#flows.name(version >= topicIdVersion);
  }

  /** Before the first `ticket` of a turn. @returns false where nothing may pass now */
  begin(session: GateSession, startedMs: number): boolean {
    this.#session = session;
    this.#startedMs = startedMs;
    return this.#version !== -1 && this.#flows.begin(session);
  }

  /**
   * The ticket with which a request passes; `null` where it takes the usual way.
   *
   * @param start where its payload begins, `end` where it ends, and `there` how far `bytes` goes, which may be before `end`
   */
  ticket(bytes: Buffer, start: number, end: number, there: number): ProduceTicket | null {
    if (!glance.read(bytes, start, end, there) || glance.version !== this.#version) return null;
    const { count } = glance;
    const ticket = this.#spare.pop() ?? new ProduceTicket(this, this.#session);
    for (let at = 0; at < count; at += 1) {
      const topicKey = glance.topicKeys[at] ?? '';
      const flow = this.#flows.find(topicKey, glance.partitions[at] ?? -1);
      if (flow === null) return null;
      ticket.fill(at, topicKey, flow, glance.records[at] ?? 0, glance.bytes[at] ?? 0);
    }
    this.#flows.carry(count);
    ticket.assign(this.#session, this.#startedMs);
    return ticket;
  }

  /** After the last `ticket` of a turn. */
  end(): void {
    this.#flows.end();
  }

  /** Before the first answer of a turn. */
  beginAnswers(): void {
    if (this.#version !== -1) this.#nowMs = this.#parts.clock.nowMs();
  }

  passes(ticket: ProduceTicket, bytes: Buffer, start: number, end: number): boolean {
    if (!this.answers.isFirst(ticket)) return false;
    if (!answerGlance.read(bytes, start, end, ticket.version, ticket.correlationId)) return false;
    const { count } = answerGlance;
    if (count !== ticket.count) return false;
    for (let at = 0; at < count; at += 1) if (ticket.writeAt(at) === undefined) return false;
    for (let at = 0; at < count; at += 1) {
      const write = ticket.writeAt(at);
      const first = answerGlance.baseOffsets[at] ?? 0;
      write?.flow.account(first, first + Math.max(write.records, 1) - 1, write.records, write.bytes, this.#nowMs);
    }
    this.answers.dropFirst();
    if (count <= spareWritesMax && this.#spare.length < spareTicketsMax) this.#spare.push(ticket);
    return true;
  }

  decode(ticket: ProduceTicket, frame: Buffer): void {
    const written = ticket.writes.map(({ topicKey, flow: { topic, partition }, records, bytes }): Written => {
      return { topic, topicKey, partition, records, bytes };
    });
    const { cluster, addresses } = this.#parts;
    const { version, session } = ticket;
    this.#read(ticket, writtenVerdict({ version, session, recorder: null, cluster, addresses }, written, []), frame);
  }
}
