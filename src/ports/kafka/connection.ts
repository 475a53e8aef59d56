/**
 * One client's connection: frames in, answers out in the order of the requests (pipelining kept), with bounded
 * bytes on both sides. What a request may do is decided by its API's handler and the gate; this file moves bytes.
 */
import type { Socket } from 'node:net';
import type { GateSession } from '../../gate/gate.ts';
import { messageOf } from '../../lib/errors.ts';
import {
  authenticationTimeoutMs,
  connectionBufferBytesMax,
  requestFrameBytesMax,
  requestsInFlightMax,
  unauthenticatedFrameBytesMax,
} from '../../lib/limits.ts';
import type { Principal } from '../../model/principal.ts';
import type { ClientFacts } from '../../model/session.ts';
import { AnswerQueue } from './answers.ts';
import { apiVersionsAnswer, apiVersionsMax, softwareIsWellFormed, unsupportedApiVersions } from './api-versions.ts';
import { Authentication, SaslFailure } from './authentication.ts';
import type { BrokerTarget } from './cluster.ts';
import {
  FrameReader,
  ProtocolError,
  type DecodedRequestHeader,
  apiByKey,
  apiByName,
  decodeRequest,
  decodeRequestHeader,
  encodeResponse,
  errorCodes,
} from './protocol/protocol.ts';
import type { ConnectionParts } from './parts.ts';
import type { Reader } from './reads.ts';
import { RequestPipeline } from './requests.ts';

/** As brokers do, so that guessing is slow (`connection.failed.authentication.delay.ms`). */
const failedAuthenticationDelayMs = 100;
const timerMsMax = 0x7fffffff;
/** How long the last requests of a client that has closed may take on their way to the broker. */
const endedConnectionMs = 30_000;
const clientClosed = 'the client closed the connection';
/** What the gateway answers itself. */
const ownApis: ReadonlySet<number> = new Set([apiByName('SaslHandshake').key, apiByName('ApiVersions').key, apiByName('SaslAuthenticate').key]);

/** How the client came in. */
export interface Arrival {
  readonly socket: Socket;
  /** Where the socket's bytes go; the connection sets it before it returns to the event loop. */
  readonly reader: Reader;
  readonly target: BrokerTarget;
  readonly address: string;
  readonly addressPort: number;
  readonly tls: boolean;
  /** From the client's certificate, where it has one that a rule maps. */
  readonly certificatePrincipal: Principal | null;
}

export class ClientConnection {
  readonly #parts: ConnectionParts;
  readonly #arrival: Arrival;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(unauthenticatedFrameBytesMax);
  readonly #answers: AnswerQueue;
  readonly #authentication: Authentication;
  readonly #onClosed: (connection: ClientConnection) => void;
  #requests: RequestPipeline | null = null;
  #session: GateSession | null = null;
  #software = { name: '', version: '' };
  #expiryTimer: NodeJS.Timeout | null = null;
  readonly #authenticationTimer: NodeJS.Timeout;
  #closed = false;
  #draining = false;
  /** The client has said all it will say; what it said is still carried out (acks=0 has nothing but this to count on). */
  #ended = false;
  /** A request is being decided: it has no place among the answers yet. */
  #handling = false;
  /** Frames are being taken in this turn. */
  #serving = false;
  #readPaused = false;

  constructor(arrival: Arrival, parts: ConnectionParts, onClosed: (connection: ClientConnection) => void) {
    this.#arrival = arrival;
    this.#parts = parts;
    this.#onClosed = onClosed;
    this.#socket = arrival.socket;
    this.#authentication = new Authentication(parts.settings.authentication, parts.verifier, arrival.tls);
    this.#answers = new AnswerQueue(
      arrival.socket,
      parts.settings.name,
      parts.observer,
      () => this.#signal(),
      () => this.#clientFlushed(),
    );
    this.#authenticationTimer = setTimeout(() => this.#authenticationTimedOut(), authenticationTimeoutMs);
    this.#listen();
  }

  get authenticated(): boolean {
    return this.#session !== null;
  }

  /** Answers what is in flight, takes nothing new, then closes. */
  drain(): void {
    this.#draining = true;
    this.#socket.pause();
    this.#signal();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#authenticationTimer);
    if (this.#expiryTimer !== null) clearTimeout(this.#expiryTimer);
    this.#requests?.close(reason);
    // What was answered already still goes out: `end` flushes, and a client that does not read is cut after a while.
    this.#answers.handOver();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
    this.#session?.leave(reason);
    this.#parts.observer.connectionClosed(this.#parts.settings.name, reason);
    this.#parts.logger.debug({ address: this.#arrival.address, reason }, 'connection closed');
    this.#signal();
    this.#onClosed(this);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setTimeout(this.#parts.settings.idleTimeoutMs, () => {
      if (this.#answers.empty) this.close('idle');
    });
    this.#arrival.reader.onBytes = (bytes, borrowed) => this.#onBytes(bytes, borrowed);
    // A socket from which a PROXY header was read has been paused.
    socket.resume();
    socket.on('end', () => {
      this.#ended = true;
      setTimeout(() => this.close(clientClosed), endedConnectionMs).unref();
      this.#signal();
    });
    socket.on('error', (error) => this.close(`the client's socket failed: ${error.message}`));
    socket.on('close', () => {
      if (this.#ended) this.#signal();
      else this.close(clientClosed);
    });
  }

  #onBytes(bytes: Buffer, borrowed: boolean): void {
    if (this.#closed) return;
    this.#parts.observer.bytes(this.#parts.settings.name, 'from-client', bytes.length);
    this.#frames.push(bytes);
    this.#serve();
    // Bytes that were not taken yet, or have not left yet, lie in memory that the next read would write over.
    const held = borrowed ? this.#frames.unreadBytes > 0 || this.#requests?.lent === true : this.#frames.unreadBytes > connectionBufferBytesMax;
    if (this.#handling || held) this.#pauseReading();
    else this.#frames.recycle();
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
    if (this.#drained) this.close('drained');
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

  get #drained(): boolean {
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
    if (this.#drained) this.close('drained');
    else this.#goOn();
  }

  #handle(frame: Buffer): Promise<void> | null {
    const payload = frame.subarray(4);
    if (this.#authentication.expectsRawToken) return this.#rawToken(payload);
    const header = decodeRequestHeader(payload);
    if (this.#session !== null && this.#requests !== null && !this.#authentication.underWay && !ownApis.has(header.apiKey)) {
      return this.#requests.take(header, frame);
    }
    return this.#handleOwn(header, frame, payload);
  }

  /** What the gateway answers itself, and the first request of a connection. */
  async #handleOwn(header: DecodedRequestHeader, frame: Buffer, payload: Buffer): Promise<void> {
    const name = apiByKey(header.apiKey)?.name;
    if (name === 'ApiVersions') return this.#apiVersions(header, payload);
    if (name === 'SaslHandshake') return this.#saslHandshake(header, payload);
    if (name === 'SaslAuthenticate') return this.#saslAuthenticate(header, payload);
    if (this.#authentication.underWay) return this.#refuseUnauthenticated(`${name ?? `API ${header.apiKey}`} in the middle of authentication`);
    const principal = this.#arrival.certificatePrincipal;
    if (principal === null) return this.#refuseUnauthenticated(`${name ?? `API ${header.apiKey}`} before authentication`);
    await this.#enter(principal, header.clientId ?? '');
    await this.#requests?.take(header, frame);
  }

  async #apiVersions(header: DecodedRequestHeader, payload: Buffer): Promise<void> {
    const answer = this.#answers.reserve('ApiVersions', header.apiVersion);
    if (header.apiVersion > apiVersionsMax || header.apiVersion < 0) {
      answer.settle([encodeResponse('ApiVersions', 0, header.correlationId, unsupportedApiVersions())], 'answered');
      return;
    }
    const request = decodeRequest('ApiVersions', header.apiVersion, payload, header.headerBytes);
    if (!softwareIsWellFormed(request, header.apiVersion)) {
      const refusal = { errorCode: errorCodes.INVALID_REQUEST };
      answer.settle([encodeResponse('ApiVersions', header.apiVersion, header.correlationId, refusal)], 'refused');
      return;
    }
    // Java's clients say it only after authentication.
    if (this.#session === null) this.#software = { name: request.clientSoftwareName, version: request.clientSoftwareVersion };
    else this.#session.learnSoftware(request.clientSoftwareName, request.clientSoftwareVersion);
    try {
      const broker = await this.#parts.cluster.versionsOf(this.#arrival.target);
      const response = apiVersionsAnswer(broker, this.#authentication.mechanisms.length > 0);
      answer.settle([encodeResponse('ApiVersions', header.apiVersion, header.correlationId, response)], 'answered');
    } catch (error) {
      // What the broker speaks is not known: a broker that is down closes connections, and clients try another.
      this.#parts.logger.warn({ reason: messageOf(error) }, 'a client was turned away: the broker behind cannot be reached');
      this.close('the upstream cannot be reached');
    }
  }

  async #saslHandshake(header: DecodedRequestHeader, payload: Buffer): Promise<void> {
    const { key, maxVersion } = apiByName('SaslHandshake');
    if (header.apiKey !== key || header.apiVersion > maxVersion || this.#authentication.underWay) {
      return this.#refuseUnauthenticated('SaslHandshake out of turn');
    }
    if (this.#session !== null && this.#authentication.mechanism === null) {
      // As with re-authentication (KIP-368): what began as one identity does not go on as another.
      const refusal = { errorCode: errorCodes.ILLEGAL_SASL_STATE };
      const frame = encodeResponse('SaslHandshake', header.apiVersion, header.correlationId, refusal);
      this.#answers.reserve('SaslHandshake', header.apiVersion).settle([frame], 'refused');
      this.#failed(new SaslFailure('principal-changed', 'The connection works on its client certificate already. Open a new one for a token.'), header.clientId ?? '');
      return this.close('SASL after requests on a client certificate');
    }
    const { mechanism } = decodeRequest('SaslHandshake', header.apiVersion, payload, header.headerBytes);
    const { mechanisms } = this.#authentication;
    const taken = this.#authentication.choose(mechanism, header.apiVersion);
    const errorCode = taken ? 0 : errorCodes.UNSUPPORTED_SASL_MECHANISM;
    const response = { errorCode, mechanisms: [...mechanisms] };
    const answer = this.#answers.reserve('SaslHandshake', header.apiVersion);
    answer.settle([encodeResponse('SaslHandshake', header.apiVersion, header.correlationId, response)], taken ? 'answered' : 'refused');
    if (taken) return;
    const failure = new SaslFailure('mechanism-refused', `The SASL mechanism is not offered; offered: ${mechanisms.join(', ') || 'none'}.`);
    this.#failed(failure, header.clientId ?? '');
    this.close('SASL mechanism not offered');
  }

  async #saslAuthenticate(header: DecodedRequestHeader, payload: Buffer): Promise<void> {
    if (header.apiVersion > apiByName('SaslAuthenticate').maxVersion) return this.#refuseUnauthenticated('SaslAuthenticate in an unknown version');
    const { authBytes } = decodeRequest('SaslAuthenticate', header.apiVersion, payload, header.headerBytes);
    const answer = this.#answers.reserve('SaslAuthenticate', header.apiVersion);
    try {
      const principal = await this.#authentication.authenticate(authBytes, this.#parts.clock.nowMs());
      await this.#enter(principal, header.clientId ?? '');
      const response = { errorCode: 0, sessionLifetimeMs: BigInt(this.#lifetimeMs(principal)) };
      answer.settle([encodeResponse('SaslAuthenticate', header.apiVersion, header.correlationId, response)], 'answered');
    } catch (error) {
      const failure = this.#failed(error, header.clientId ?? '');
      await pause(failedAuthenticationDelayMs);
      const response = { errorCode: errorCodes.SASL_AUTHENTICATION_FAILED, errorMessage: failure.message };
      answer.settle([encodeResponse('SaslAuthenticate', header.apiVersion, header.correlationId, response)], 'refused');
      this.close(`authentication failed: ${failure.code}`);
    }
  }

  /** Handshake v0: the token stands alone in its frame, and so does the (empty) answer; a failure is a closed connection. */
  async #rawToken(payload: Buffer): Promise<void> {
    try {
      const principal = await this.#authentication.authenticate(payload, this.#parts.clock.nowMs());
      await this.#enter(principal, '');
      this.#answers.reserve('SaslAuthenticate', 0).settle([Buffer.alloc(4)], 'answered');
    } catch (error) {
      const failure = this.#failed(error, '');
      await pause(failedAuthenticationDelayMs);
      this.close(`authentication failed: ${failure.code}`);
    }
  }

  /** The principal is known: joins its session and starts to count its time. A renewed credential is a session of its own. */
  async #enter(principal: Principal, clientId: string): Promise<void> {
    const before = this.#session;
    const session = await this.#parts.gate.join(principal, this.#facts(clientId), before ?? undefined);
    if (this.#closed) {
      session.leave('the client closed the connection');
      return;
    }
    this.#session = session;
    before?.leave('re-authenticated');
    clearTimeout(this.#authenticationTimer);
    this.#frames.limit = requestFrameBytesMax;
    this.#expireAfter(this.#lifetimeMs(principal));
    if (this.#requests !== null) {
      this.#requests.session = session;
      return;
    }
    this.#requests = new RequestPipeline(session, this.#answers, this.#arrival.target, this.#parts, {
      changed: () => this.#signal(),
      close: (reason) => this.close(reason),
    });
  }

  #facts(clientId: string): ClientFacts {
    return {
      port: this.#parts.settings.name,
      address: this.#arrival.address,
      addressPort: this.#arrival.addressPort,
      clientId,
      softwareName: this.#software.name,
      softwareVersion: this.#software.version,
      mechanism: this.#authentication.mechanism ?? (this.#arrival.certificatePrincipal === null ? '' : 'MTLS'),
      tls: this.#arrival.tls,
    };
  }

  /** KIP-368: what is announced and what is held to. */
  #lifetimeMs(principal: Principal): number {
    const longest = this.#parts.settings.authentication.maxSessionLifetimeMs;
    if (principal.expiresAtMs === null) return longest;
    return Math.max(0, Math.min(longest, principal.expiresAtMs - this.#parts.clock.nowMs()));
  }

  #expireAfter(lifetimeMs: number): void {
    if (this.#expiryTimer !== null) clearTimeout(this.#expiryTimer);
    // A client certificate cannot be renewed on an open connection, so only its own end closes it.
    const end = this.#authentication.mechanism === null ? (this.#arrival.certificatePrincipal?.expiresAtMs ?? null) : null;
    const delayMs = this.#authentication.mechanism === null ? (end === null ? timerMsMax : end - this.#parts.clock.nowMs()) : lifetimeMs;
    this.#expiryTimer = setTimeout(() => this.close('the credential expired'), Math.max(0, Math.min(delayMs, timerMsMax)));
  }

  #failed(error: unknown, clientId: string): { readonly code: string; readonly message: string } {
    const failure =
      error instanceof SaslFailure ? error : new SaslFailure('unavailable', 'The gateway cannot take clients now. Try again later.', messageOf(error));
    const { code, detail, claimedId, claimedIssuer, message } = failure;
    this.#parts.gate.authenticationFailed({ code, detail, claimedId, claimedIssuer }, this.#facts(clientId));
    return { code, message };
  }

  #refuseUnauthenticated(what: string): void {
    this.#failed(new SaslFailure('unauthenticated-request', `The connection sent ${what}.`), '');
    this.close('a request before authentication');
  }

  #authenticationTimedOut(): void {
    if (this.#session !== null) return;
    // A connection on a client certificate is authenticated already, it only has not asked for anything.
    if (this.#arrival.certificatePrincipal !== null) return;
    this.#failed(new SaslFailure('timeout', `No authentication within ${authenticationTimeoutMs / 1_000} s.`), '');
    this.close('authentication took too long');
  }

  #malformed(error: unknown, what: string): void {
    if (this.#closed) return;
    const detail = messageOf(error);
    const code = error instanceof ProtocolError ? `malformed-${what}` : 'internal-error';
    if (this.#session === null) this.#failed(new SaslFailure(code, `The connection sent a ${what} that makes no sense.`, detail), '');
    else this.#session.refuse(code, detail, what);
    if (code === 'internal-error') this.#parts.logger.error({ error: detail }, 'a connection failed in the gateway');
    this.close(`${code}: ${detail}`);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
