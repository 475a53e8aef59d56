/**
 * The authenticated part of a connection: request → handler → durable audit → upstream → handler → answer.
 * One upstream connection per client connection: sharing one would let a long poll hold up somebody else.
 */
import type { GateSession } from '../../gate/gate.ts';
import { messageOf } from '../../lib/errors.ts';
import { connectionBufferBytesMax } from '../../lib/limits.ts';
import type { Answer, AnswerQueue } from './answers.ts';
import { servedRange } from './api-versions.ts';
import { handlerFor } from './apis/catalogue.ts';
import { type ApiHandler, type Exchange, type ForwardVerdict, RequestAccess } from './apis/handler.ts';
import type { BrokerTarget } from './cluster.ts';
import type { ConnectionParts } from './parts.ts';
import {
  type ApiName,
  type Draft,
  type DecodedRequestHeader,
  type RequestMessages,
  type ResponseMessages,
  apiByKey,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  errorCodes,
} from './protocol/protocol.ts';
import type { UpstreamConnection } from './upstream.ts';

export interface PipelineEvents {
  /** Something changed that `takesMore` depends on. */
  changed(): void;
  close(reason: string): void;
}

export class RequestPipeline {
  session: GateSession;
  readonly #answers: AnswerQueue;
  readonly #target: BrokerTarget;
  readonly #parts: ConnectionParts;
  readonly #events: PipelineEvents;
  #upstream: UpstreamConnection | null = null;
  #closed = false;
  #upstreamPaused = false;
  /** Of answers that are being looked at: their entries may have to reach the disk first. */
  #inspectedBytes = 0;

  constructor(session: GateSession, answers: AnswerQueue, target: BrokerTarget, parts: ConnectionParts, events: PipelineEvents) {
    this.session = session;
    this.#answers = answers;
    this.#target = target;
    this.#parts = parts;
    this.#events = events;
  }

  get takesMore(): boolean {
    return this.#upstream === null || this.#upstream.takesMore;
  }

  clientDrained(): void {
    this.#balance();
  }

  /** The broker is read no faster than answers can be looked at and leave. */
  #balance(): void {
    const full = this.#answers.backedUp || this.#inspectedBytes > connectionBufferBytesMax;
    if (full === this.#upstreamPaused) return;
    this.#upstreamPaused = full;
    if (full) this.#upstream?.pause();
    else this.#upstream?.resume();
  }

  close(reason: string): void {
    this.#closed = true;
    this.#upstream?.close(reason);
  }

  /** @throws ProtocolError where the request's bytes make no sense */
  async take(header: DecodedRequestHeader, payload: Buffer): Promise<void> {
    const upstream = this.#upstream ?? (await this.#connect());
    if (upstream === null) return;
    const handler = handlerFor(header.apiKey);
    const range = servedRange(header.apiKey, upstream.versions);
    if (handler === undefined || range === null || header.apiVersion < range.min || header.apiVersion > range.max) {
      // As a broker does: a request whose version it does not know can be neither read nor answered.
      const label = `${apiByKey(header.apiKey)?.name ?? `API ${header.apiKey}`} v${header.apiVersion}`;
      this.session.refuse('unsupported-api', `${label} is not served`, label);
      this.#events.close(`${label} is not served`);
      return;
    }
    await this.#run(handler, header, payload, upstream);
  }

  async #run<N extends ApiName>(
    handler: ApiHandler<N>,
    header: DecodedRequestHeader,
    payload: Buffer,
    upstream: UpstreamConnection,
  ): Promise<void> {
    const { name } = handler;
    const version = header.apiVersion;
    const request = decodeRequest(name, version, payload, header.headerBytes);
    const { session } = this;
    const exchange: Exchange<N> = {
      name,
      version,
      request,
      access: new RequestAccess(session, `${name} v${version}`),
      cluster: this.#parts.cluster,
      addresses: this.#parts.addresses,
      upstreamVersions: upstream.versions,
      connection: upstream,
    };
    let verdict;
    try {
      verdict = handler.handle(exchange);
      if (verdict instanceof Promise) verdict = await verdict;
      const durable = session.durable();
      if (durable !== null) await durable;
    } catch (error) {
      this.#unavailable(handler, request, header, error);
      return;
    }
    if (this.#closed) return;
    if (verdict.kind === 'close') {
      this.#events.close(verdict.reason);
      return;
    }
    if (verdict.kind === 'answer') {
      const frame = encodeResponse(name, version, header.correlationId, verdict.response);
      this.#answers.reserve(name, version).settle([frame], 'refused');
      return;
    }
    this.#forward(handler, verdict, header, payload, upstream);
  }

  #forward<N extends ApiName>(
    handler: ApiHandler<N>,
    verdict: ForwardVerdict<N>,
    header: DecodedRequestHeader,
    payload: Buffer,
    upstream: UpstreamConnection,
  ): void {
    const { name } = handler;
    const version = verdict.upstreamVersion ?? header.apiVersion;
    const parts =
      verdict.request === undefined && version === header.apiVersion
        ? [sizePrefix(payload), payload]
        : [encodeRequest(name, version, header, verdict.request ?? asDraft<RequestMessages[N]>(decodeRequest(name, header.apiVersion, payload, header.headerBytes)))];
    if (verdict.noResponse === true) {
      upstream.send(parts, null);
      return;
    }
    const answer = this.#answers.reserve(name, header.apiVersion);
    upstream.send(parts, (response) => {
      void this.#answer(handler, verdict, header, response, answer);
    });
  }

  async #answer<N extends ApiName>(
    handler: ApiHandler<N>,
    verdict: ForwardVerdict<N>,
    header: DecodedRequestHeader,
    payload: Buffer,
    answer: Answer,
  ): Promise<void> {
    try {
      if (payload.length < 4 || payload.readInt32BE(0) !== header.correlationId) {
        this.#events.close('the broker answered out of order');
        return;
      }
      const version = verdict.upstreamVersion ?? header.apiVersion;
      this.#inspectedBytes += payload.length;
      this.#balance();
      const changed = await this.#inspect(handler.name, verdict, version, header.apiVersion, payload).finally(() => {
        this.#inspectedBytes -= payload.length;
      });
      const parts =
        changed === null
          ? [sizePrefix(payload), payload]
          : [encodeResponse(handler.name, header.apiVersion, header.correlationId, asDraft<ResponseMessages[N]>(changed))];
      answer.settle(parts, 'forwarded');
      this.#balance();
    } catch (error) {
      // Fail closed: an answer that cannot be read cannot be filtered either.
      this.session.refuse('response-unreadable', messageOf(error), `${handler.name} v${header.apiVersion}`);
      this.#parts.logger.error({ api: handler.name, version: header.apiVersion, error: messageOf(error) }, 'a response could not be filtered');
      this.#events.close('a response could not be filtered');
    }
  }

  /** @returns the message to encode again, or `null` where the broker's own bytes may pass */
  async #inspect<N extends ApiName>(
    name: N,
    verdict: ForwardVerdict<N>,
    upstreamVersion: number,
    clientVersion: number,
    payload: Buffer,
  ): Promise<ResponseMessages[N] | null> {
    if (verdict.onResponse === undefined && upstreamVersion === clientVersion) return null;
    const { message } = decodeResponse(name, upstreamVersion, payload);
    let changed = verdict.onResponse?.(message) ?? false;
    if (changed instanceof Promise) changed = await changed;
    const durable = this.session.durable();
    if (durable !== null) await durable;
    return changed || upstreamVersion !== clientVersion ? message : null;
  }

  /** Nothing may go on: the request is refused in its own shape, or the connection is closed where it has none. */
  #unavailable<N extends ApiName>(handler: ApiHandler<N>, request: RequestMessages[N], header: DecodedRequestHeader, error: unknown): void {
    const reason = messageOf(error);
    this.#parts.logger.warn({ api: handler.name, reason }, 'a request was refused: it could not be decided');
    this.session.refuse('unavailable', reason, `${handler.name} v${header.apiVersion}`);
    const response = handler.refuse(request, handler.unavailableCode ?? errorCodes.KAFKA_STORAGE_ERROR, header.apiVersion);
    if (response === null) {
      this.#events.close(reason);
      return;
    }
    const frame = encodeResponse(handler.name, header.apiVersion, header.correlationId, response);
    this.#answers.reserve(handler.name, header.apiVersion).settle([frame], 'refused');
  }

  async #connect(): Promise<UpstreamConnection | null> {
    try {
      const upstream = await this.#parts.cluster.connect(this.#target);
      if (this.#closed) {
        upstream.close('the client is gone');
        return null;
      }
      this.#upstream = upstream;
      upstream.attach({
        onClose: (reason) => this.#events.close(reason),
        onDrain: () => this.#events.changed(),
      });
      return upstream;
    } catch (error) {
      const reason = messageOf(error);
      this.#parts.observer.upstreamFailed(this.#parts.settings.name, reason);
      this.#parts.logger.warn({ target: String(this.#target), reason }, 'no connection to the broker behind');
      this.#events.close('the upstream cannot be reached');
      return null;
    }
  }
}

/** A whole message is a draft of itself; the compiler cannot see that through a type parameter. */
function asDraft<T>(message: T): Draft<T> {
  return message as Draft<T>;
}

function sizePrefix(payload: Buffer): Buffer {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeInt32BE(payload.length, 0);
  return prefix;
}
