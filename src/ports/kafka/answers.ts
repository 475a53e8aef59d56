/** Answers of one connection, written strictly in the order of the requests, whichever is ready first. */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Fifo } from '../../lib/fifo.ts';
import { connectionBufferBytesMax } from '../../lib/limits.ts';
import type { KafkaObserver, RequestOutcome } from './observer.ts';
import { Outlet } from './outlet.ts';

/** The place of one request's answer. */
export interface Answer {
  /**
   * One or more whole frames; they leave when every answer before has left.
   * @param borrowed the parts' memory is lent until `unsent` is false again
   */
  settle(parts: readonly Buffer[], outcome: RequestOutcome, borrowed?: boolean): void;
  /** Begins an answer that leaves in pieces. @returns false where an earlier one has not left: then it cannot */
  begin(): boolean;
  /** A piece; its memory is lent until `unsent` is false again. */
  piece(bytes: Buffer): void;
  finish(outcome: RequestOutcome): void;
}

export class Place implements Answer {
  readonly api: string;
  version: number;
  /** By `performance.now()`. */
  startedMs: number;
  readonly #queue: AnswerQueue;
  parts: readonly Buffer[] | null = null;
  outcome: RequestOutcome = 'answered';
  /** Of an answer that waits for one before it. */
  heldBytes = 0;

  constructor(queue: AnswerQueue, api: string, version: number, startedMs: number) {
    this.#queue = queue;
    this.api = api;
    this.version = version;
    this.startedMs = startedMs;
  }

  settle(parts: readonly Buffer[], outcome: RequestOutcome, borrowed: boolean = false): void {
    if (this.parts !== null) return;
    this.outcome = outcome;
    if (this.#queue.isFirst(this)) {
      this.parts = parts;
      this.#queue.flush();
      return;
    }
    this.parts = borrowed ? parts.map((part) => Buffer.from(part)) : parts;
    for (const part of parts) this.heldBytes += part.length;
    this.#queue.hold(this.heldBytes);
  }

  begin(): boolean {
    return this.#queue.isFirst(this);
  }

  piece(bytes: Buffer): void {
    this.#queue.write(bytes);
  }

  finish(outcome: RequestOutcome): void {
    this.settle([], outcome);
  }
}

export class AnswerQueue {
  readonly #outlet: Outlet;
  readonly #port: string;
  readonly #observer: KafkaObserver;
  readonly #onChange: () => void;
  readonly #places = new Fifo<Place>();
  /** Bytes of answers that are ready and wait for one before them. */
  #heldBytes = 0;
  /** Places dropped that began at one time, and what they have in common: metrics hear of them together. */
  #droppedCount = 0;
  #droppedApi = '';
  #droppedVersion = 0;
  #droppedStartedMs = 0;
  #answeredAtMs = performance.now();

  /**
   * @param onChange called after answers have left: there is room again
   * @param onFlushed called when the client has taken everything
   */
  constructor(socket: Socket, port: string, observer: KafkaObserver, onChange: () => void, onFlushed: () => void) {
    this.#outlet = new Outlet(socket, onFlushed);
    this.#port = port;
    this.#observer = observer;
    this.#onChange = onChange;
  }

  get length(): number {
    return this.#places.length;
  }

  /** When an answer left last, by `performance.now()`. */
  get answeredAtMs(): number {
    return this.#answeredAtMs;
  }

  get empty(): boolean {
    return this.#places.length === 0;
  }

  /** True while bytes are on their way to the client. */
  get unsent(): boolean {
    return this.#outlet.holds(1);
  }

  /** True while the client does not read as fast as it is answered, or an answer that is not ready holds up many that are. */
  get backedUp(): boolean {
    return this.#outlet.holds(connectionBufferBytesMax + 1 - this.#heldBytes);
  }

  /** @param startedMs by `performance.now()` */
  reserve(api: string, version: number, startedMs: number = performance.now()): Answer {
    const place = new Place(this, api, version, startedMs);
    this.#places.push(place);
    return place;
  }

  add(place: Place): void {
    this.#places.push(place);
  }

  /** Takes away the first place, whose answer passes as it is: with `passed`, before anything else is written. */
  dropFirst(): void {
    const place = this.#places.shift();
    if (place === undefined) return;
    const { api, version, startedMs } = place;
    const alike = this.#droppedStartedMs === startedMs && this.#droppedApi === api;
    if (!alike && this.#droppedCount > 0) this.#countDropped();
    this.#droppedApi = api;
    this.#droppedVersion = version;
    this.#droppedStartedMs = startedMs;
    this.#droppedCount += 1;
  }

  /** The answers whose places were dropped, side by side; their memory is lent until `unsent` is false again. */
  passed(bytes: Buffer): void {
    this.#countDropped();
    this.write(bytes);
    const next = this.#places.first;
    if (next !== undefined && next.parts !== null) this.flush();
    else this.#onChange();
  }

  #countDropped(): void {
    this.#answeredAtMs = performance.now();
    const tookMs = this.#answeredAtMs - this.#droppedStartedMs;
    const version = this.#droppedVersion;
    this.#observer.requestHandled(this.#port, this.#droppedApi, version, 'forwarded', tookMs, this.#droppedCount);
    this.#droppedCount = 0;
  }

  /** A turn begins: until it ends nothing leaves, so that all it has to say leaves in one call. */
  beginTurn(): void {
    this.#outlet.hold();
  }

  endTurn(): void {
    this.#outlet.release();
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** Before the socket is ended: what was answered still goes out. */
  handOver(): void {
    this.#outlet.flush();
  }

  isFirst(place: Place): boolean {
    return this.#places.first === place;
  }

  write(bytes: Buffer): void {
    this.#outlet.write(bytes);
    this.#observer.bytes(this.#port, 'to-client', bytes.length);
  }

  flush(): void {
    const nowMs = performance.now();
    this.#answeredAtMs = nowMs;
    this.#outlet.hold();
    for (let head = this.#places.first; head !== undefined && head.parts !== null; head = this.#places.first) {
      this.#places.shift();
      this.#heldBytes -= head.heldBytes;
      for (const part of head.parts) this.write(part);
      this.#observer.requestHandled(this.#port, head.api, head.version, head.outcome, nowMs - head.startedMs);
    }
    this.#outlet.release();
    this.#onChange();
  }
}
