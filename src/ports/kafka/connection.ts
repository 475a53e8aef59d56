/**
 * One client's connection: frames in, answers out in the order of the requests (pipelining kept), with bounded
 * bytes on both sides. What a request may do is decided by its API's handler and the gate; this file moves bytes.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { GateSession } from '../../gate/gate.ts';
import { messageOf } from '../../lib/errors.ts';
import {
  connectionBufferBytesMax,
  partialRequestBytesMax,
  requestFrameBytesMax,
  requestsInFlightMax,
  unauthenticatedFrameBytesMax,
} from '../../lib/limits.ts';
import { AnswerQueue } from './answers.ts';
import { Entrance } from './entrance.ts';
import type { Arrival, ConnectionParts } from './parts.ts';
import {
  type DecodedRequestHeader,
  FrameMemory,
  FrameReader,
  ProtocolError,
  decodeRequestHeader,
} from './protocol/protocol.ts';
import { RequestPipeline } from './requests.ts';

/** How long the last requests of a client that has closed may take on their way to the broker. */
const endedConnectionMs = 30_000;
/** A client that does not read what was answered last is cut after so long. */
const lastWordsMs = 1_000;
const clientClosed = 'the client closed the connection';
const drained = 'drained';

/** Of all connections of this process. */
const partialRequests = new FrameMemory(partialRequestBytesMax);

export class ClientConnection {
  readonly #parts: ConnectionParts;
  readonly #arrival: Arrival;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(unauthenticatedFrameBytesMax);
  readonly #answers: AnswerQueue;
  readonly #entrance: Entrance;
  readonly #onClosed: (connection: ClientConnection) => void;
  #requests: RequestPipeline | null = null;
  #closed = false;
  #draining = false;
  #drainReason = drained;
  /** The client has said all it will say; what it said is still carried out (acks=0 has nothing but this to count on). */
  #ended = false;
  #endTimer: NodeJS.Timeout | undefined;
  /** A request is being decided: it has no place among the answers yet. */
  #handling = false;
  /** Frames are being taken in this turn. */
  #serving = false;
  #readPaused = false;
  /** When bytes came last, by `performance.now()`. */
  #heardAtMs = performance.now();
  /** What this turn's chunks lead to has not left yet. */
  #gathering = false;

  constructor(arrival: Arrival, parts: ConnectionParts, onClosed: (connection: ClientConnection) => void) {
    this.#arrival = arrival;
    this.#parts = parts;
    this.#onClosed = onClosed;
    this.#socket = arrival.socket;
    this.#answers = new AnswerQueue(
      arrival.socket,
      parts.settings.name,
      parts.observer,
      () => this.#signal(),
      () => this.#clientFlushed(),
    );
    this.#entrance = new Entrance(arrival, parts, this.#answers, {
      entered: (session) => this.#entered(session),
      close: (reason) => this.close(reason),
      drain: (reason) => this.drain(reason),
    });
    this.#listen();
  }

  get authenticated(): boolean {
    return this.#entrance.session !== null;
  }

  /** Answers what is in flight, takes nothing new, then closes. */
  drain(reason: string = drained): void {
    this.#draining = true;
    this.#drainReason = reason;
    // A request that has begun to leave leaves whole.
    if (this.#requests?.midFrame !== true) this.#socket.pause();
    this.#signal();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames.drop();
    this.#requests?.close(reason);
    // What was answered already still goes out: `end` flushes, and a client that does not read is cut after a while.
    this.#answers.handOver();
    this.#socket.end();
    // A timer that runs on would hold all that belongs to the connection in memory.
    clearTimeout(this.#endTimer);
    const cut = setTimeout(() => this.#socket.destroy(), lastWordsMs).unref();
    this.#socket.once('close', () => clearTimeout(cut));
    this.#entrance.leave(reason);
    this.#parts.observer.connectionClosed(this.#parts.settings.name, reason);
    const session = this.#entrance.session?.id;
    this.#parts.logger.debug({ address: this.#arrival.address, session, reason }, 'connection closed');
    this.#signal();
    this.#onClosed(this);
  }

  #listen(): void {
    const socket = this.#socket;
    this.#frames.share(partialRequests, { letGo: () => this.#crowdedOut() });
    socket.setNoDelay(true);
    socket.on('timeout', () => this.#silent());
    socket.setTimeout(this.#parts.settings.idleTimeoutMs);
    this.#arrival.reader.onBytes = (bytes, borrowed) => this.#onBytes(bytes, borrowed);
    // A socket from which a PROXY header was read has been paused.
    socket.resume();
    socket.on('end', () => {
      this.#ended = true;
      if (!this.#closed) this.#endTimer = setTimeout(() => this.close(clientClosed), endedConnectionMs).unref();
      this.#signal();
    });
    socket.on('error', (error) => this.close(`the client's socket failed: ${error.message}`));
    socket.on('close', () => {
      if (this.#ended) this.#signal();
      else this.close(clientClosed);
    });
  }

  /** The socket's timer does not know of what is read and written past its stream. */
  #silent(): void {
    const { idleTimeoutMs } = this.#parts.settings;
    const nowMs = performance.now();
    const leftMs = Math.max(
      this.#heardAtMs + idleTimeoutMs - nowMs,
      this.#answers.answeredAtMs + idleTimeoutMs / 2 - nowMs,
    );
    if (leftMs <= 0 && this.#answers.empty) this.close('idle');
    else this.#socket.setTimeout(leftMs > 0 ? Math.ceil(leftMs) : idleTimeoutMs);
  }

  #onBytes(bytes: Buffer, borrowed: boolean): void {
    if (this.#closed) return;
    this.#heardAtMs = performance.now();
    this.#parts.observer.bytes(this.#parts.settings.name, 'from-client', bytes.length);
    if (!borrowed) this.#gather();
    // A frame that is being put together keeps those behind it from passing no longer than it must.
    const ends = this.#frames.missingBytes;
    const rest = ends > 0 && ends < bytes.length ? bytes.subarray(ends) : bytes;
    if (rest !== bytes) this.#read(bytes.subarray(0, ends));
    if (this.#closed) return;
    const passed = this.#pass(rest);
    if (passed < rest.length) this.#read(passed === 0 ? rest : rest.subarray(passed));
    // Bytes that were not taken yet, or have not left yet, lie in memory that the next read would write over.
    const lent = this.#requests?.lent === true;
    const { unreadBytes } = this.#frames;
    const stuck = this.#requests?.midFrame === true && !this.#requests.takesMore;
    const full = borrowed ? lent || unreadBytes > 0 : stuck || unreadBytes > connectionBufferBytesMax;
    if (this.#handling || full) this.#pauseReading();
    else if (!lent) this.#frames.recycle();
  }

  #read(bytes: Buffer): void {
    this.#frames.push(bytes);
    this.#serve();
  }

  /** Chunks of their own memory are small and come many in a turn, as TLS has it: what they lead to leaves in one call. */
  #gather(): void {
    const requests = this.#requests;
    if (this.#gathering || requests?.connected !== true) return;
    this.#gathering = true;
    requests.hold();
    setImmediate(() => {
      this.#gathering = false;
      requests.release();
    });
  }

  /** Lets requests pass that need no closer look. @returns how many bytes of the chunk they are */
  #pass(bytes: Buffer): number {
    const requests = this.#requests;
    if (requests === null || this.#handling || !this.#frames.empty) return 0;
    const passed = requests.pass(bytes, !this.#mustWait() && this.#entrance.passes(0), this.#heardAtMs);
    if (this.#draining && !requests.midFrame) this.#pauseReading();
    return passed;
  }

  /** Takes one frame after the other. A frame is not begun before the one before it was decided and forwarded. */
  #serve(): void {
    if (this.#handling || this.#serving || this.#closed) return;
    this.#serving = true;
    this.#answers.beginTurn();
    this.#requests?.hold();
    const requests = this.#requests;
    try {
      while (!this.#closed && !this.#handling && !this.#mustWait()) {
        const frame = this.#frames.nextFrame();
        if (frame === null) {
          if (this.#ended) this.close(clientClosed);
          break;
        }
        this.#begin(frame);
      }
    } catch (error) {
      this.#malformed(error, 'request');
    } finally {
      requests?.release();
      this.#answers.endTurn();
      this.#serving = false;
    }
    if (this.#isDrained()) this.close(this.#drainReason);
  }

  /** Handles one frame; where it takes longer than this turn, nothing else is begun or read before it is done. */
  #begin(frame: Buffer): void {
    const later = this.#handle(frame);
    if (later === null) return;
    this.#handling = true;
    this.#pauseReading();
    later.then(
      () => {
        this.#handling = false;
        this.#goOn();
      },
      (error: unknown) => this.#malformed(error, 'request'),
    );
  }

  /** Something that was waited for has happened. */
  #goOn(): void {
    this.#serve();
    this.#resumeReading();
  }

  #mustWait(): boolean {
    return (
      this.#draining ||
      this.#answers.length >= requestsInFlightMax ||
      (this.#answers.backedUp && !this.#socket.destroyed) ||
      this.#requests?.takesMore === false
    );
  }

  #isDrained(): boolean {
    return this.#draining && !this.#closed && !this.#handling && this.#answers.empty;
  }

  #pauseReading(): void {
    if (this.#readPaused) return;
    this.#readPaused = true;
    this.#socket.pause();
  }

  #resumeReading(): void {
    if (!this.#readPaused || this.#draining || this.#handling || this.#closed) return;
    if (this.#frames.unreadBytes > 0 || this.#requests?.lent === true) return;
    this.#readPaused = false;
    this.#frames.recycle();
    this.#socket.resume();
  }

  #clientFlushed(): void {
    this.#requests?.clientFlushed();
    this.#signal();
  }

  #signal(): void {
    if (this.#serving || this.#closed) return;
    if (this.#isDrained()) this.close(this.#drainReason);
    // A frame that has come whole may wait without a byte behind it.
    else if (this.#ended || this.#readPaused || !this.#frames.empty) this.#goOn();
  }

  #handle(frame: Buffer): Promise<void> | null {
    const payload = frame.subarray(4);
    if (this.#entrance.expectsRawToken) return this.#entrance.rawToken(payload);
    const requests = this.#requests;
    if (requests !== null && this.#entrance.passes(0) && requests.passWhole(frame)) return null;
    const header = decodeRequestHeader(payload);
    if (requests !== null && this.#entrance.passes(header.apiKey)) return requests.take(header, frame);
    return this.#atTheDoor(header, frame, payload);
  }

  /** What the gateway answers itself, and the first request of a connection. */
  async #atTheDoor(header: DecodedRequestHeader, frame: Buffer, payload: Buffer): Promise<void> {
    if (await this.#entrance.take(header, payload)) await this.#requests?.take(header, frame);
  }

  /** Whoever is there is known now, or known anew. */
  #entered(session: GateSession): void {
    this.#frames.limit = requestFrameBytesMax;
    if (this.#requests !== null) {
      this.#requests.session = session;
      return;
    }
    this.#requests = new RequestPipeline(session, this.#answers, this.#arrival.target, this.#parts, {
      changed: () => this.#signal(),
      close: (reason) => this.close(reason),
    });
  }

  /** What has come of its frame is needed elsewhere, and more of it than of any other. */
  #crowdedOut(): void {
    const detail = `requests that have not come whole take more than ${partialRequestBytesMax} bytes together, and this one most`;
    this.#entrance.malformed('unavailable', detail, 'request');
    this.close(`unavailable: ${detail}`);
  }

  #malformed(error: unknown, what: string): void {
    if (this.#closed) return;
    const detail = messageOf(error);
    const code = error instanceof ProtocolError ? `malformed-${what}` : 'internal-error';
    this.#entrance.malformed(code, detail, what);
    if (code === 'internal-error') this.#parts.logger.error({ error: detail }, 'a connection failed in the gateway');
    this.close(`${code}: ${detail}`);
  }
}
