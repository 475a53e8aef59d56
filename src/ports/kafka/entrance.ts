/**
 * The entrance of a connection: ApiVersions, SASL, and who the client is from then on; later its re-authentication and
 * its end. Until somebody is known, nothing but these is taken.
 */
import type { GateSession } from '../../gate/gate.ts';
import { messageOf } from '../../lib/errors.ts';
import { authenticationTimeoutMs, expiredGraceMs, renewalGraceMs } from '../../lib/limits.ts';
import type { Principal } from '../../model/principal.ts';
import type { ClientFacts } from '../../model/session.ts';
import type { AnswerQueue } from './answers.ts';
import { apiVersionsAnswer, apiVersionsMax, softwareIsWellFormed, unsupportedApiVersions } from './api-versions.ts';
import { Authentication, SaslFailure } from './authentication.ts';
import type { Arrival, ConnectionParts } from './parts.ts';
import {
  type DecodedRequestHeader,
  apiByKey,
  apiByName,
  decodeRequest,
  encodeResponse,
  errorCodes,
} from './protocol/protocol.ts';

/** As brokers do, so that guessing is slow (`connection.failed.authentication.delay.ms`). */
const failedAuthenticationDelayMs = 100;
const timerMsMax = 0x7fffffff;
const credentialExpired = 'the credential expired';
/** What the gateway answers itself. */
const ownApis: ReadonlySet<number> = new Set([
  apiByName('SaslHandshake').key,
  apiByName('ApiVersions').key,
  apiByName('SaslAuthenticate').key,
]);

export interface EntranceEvents {
  /** The client is known, or known anew after it authenticated again. */
  entered(session: GateSession): void;
  close(reason: string): void;
  /** Takes nothing new, and closes when what is in flight is answered. */
  drain(reason: string): void;
}

export class Entrance {
  readonly #arrival: Arrival;
  readonly #parts: ConnectionParts;
  readonly #answers: AnswerQueue;
  readonly #events: EntranceEvents;
  readonly #authentication: Authentication;
  readonly #authenticationTimer: NodeJS.Timeout;
  #session: GateSession | null = null;
  #software = { name: '', version: '' };
  #expiryTimer: NodeJS.Timeout | null = null;
  /** The credential has come to its end: nothing passes until it is renewed. */
  #past = false;
  #left = false;
  /** Takes back that the session's end is to be heard of. */
  #stopHearing: () => void = () => {};

  constructor(arrival: Arrival, parts: ConnectionParts, answers: AnswerQueue, events: EntranceEvents) {
    this.#arrival = arrival;
    this.#parts = parts;
    this.#answers = answers;
    this.#events = events;
    this.#authentication = new Authentication(parts.settings.authentication, parts.verifier, arrival.tls);
    this.#authenticationTimer = setTimeout(() => this.#authenticationTimedOut(), authenticationTimeoutMs);
  }

  /** `null` until the client is known. */
  get session(): GateSession | null {
    return this.#session;
  }

  /** True after handshake v0: the next frame is a bare token without a Kafka header. */
  get expectsRawToken(): boolean {
    return this.#authentication.expectsRawToken;
  }

  /** Whether a request may go past the entrance: somebody is known, nothing is under way, and it is not for here. */
  passes(apiKey: number): boolean {
    return this.#session !== null && !this.#past && !this.#authentication.underWay && !ownApis.has(apiKey);
  }

  /** @returns true where the request is one for behind the entrance, which a client certificate has opened */
  async take(header: DecodedRequestHeader, payload: Buffer): Promise<boolean> {
    const name = apiByKey(header.apiKey)?.name;
    if (name === 'ApiVersions') await this.#apiVersions(header, payload);
    else if (name === 'SaslHandshake') await this.#saslHandshake(header, payload);
    else if (name === 'SaslAuthenticate') await this.#saslAuthenticate(header, payload);
    else return this.#letIn(header, name ?? `API ${header.apiKey}`);
    return false;
  }

  /** The connection ends. */
  leave(reason: string): void {
    this.#left = true;
    clearTimeout(this.#authenticationTimer);
    if (this.#expiryTimer !== null) clearTimeout(this.#expiryTimer);
    this.#stopHearing();
    this.#session?.leave(reason);
  }

  /** Bytes that make no sense, for the log. */
  malformed(code: string, detail: string, what: string): void {
    if (this.#session !== null) this.#session.refuse(code, detail, what);
    else this.#failed(new SaslFailure(code, `The connection sent a ${what} that makes no sense.`, detail), '');
  }

  async #letIn(header: DecodedRequestHeader, name: string): Promise<boolean> {
    if (this.#past && !this.#authentication.underWay) {
      this.#events.drain(credentialExpired);
      return false;
    }
    const principal = this.#arrival.certificatePrincipal;
    if (this.#authentication.underWay || principal === null) {
      this.#refuseUnauthenticated(
        `${name} ${this.#authentication.underWay ? 'in the middle of' : 'before'} authentication`,
      );
      return false;
    }
    if (this.#session === null) await this.#enter(principal, header.clientId ?? '');
    return true;
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
    if (this.#session === null)
      this.#software = { name: request.clientSoftwareName, version: request.clientSoftwareVersion };
    else this.#session.learnSoftware(request.clientSoftwareName, request.clientSoftwareVersion);
    try {
      const broker = await this.#parts.cluster.versionsOf(this.#arrival.target);
      const response = apiVersionsAnswer(broker, this.#authentication.mechanisms.length > 0);
      answer.settle([encodeResponse('ApiVersions', header.apiVersion, header.correlationId, response)], 'answered');
    } catch (error) {
      // What the broker speaks is not known: a broker that is down closes connections, and clients try another.
      this.#parts.logger.warn(
        { reason: messageOf(error) },
        'a client was turned away: the broker behind cannot be reached',
      );
      this.#events.close('the upstream cannot be reached');
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
      this.#failed(
        new SaslFailure(
          'principal-changed',
          'The connection works on its client certificate already. Open a new one for a token.',
        ),
        header.clientId ?? '',
      );
      return this.#events.close('SASL after requests on a client certificate');
    }
    const { mechanism } = decodeRequest('SaslHandshake', header.apiVersion, payload, header.headerBytes);
    const { mechanisms } = this.#authentication;
    const taken = this.#authentication.choose(mechanism, header.apiVersion);
    const errorCode = taken ? 0 : errorCodes.UNSUPPORTED_SASL_MECHANISM;
    const response = { errorCode, mechanisms: [...mechanisms] };
    const answer = this.#answers.reserve('SaslHandshake', header.apiVersion);
    answer.settle(
      [encodeResponse('SaslHandshake', header.apiVersion, header.correlationId, response)],
      taken ? 'answered' : 'refused',
    );
    if (taken) return;
    const failure = new SaslFailure(
      'mechanism-refused',
      `The SASL mechanism is not offered; offered: ${mechanisms.join(', ') || 'none'}.`,
    );
    this.#failed(failure, header.clientId ?? '');
    this.#events.close('SASL mechanism not offered');
  }

  async #saslAuthenticate(header: DecodedRequestHeader, payload: Buffer): Promise<void> {
    if (header.apiVersion > apiByName('SaslAuthenticate').maxVersion)
      return this.#refuseUnauthenticated('SaslAuthenticate in an unknown version');
    const { authBytes } = decodeRequest('SaslAuthenticate', header.apiVersion, payload, header.headerBytes);
    const answer = this.#answers.reserve('SaslAuthenticate', header.apiVersion);
    try {
      const principal = await this.#authentication.authenticate(authBytes, this.#parts.clock.nowMs());
      await this.#enter(principal, header.clientId ?? '');
      const response = { errorCode: 0, sessionLifetimeMs: BigInt(this.#lifetimeMs(principal)) };
      answer.settle(
        [encodeResponse('SaslAuthenticate', header.apiVersion, header.correlationId, response)],
        'answered',
      );
    } catch (error) {
      const failure = this.#failed(error, header.clientId ?? '');
      await pause(failedAuthenticationDelayMs);
      const response = { errorCode: errorCodes.SASL_AUTHENTICATION_FAILED, errorMessage: failure.message };
      answer.settle([encodeResponse('SaslAuthenticate', header.apiVersion, header.correlationId, response)], 'refused');
      this.#events.close(`authentication failed: ${failure.code}`);
    }
  }

  /** Handshake v0: the token stands alone in its frame, and so does the (empty) answer; a failure is a closed connection. */
  async rawToken(payload: Buffer): Promise<void> {
    try {
      const principal = await this.#authentication.authenticate(payload, this.#parts.clock.nowMs());
      await this.#enter(principal, '');
      this.#answers.reserve('SaslAuthenticate', 0).settle([Buffer.alloc(4)], 'answered');
    } catch (error) {
      const failure = this.#failed(error, '');
      await pause(failedAuthenticationDelayMs);
      this.#events.close(`authentication failed: ${failure.code}`);
    }
  }

  /** The principal is known: joins its session and starts to count its time. A renewed credential is a session of its own. */
  async #enter(principal: Principal, clientId: string): Promise<void> {
    const before = this.#session;
    const session = await this.#parts.gate.join(principal, this.#facts(clientId), before ?? undefined);
    if (this.#left) {
      session.leave('the client closed the connection');
      return;
    }
    this.#session = session;
    this.#stopHearing();
    this.#stopHearing = session.onEnd((reason) => this.#events.close(reason));
    before?.leave('re-authenticated');
    this.#past = false;
    clearTimeout(this.#authenticationTimer);
    this.#expireAfter(this.#lifetimeMs(principal));
    this.#events.entered(session);
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
    const end =
      this.#authentication.mechanism === null ? (this.#arrival.certificatePrincipal?.expiresAtMs ?? null) : null;
    const delayMs =
      this.#authentication.mechanism === null
        ? end === null
          ? timerMsMax
          : end - this.#parts.clock.nowMs()
        : lifetimeMs;
    this.#expiryTimer = setTimeout(() => this.#expired(), Math.max(0, Math.min(delayMs, timerMsMax)));
  }

  /**
   * As by a broker, no request passes from now on, but the connection stays for a moment: for a renewal that is on its
   * way (KIP-368), and since some clients (kafka-python 2.0) do not read an answer that comes together with the end of
   * the connection, and write the records again that it acknowledged.
   */
  #expired(): void {
    this.#past = true;
    this.#expiryTimer = setTimeout(() => this.#lapsed(), expiredGraceMs);
  }

  /** A renewal that has begun may come to its end: the answer to its handshake waits behind all that is in flight. */
  #lapsed(): void {
    this.#expiryTimer = setTimeout(() => this.#events.close(credentialExpired), renewalGraceMs);
    if (!this.#authentication.underWay) this.#events.drain(credentialExpired);
  }

  #failed(error: unknown, clientId: string): { readonly code: string; readonly message: string } {
    const failure =
      error instanceof SaslFailure
        ? error
        : new SaslFailure('unavailable', 'The gateway cannot take clients now. Try again later.', messageOf(error));
    const { code, detail, claimedId, claimedIssuer, message } = failure;
    this.#parts.gate.authenticationFailed({ code, detail, claimedId, claimedIssuer }, this.#facts(clientId));
    return { code, message };
  }

  #refuseUnauthenticated(what: string): void {
    this.#failed(new SaslFailure('unauthenticated-request', `The connection sent ${what}.`), '');
    this.#events.close('a request before authentication');
  }

  #authenticationTimedOut(): void {
    if (this.#session !== null) return;
    // A connection on a client certificate is authenticated already, it only has not asked for anything.
    if (this.#arrival.certificatePrincipal !== null) return;
    this.#failed(new SaslFailure('timeout', `No authentication within ${authenticationTimeoutMs / 1_000} s.`), '');
    this.#events.close('authentication took too long');
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
