/**
 * One connection to a broker, on the gateway's own credentials. It carries one client's requests (or the gateway's
 * own questions) in order, pairs each response with its request, and re-authenticates itself in between (KIP-368).
 */
import type { Socket } from 'node:net';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { Fifo } from '../../lib/fifo.ts';
import { connectionBufferBytesMax, partialResponseBytesMax, responseFrameBytesMax } from '../../lib/limits.ts';
import type { HostPort, UpstreamSettings } from '../../model/settings.ts';
import {
  type ApiName,
  type Draft,
  FrameMemory,
  FrameReader,
  type FrameSink,
  type RequestMessages,
  type ResponseMessages,
  apiByName,
  decodeResponse,
  encodeRequest,
  errorCodes,
  errorName,
  int32At,
} from './protocol/protocol.ts';
import { type Dialled, dial, unreachable } from './dial.ts';
import { Outlet } from './outlet.ts';
import type { ResponseTaker, UpstreamEvents } from './upstream-events.ts';
import { authenticateUpstream } from './upstream-sasl.ts';
import { BrokerVersions } from './versions.ts';

const ownRequestTimeoutMs = 30_000;
const ownClientId = 'sluice';
/** Of the broker's announced session lifetime, where the gateway authenticates anew. */
const reauthenticateAtShare = 0.8;
const keepAliveAfterMs = 60_000;
const flushTimeoutMs = 5_000;
/** The size, and a correlation id. */
const passingFrameBytesMin = 8;
/** Of all connections of this process. */
const partialResponses = new FrameMemory(partialResponseBytesMax);
const crowdedOut = `responses that have not come whole take more than ${partialResponseBytesMax} bytes together, and this one most`;

interface Sending {
  readonly frame: Buffer;
  readonly taker: ResponseTaker | null;
}

export class UpstreamConnection {
  readonly address: HostPort;
  /** What the broker speaks; learned before anything else is sent. */
  versions: BrokerVersions = BrokerVersions.none;
  readonly #settings: UpstreamSettings;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(responseFrameBytesMax);
  readonly #outlet: Outlet;
  readonly #waiting = new Fifo<ResponseTaker>();
  #events: UpstreamEvents | null = null;
  #closedBecause: string | null = null;
  #nextCorrelationId = 1;
  /** Frames of the client held back while the gateway re-authenticates: the broker takes nothing else in between. */
  #heldBack: Sending[] | null = null;
  #reauthenticating = false;
  #paused = false;
  #reauthenticateTimer: NodeJS.Timeout | null = null;

  private constructor({ socket, reader }: Dialled, address: HostPort, settings: UpstreamSettings) {
    this.#socket = socket;
    this.#outlet = new Outlet(socket, () => this.#events?.onDrain());
    this.address = address;
    this.#settings = settings;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveAfterMs);
    reader.onBytes = (bytes, borrowed) => this.#onBytes(bytes, borrowed);
    this.#frames.onLarge = (size) => this.#sinkFor(size);
    this.#frames.share(partialResponses, { letGo: () => this.close(crowdedOut) });
    socket.on('error', (error) => this.close(`upstream ${address.host}:${address.port} failed: ${error.message}`));
    socket.on('end', () => this.close(`upstream ${address.host}:${address.port} closed the connection`));
    socket.on('close', () => this.close(`upstream ${address.host}:${address.port} closed the connection`));
  }

  /**
   * Dials, wraps in TLS, learns the broker's versions and authenticates.
   *
   * @throws SluiceError `upstream-unreachable`, `upstream-authentication-failed`, `secret-unreadable`
   */
  static async open(address: HostPort, settings: UpstreamSettings): Promise<UpstreamConnection> {
    const connection = new UpstreamConnection(await dial(address, settings.tls), address, settings);
    try {
      connection.versions = await connection.#learnVersions();
      await connection.#authenticate();
      return connection;
    } catch (error) {
      connection.close(messageOf(error));
      throw error;
    }
  }

  attach(events: UpstreamEvents): void {
    this.#events = events;
    if (this.#closedBecause !== null) events.onClose(this.#closedBecause);
  }

  get closed(): boolean {
    return this.#closedBecause !== null;
  }

  /** False while the other end does not keep up or the gateway re-authenticates: whoever feeds it should pause. */
  get takesMore(): boolean {
    return this.#heldBack === null && !this.#outlet.holds(connectionBufferBytesMax);
  }

  /** True while frames that were sent have not left: their memory is still needed. */
  get unsent(): boolean {
    return this.#outlet.holds(1) || (this.#heldBack !== null && this.#heldBack.length > 0);
  }

  /** From here to `release` nothing leaves: what a turn sends leaves in one call. */
  hold(): void {
    this.#outlet.hold();
  }

  release(): void {
    this.#outlet.release();
  }

  /** Sends a whole frame, whose memory is lent until `unsent` is false. `null`: no response will come. */
  send(frame: Buffer, taker: ResponseTaker | null): void {
    if (this.#closedBecause !== null) return;
    if (this.#heldBack !== null) {
      this.#heldBack.push({ frame, taker });
      return;
    }
    this.#outlet.write(frame);
    if (taker !== null) this.#waiting.push(taker);
  }

  /** Whole frames, and at the end perhaps the beginning of one, whose takers wait already; lent as `send` says. */
  pass(bytes: Buffer): void {
    if (this.#closedBecause === null) this.#outlet.write(bytes);
  }

  /** The taker of a frame that leaves with `pass`. */
  expect(taker: ResponseTaker): void {
    this.#waiting.push(taker);
  }

  /** A question of the gateway's own. @throws SluiceError `upstream-unreachable` when the connection ends first */
  request<N extends ApiName>(
    name: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    const correlationId = this.#takeCorrelationId();
    const frame = encodeRequest(name, version, { correlationId, clientId: ownClientId }, message);
    return this.#ask(frame, (payload) => {
      const response = decodeResponse(name, version, payload);
      if (response.correlationId !== correlationId) throw unreachable(this.address, 'it answered out of order');
      return response.message;
    });
  }

  pause(): void {
    this.#paused = true;
    if (!this.#reauthenticating) this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#frames.recycle();
    this.#socket.resume();
  }

  close(reason: string): void {
    if (this.#closedBecause !== null) return;
    this.#closedBecause = reason;
    this.#frames.drop();
    if (this.#reauthenticateTimer !== null) clearTimeout(this.#reauthenticateTimer);
    // What was sent already still goes out: a client that produces with acks=0 and leaves has nothing but this.
    this.#outlet.flush();
    this.#socket.end();
    this.#socket.resume();
    const cut = setTimeout(() => this.#socket.destroy(), flushTimeoutMs).unref();
    this.#socket.once('close', () => clearTimeout(cut));
    this.#events?.onClose(reason);
    for (const reject of this.#rejections) reject(unreachable(this.address, reason));
    this.#rejections.clear();
  }

  readonly #rejections = new Set<(error: Error) => void>();

  #ask<T>(frame: Buffer, read: (payload: Buffer) => T, bypassHold = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closedBecause !== null) {
        reject(unreachable(this.address, this.#closedBecause));
        return;
      }
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#rejections.delete(reject);
        act();
      };
      const timer = setTimeout(() => this.close('it did not answer in time'), ownRequestTimeoutMs);
      this.#rejections.add(reject);
      const taker: ResponseTaker = {
        whole: (answer) =>
          settle(() => {
            try {
              // Copied: what is read may be looked at in a later turn.
              resolve(read(Buffer.from(answer.subarray(4))));
            } catch (error) {
              reject(error instanceof Error ? error : new Error(String(error)));
            }
          }),
      };
      if (bypassHold) {
        this.#outlet.write(frame);
        this.#waiting.push(taker);
      } else {
        this.send(frame, taker);
      }
    });
  }

  #onBytes(bytes: Buffer, borrowed: boolean): void {
    if (this.#closedBecause !== null) return;
    // The end of a frame that came in pieces, answers that pass and the beginning of the next leave as one.
    this.#events?.onTurn(true);
    const { missingBytes } = this.#frames;
    const begins = missingBytes < bytes.length ? missingBytes : 0;
    if (begins > 0) this.#read(bytes.subarray(0, begins));
    const rest = begins === 0 ? bytes : bytes.subarray(begins);
    const passed = this.#pass(rest);
    if (passed < rest.length) this.#read(passed === 0 ? rest : rest.subarray(passed));
    const events = this.#events;
    if (events === null) return;
    events.onTurn(false);
    const allSent = events.mayReadOn(true);
    if (!(borrowed ? allSent : events.mayReadOn(false))) this.pause();
    if (allSent) this.#frames.recycle();
  }

  /** Lets responses pass from the chunk's start on. @returns how many bytes have passed */
  #pass(bytes: Buffer): number {
    if (!this.#frames.empty || this.#closedBecause !== null) return 0;
    let at = 0;
    try {
      this.#events?.onPassing();
      at = this.#passFrames(bytes);
    } catch (error) {
      this.close(`the broker's bytes make no sense: ${messageOf(error)}`);
      return bytes.length;
    }
    if (at === 0) return 0;
    this.#events?.onPassed(at === bytes.length ? bytes : bytes.subarray(0, at));
    this.#reauthenticateWhenIdle();
    return at;
  }

  #passFrames(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= passingFrameBytesMin) {
      const end = at + 4 + int32At(bytes, at);
      const taker = this.#waiting.first;
      if (end <= at + 4 || end > bytes.length || taker?.passes?.(bytes, at + 4, end) !== true) break;
      this.#waiting.shift();
      at = end;
    }
    return at;
  }

  #read(bytes: Buffer): void {
    if (this.#closedBecause !== null) return;
    try {
      this.#frames.push(bytes);
      this.#handOver();
    } catch (error) {
      this.close(`the broker's bytes make no sense: ${messageOf(error)}`);
    }
  }

  /** The sink of the response that is due, where its taker wants it in pieces. */
  #sinkFor(size: number): FrameSink | null {
    const sink = this.#waiting.first?.large?.(size) ?? null;
    if (sink === null) return null;
    return {
      push: (bytes) => sink.push(bytes),
      end: () => {
        this.#waiting.shift();
        sink.end();
        this.#reauthenticateWhenIdle();
      },
    };
  }

  #handOver(): void {
    for (let frame = this.#frames.nextFrame(); frame !== null; frame = this.#frames.nextFrame()) {
      const taker = this.#waiting.shift();
      if (taker === undefined) {
        this.close('the broker sent a response that nobody asked for');
        return;
      }
      taker.whole(frame);
      if (this.#closedBecause !== null) return;
      this.#reauthenticateWhenIdle();
    }
  }

  #takeCorrelationId(): number {
    const id = this.#nextCorrelationId;
    this.#nextCorrelationId = id === 0x7fffffff ? 1 : id + 1;
    return id;
  }

  /** Asks at the newest version both may know, and at version 0 where the broker is older (KIP-511). */
  async #learnVersions(): Promise<BrokerVersions> {
    const software = { clientSoftwareName: 'sluice', clientSoftwareVersion: '0.1.0' };
    const correlationId = this.#takeCorrelationId();
    const newest = Math.min(4, apiByName('ApiVersions').maxVersion);
    const frame = encodeRequest('ApiVersions', newest, { correlationId, clientId: ownClientId }, software);
    const first = await this.#ask(frame, (payload) => {
      // An older broker answers in version 0 with error 35, whatever was asked.
      const downgraded = payload.length >= 6 && payload.readInt16BE(4) === errorCodes.UNSUPPORTED_VERSION;
      return downgraded ? null : decodeResponse('ApiVersions', newest, payload).message;
    });
    const answer = first ?? (await this.request('ApiVersions', 0, {}));
    if (answer.errorCode !== 0)
      throw unreachable(this.address, `it answered ApiVersions with ${errorName(answer.errorCode)}`);
    return BrokerVersions.from(answer);
  }

  async #authenticate(): Promise<void> {
    const sasl = this.#settings.sasl;
    if (sasl === undefined) return;
    const ask = <N extends ApiName>(
      name: N,
      version: number,
      message: Draft<RequestMessages[N]>,
    ): Promise<ResponseMessages[N]> => {
      const correlationId = this.#takeCorrelationId();
      const frame = encodeRequest(name, version, { correlationId, clientId: ownClientId }, message);
      return this.#ask(frame, (payload) => decodeResponse(name, version, payload).message, true);
    };
    const handshake = await ask('SaslHandshake', 1, { mechanism: sasl.mechanism });
    if (handshake.errorCode !== 0) {
      throw refused(this.address, `it offers ${handshake.mechanisms.join(', ')} and not ${sasl.mechanism}`);
    }
    const version = Math.min(2, this.versions.maxOf('SaslAuthenticate') ?? 0);
    let lifetimeMs = 0n;
    await authenticateUpstream(sasl, async (bytes) => {
      const answer = await ask('SaslAuthenticate', version, { authBytes: bytes });
      if (answer.errorCode !== 0) throw refused(this.address, answer.errorMessage ?? errorName(answer.errorCode));
      lifetimeMs = answer.sessionLifetimeMs;
      return answer.authBytes;
    });
    if (lifetimeMs > 0n) this.#scheduleReauthentication(Number(lifetimeMs));
  }

  #scheduleReauthentication(lifetimeMs: number): void {
    const delayMs = Math.min(lifetimeMs * reauthenticateAtShare, 0x7fffffff);
    this.#reauthenticateTimer = setTimeout(() => {
      this.#heldBack = [];
      this.#reauthenticateWhenIdle();
    }, delayMs);
    this.#reauthenticateTimer.unref();
  }

  /**
   * The broker answers in order, so a handshake behind a long poll or a JoinGroup would wait for it for minutes: the
   * time for its answer begins once nothing is before it.
   */
  #reauthenticateWhenIdle(): void {
    if (this.#heldBack === null || this.#reauthenticating || this.#waiting.length > 0 || this.closed) return;
    this.#reauthenticating = true;
    // A client that does not read may have paused the socket; nothing of its own is under way now.
    this.#socket.resume();
    this.#authenticate().then(
      () => {
        const held = this.#heldBack ?? [];
        this.#heldBack = null;
        this.#reauthenticating = false;
        if (this.#paused) this.#socket.pause();
        for (const { frame, taker } of held) this.send(frame, taker);
        this.#events?.onDrain();
      },
      (error: unknown) => this.close(messageOf(error)),
    );
  }
}

function refused(address: HostPort, detail: string): SluiceError<'upstream-authentication-failed'> {
  return new SluiceError(
    'upstream-authentication-failed',
    `Broker ${address.host}:${address.port} refused the gateway's own credentials: ${detail}.`,
    { retriable: true },
  );
}
