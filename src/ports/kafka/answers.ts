/** Answers of one connection, written strictly in the order of the requests, whichever is ready first. */
import type { Socket } from 'node:net';
import { connectionBufferBytesMax } from '../../lib/limits.ts';
import type { KafkaObserver, RequestOutcome } from './observer.ts';

/** The place of one request's answer. */
export interface Answer {
  /** Whole frames in parts; they leave when every answer before has left. */
  settle(parts: readonly Buffer[], outcome: RequestOutcome): void;
}

interface Place {
  readonly api: string;
  readonly version: number;
  readonly startedMs: number;
  parts: readonly Buffer[] | null;
  outcome: RequestOutcome;
}

export class AnswerQueue {
  readonly #socket: Socket;
  readonly #port: string;
  readonly #observer: KafkaObserver;
  readonly #onChange: () => void;
  readonly #places: Place[] = [];
  /** Bytes of answers that are ready and wait for one before them. */
  #heldBytes = 0;

  /** @param onChange called after answers have left: there is room again */
  constructor(socket: Socket, port: string, observer: KafkaObserver, onChange: () => void) {
    this.#socket = socket;
    this.#port = port;
    this.#observer = observer;
    this.#onChange = onChange;
  }

  get length(): number {
    return this.#places.length;
  }

  get empty(): boolean {
    return this.#places.length === 0;
  }

  /** True while the client does not read as fast as it is answered, or an answer that is not ready holds up many that are. */
  get backedUp(): boolean {
    return this.#socket.writableLength + this.#heldBytes > connectionBufferBytesMax;
  }

  reserve(api: string, version: number): Answer {
    const place: Place = { api, version, startedMs: performance.now(), parts: null, outcome: 'answered' };
    this.#places.push(place);
    return {
      settle: (parts, outcome) => {
        if (place.parts !== null) return;
        place.parts = parts;
        place.outcome = outcome;
        this.#heldBytes += bytesOf(parts);
        if (this.#places[0] === place) this.#flush();
      },
    };
  }

  #flush(): void {
    const socket = this.#socket;
    const nowMs = performance.now();
    socket.cork();
    for (let head = this.#places[0]; head !== undefined && head.parts !== null; head = this.#places[0]) {
      this.#places.shift();
      const bytes = bytesOf(head.parts);
      this.#heldBytes -= bytes;
      for (const part of head.parts) if (socket.writable) socket.write(part);
      this.#observer.bytes(this.#port, 'to-client', bytes);
      this.#observer.requestHandled(this.#port, head.api, head.version, head.outcome, nowMs - head.startedMs);
    }
    socket.uncork();
    this.#onChange();
  }
}

function bytesOf(parts: readonly Buffer[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}
