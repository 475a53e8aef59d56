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

// One of each serves all connections: a reading is used up before the next begins.
const glance = new ProduceGlance();
const answerGlance = new ProduceAnswerGlance();

/** Reads the answer to a request that passed, where it cannot pass as it is. */
export type ReadAnswer = (ticket: ProduceTicket, verdict: ForwardVerdict<'Produce'>, frame: Buffer) => void;

/** One partition of a request under way. */
interface Part {
  readonly topicKey: string;
  readonly flow: StandingFlow;
  readonly records: number;
  readonly bytes: number;
}

/** A request that passed, and the place of its answer. */
export class ProduceTicket extends Place implements ResponseTaker {
  readonly correlationId: number;
  readonly session: GateSession;
  readonly writes: readonly Part[];
  readonly #lane: ProduceLane;

  constructor(lane: ProduceLane, session: GateSession, writes: readonly Part[], startedMs: number) {
    super(lane.answers, 'Produce', glance.version, startedMs);
    this.#lane = lane;
    this.session = session;
    this.correlationId = glance.correlationId;
    this.writes = writes;
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
    const writes: Part[] = [];
    for (let at = 0; at < count; at += 1) {
      const topicKey = glance.topicKeys[at] ?? '';
      const flow = this.#flows.find(topicKey, glance.partitions[at] ?? -1);
      if (flow === null) return null;
      writes.push({ topicKey, flow, records: glance.records[at] ?? 0, bytes: glance.bytes[at] ?? 0 });
    }
    this.#flows.carry(count);
    return new ProduceTicket(this, this.#session, writes, this.#startedMs);
  }

  /** After the last `ticket` of a turn. */
  end(): void {
    this.#flows.end();
  }

  /** Before the first answer of a turn. */
  beginAnswers(): void {
    this.#nowMs = this.#parts.clock.nowMs();
  }

  passes(ticket: ProduceTicket, bytes: Buffer, start: number, end: number): boolean {
    if (!this.answers.isFirst(ticket)) return false;
    if (!answerGlance.read(bytes, start, end, ticket.version, ticket.correlationId)) return false;
    const { count } = answerGlance;
    const { writes } = ticket;
    if (count !== writes.length) return false;
    for (let at = 0; at < count; at += 1) if (writeAt(writes, at) === undefined) return false;
    for (let at = 0; at < count; at += 1) {
      const write = writeAt(writes, at);
      const first = answerGlance.baseOffsets[at] ?? 0;
      write?.flow.account(first, first + Math.max(write.records, 1) - 1, write.records, write.bytes, this.#nowMs);
    }
    this.answers.dropFirst();
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

/** What was written where the answer's place `at` says so; mostly they come in the order of the request. */
function writeAt(writes: readonly Part[], at: number): Part | undefined {
  const topicKey = answerGlance.topicKeys[at];
  const partition = answerGlance.partitions[at];
  const here = writes[at];
  if (here !== undefined && here.topicKey === topicKey && here.flow.partition === partition) return here;
  return writes.find((write) => write.topicKey === topicKey && write.flow.partition === partition);
}
