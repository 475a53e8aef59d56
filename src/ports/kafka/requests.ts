/**
 * The authenticated part of a connection: request → handler → durable audit → upstream → handler → answer.
 * One upstream connection per client connection: sharing one would let a long poll hold up somebody else.
 *
 * Where nothing has to be waited for, a request is decided and forwarded within the turn that read it, and its bytes
 * leave as they came: the memory they were read into is lent, and nothing is read over it before they have left.
 */
import { performance } from 'node:perf_hooks';
import type { GateSession } from '../../gate/gate.ts';
import { messageOf } from '../../lib/errors.ts';
import { requestFrameBytesMax, requestsInFlightMax } from '../../lib/limits.ts';
import type { AnswerQueue, Place } from './answers.ts';
import { servedRange } from './api-versions.ts';
import { handlerFor } from './apis/catalogue.ts';
import { type ApiHandler, type Exchange, type ForwardVerdict, RequestAccess, type Verdict } from './apis/handler.ts';
import type { BrokerTarget } from './cluster.ts';
import { FetchLane } from './fetch-lane.ts';
import type { ConnectionParts } from './parts.ts';
import { ProduceLane } from './produce-lane.ts';
import {
  type ApiName,
  type DecodedRequestHeader,
  type Draft,
  ProtocolError,
  type RequestMessages,
  apiByKey,
  checkBrokerTables,
  decodeRequest,
  encodeRequest,
  encodeResponse,
  errorCodes,
  int16At,
  int32At,
} from './protocol/protocol.ts';
import { ResponseRelay } from './responses.ts';
import type { ResponseTaker } from './upstream-events.ts';
import type { UpstreamConnection } from './upstream.ts';
import type { VersionRange } from './versions.ts';

const produceKey = 0;
const fetchKey = 1;
/** The size, API key, version and correlation id. */
const passingFrameBytesMin = 12;

export interface PipelineEvents {
  /** Something changed that `takesMore` or `lent` depends on. */
  changed(): void;
  close(reason: string): void;
}

/** A request API as this connection serves it. */
interface Served {
  readonly handler: ApiHandler<ApiName>;
  readonly range: VersionRange;
}

export class RequestPipeline {
  session: GateSession;
  readonly #answers: AnswerQueue;
  readonly #target: BrokerTarget;
  readonly #parts: ConnectionParts;
  readonly #events: PipelineEvents;
  /** By API key; `null` for what is not served. */
  readonly #served = new Map<number, Served | null>();
  readonly #produceLane: ProduceLane;
  readonly #fetchLane: FetchLane;
  /** Bytes of a frame that has begun to leave and has not come whole. */
  #passing = 0;
  #upstream: UpstreamConnection | null = null;
  #relay: ResponseRelay | null = null;
  #closed = false;

  constructor(
    session: GateSession,
    answers: AnswerQueue,
    target: BrokerTarget,
    parts: ConnectionParts,
    events: PipelineEvents,
  ) {
    this.session = session;
    this.#answers = answers;
    this.#target = target;
    this.#parts = parts;
    this.#events = events;
    this.#produceLane = new ProduceLane(session, answers, parts, (ticket, verdict, frame) => {
      const header = { apiVersion: ticket.version, correlationId: ticket.correlationId };
      this.#relay?.taker('Produce', verdict, header, this, ticket).whole(frame);
    });
    this.#fetchLane = new FetchLane(this, answers, parts, (ticket, verdict) => {
      const header = { apiVersion: ticket.version, correlationId: ticket.correlationId };
      return this.#relay?.taker('Fetch', verdict, header, this, ticket) ?? null;
    });
  }

  get connected(): boolean {
    return this.#upstream !== null;
  }

  /** True while a frame has begun to leave for the broker and its rest has not come. */
  get midFrame(): boolean {
    return this.#passing > 0;
  }

  /**
   * Lets requests pass that need no closer look, from the chunk's start on.
   *
   * @param bytes begins with a frame, or goes on with the one that has begun to leave; lent until `lent` is false
   * @param mayBegin false where no other request may be begun
   * @param nowMs by `performance.now()`
   * @returns how many bytes are taken; the rest begins with a frame for `take`
   */
  pass(bytes: Buffer, mayBegin: boolean, nowMs: number): number {
    const upstream = this.#upstream;
    if (upstream === null) return 0;
    let at = Math.min(this.#passing, bytes.length);
    this.#passing -= at;
    if (mayBegin && at < bytes.length && upstream.takesMore) at = this.#passFrames(bytes, at, upstream, nowMs);
    if (at > 0) upstream.pass(at === bytes.length ? bytes : bytes.subarray(0, at));
    return at;
  }

  #passFrames(bytes: Buffer, from: number, upstream: UpstreamConnection, startedMs: number): number {
    let at = from;
    const produces = this.#produceLane.begin(this.session, startedMs);
    const fetches = this.#fetchLane.begin(startedMs);
    while (bytes.length - at >= passingFrameBytesMin) {
      const size = int32At(bytes, at);
      const apiKey = int16At(bytes, at + 4);
      if (size <= 0 || size > requestFrameBytesMax || this.#answers.length >= requestsInFlightMax) break;
      const end = at + 4 + size;
      let ticket: (Place & ResponseTaker) | null = null;
      if (apiKey === produceKey && produces) ticket = this.#produceLane.ticket(bytes, at + 4, end, bytes.length);
      else if (apiKey === fetchKey && fetches && end <= bytes.length) {
        ticket = this.#fetchLane.ticket(bytes, at + 4, end);
      }
      if (ticket === null) break;
      this.#answers.add(ticket);
      upstream.expect(ticket);
      this.#passing = Math.max(0, end - bytes.length);
      at = Math.min(end, bytes.length);
    }
    this.#produceLane.end();
    this.#fetchLane.end();
    return at;
  }

  get takesMore(): boolean {
    return this.#upstream === null || this.#upstream.takesMore;
  }

  /** True while frames that were taken have not left for the broker: their memory must be left alone. */
  get lent(): boolean {
    return this.#upstream !== null && this.#upstream.unsent;
  }

  clientFlushed(): void {
    this.#relay?.clientFlushed();
  }

  /** From here to `release` nothing leaves for the broker. */
  hold(): void {
    this.#upstream?.hold();
  }

  release(): void {
    this.#upstream?.release();
  }

  close(reason: string): void {
    this.#closed = true;
    this.#relay?.close();
    this.#upstream?.close(reason);
  }

  /**
   * @param frame with its size; lent until the promise resolves, or where there is none, until `lent` is false
   * @returns a promise where something has to be waited for before the next request may be taken
   * @throws ProtocolError where the request's bytes make no sense
   */
  take(header: DecodedRequestHeader, frame: Buffer): Promise<void> | null {
    const upstream = this.#upstream;
    if (upstream === null) return this.#connectAndTake(header, frame);
    const served = this.#servedBy(header.apiKey, upstream);
    if (served === null || header.apiVersion < served.range.min || header.apiVersion > served.range.max) {
      this.#refuseUnserved(header);
      return null;
    }
    // Handlers of Produce and Fetch keep no bytes of their requests; of the others, which are small, any may.
    const bytes = header.apiKey <= fetchKey ? frame : Buffer.from(frame);
    return this.#run(served.handler, header, bytes, upstream);
  }

  /** Lets a request pass that was put together. @returns false where it is one for `take` */
  passWhole(frame: Buffer): boolean {
    const upstream = this.#upstream;
    if (upstream === null || frame.length < passingFrameBytesMin || int16At(frame, 4) > fetchKey) return false;
    if (!upstream.takesMore || this.#passFrames(frame, 0, upstream, performance.now()) < frame.length) return false;
    upstream.pass(frame);
    return true;
  }

  async #connectAndTake(header: DecodedRequestHeader, frame: Buffer): Promise<void> {
    if (await this.#connect()) await this.take(header, frame);
  }

  #servedBy(apiKey: number, upstream: UpstreamConnection): Served | null {
    const known = this.#served.get(apiKey);
    if (known !== undefined) return known;
    const handler = handlerFor(apiKey);
    const range = servedRange(apiKey, upstream.versions);
    const served = handler === undefined || range === null ? null : { handler, range };
    // An unknown key is a client's to choose: only keys of the specification are remembered.
    if (apiByKey(apiKey) !== undefined) this.#served.set(apiKey, served);
    return served;
  }

  /** As a broker does: a request whose version it does not know can be neither read nor answered. */
  #refuseUnserved({ apiKey, apiVersion }: DecodedRequestHeader): void {
    const label = `${apiByKey(apiKey)?.name ?? `API ${apiKey}`} v${apiVersion}`;
    this.session.refuse('unsupported-api', `${label} is not served`, label);
    // The label is the client's to choose, and metrics count by what stands before the colon.
    this.#events.close(`an API that is not served: ${label}`);
  }

  #run<N extends ApiName>(
    handler: ApiHandler<N>,
    header: DecodedRequestHeader,
    frame: Buffer,
    upstream: UpstreamConnection,
  ): Promise<void> | null {
    const version = header.apiVersion;
    const request = decodeRequest(handler.name, version, frame.subarray(4), header.headerBytes);
    checkBrokerTables(handler.name, request);
    const { session } = this;
    const exchange: Exchange<N> = {
      name: handler.name,
      version,
      request,
      access: new RequestAccess(this, requestLabel(handler.name, version)),
      cluster: this.#parts.cluster,
      addresses: this.#parts.addresses,
      upstreamVersions: upstream.versions,
      connection: upstream,
    };
    try {
      const verdict = handler.handle(exchange);
      const durable = verdict instanceof Promise ? null : session.durable();
      if (verdict instanceof Promise || durable !== null) {
        return this.#later(verdict, durable, session, {
          carryOut: (decided) => this.#carryOut(handler, decided, header, frame, upstream, request),
          refuse: (error) => this.#unavailable(handler, request, header, error),
        });
      }
      this.#carryOut(handler, verdict, header, frame, upstream, request);
    } catch (error) {
      this.#unavailable(handler, request, header, error);
    }
    return null;
  }

  async #later<N extends ApiName>(
    deciding: Verdict<N> | Promise<Verdict<N>>,
    durable: Promise<void> | null,
    session: GateSession,
    then: { readonly carryOut: (verdict: Verdict<N>) => void; readonly refuse: (error: unknown) => void },
  ): Promise<void> {
    try {
      const verdict = await deciding;
      await (durable ?? session.durable());
      if (!this.#closed) then.carryOut(verdict);
    } catch (error) {
      then.refuse(error);
    }
  }

  #carryOut<N extends ApiName>(
    handler: ApiHandler<N>,
    verdict: Verdict<N>,
    header: DecodedRequestHeader,
    frame: Buffer,
    upstream: UpstreamConnection,
    request: RequestMessages[N],
  ): void {
    if (verdict.kind === 'close') {
      this.#events.close(verdict.reason);
      return;
    }
    if (verdict.kind === 'answer') {
      this.#answer(handler.name, header, verdict.response);
      return;
    }
    this.#forward(handler, verdict, header, frame, upstream, request);
  }

  #forward<N extends ApiName>(
    { name }: ApiHandler<N>,
    verdict: ForwardVerdict<N>,
    header: DecodedRequestHeader,
    frame: Buffer,
    upstream: UpstreamConnection,
    request: RequestMessages[N],
  ): void {
    const version = verdict.upstreamVersion ?? header.apiVersion;
    const changed = verdict.request ?? (version === header.apiVersion ? null : asDraft<RequestMessages[N]>(request));
    const sent = changed === null ? frame : encodeRequest(name, version, header, changed);
    if (verdict.noResponse === true) {
      upstream.send(sent, null);
      return;
    }
    if (header.apiKey === produceKey && changed === null) this.#produceLane.learn(version);
    if (header.apiKey === fetchKey) this.#fetchLane.learn(version, upstream);
    const answer = this.#answers.reserve(name, header.apiVersion);
    upstream.send(sent, this.#relay?.taker(name, verdict, header, this, answer) ?? null);
  }

  #answer<N extends ApiName>(
    name: N,
    header: DecodedRequestHeader,
    response: Parameters<typeof encodeResponse<N>>[3],
  ): void {
    const frame = encodeResponse(name, header.apiVersion, header.correlationId, response);
    this.#answers.reserve(name, header.apiVersion).settle([frame], 'refused');
  }

  /** Nothing may go on: the request is refused in its own shape, or the connection is closed where it has none. */
  #unavailable<N extends ApiName>(
    handler: ApiHandler<N>,
    request: RequestMessages[N],
    header: DecodedRequestHeader,
    error: unknown,
  ): void {
    const reason = messageOf(error);
    // Record batches are read only while a request is decided; what is wrong with them does not pass with time.
    const malformed = error instanceof ProtocolError;
    this.#parts.logger.warn({ api: handler.name, reason }, 'a request was refused: it could not be decided');
    this.session.refuse(
      malformed ? 'malformed-request' : 'unavailable',
      reason,
      requestLabel(handler.name, header.apiVersion),
    );
    const code = malformed ? errorCodes.INVALID_REQUEST : (handler.unavailableCode ?? errorCodes.KAFKA_STORAGE_ERROR);
    const response = handler.refuse(request, code, header.apiVersion);
    if (response === null) this.#events.close(reason);
    else this.#answer(handler.name, header, response);
  }

  async #connect(): Promise<boolean> {
    try {
      const upstream = await this.#parts.cluster.connect(this.#target, () => !this.#closed);
      if (this.#closed) {
        upstream.close('the client is gone');
        return false;
      }
      this.#upstream = upstream;
      const relay = new ResponseRelay(upstream, this.#answers, this.#parts.logger, (reason) =>
        this.#events.close(reason),
      );
      this.#relay = relay;
      upstream.attach({
        onClose: (reason) => this.#events.close(reason),
        onDrain: () => this.#events.changed(),
        onPassing: () => {
          this.#produceLane.beginAnswers();
          this.#fetchLane.beginAnswers();
        },
        onPassed: (bytes) => this.#answers.passed(bytes),
        onTurn: (begins) => (begins ? this.#answers.beginTurn() : this.#answers.endTurn()),
        mayReadOn: (borrowed) => relay.mayReadOn(borrowed),
      });
      return true;
    } catch (error) {
      if (this.#closed) return false;
      const reason = messageOf(error);
      this.#parts.observer.upstreamFailed(this.#parts.settings.name, reason);
      this.#parts.logger.warn({ target: String(this.#target), reason }, 'no connection to the broker behind');
      this.#events.close('the upstream cannot be reached');
      return false;
    }
  }
}

const labels = new Map<string, string[]>();

/** `Fetch v17`, made once. */
function requestLabel(name: ApiName, version: number): string {
  let known = labels.get(name);
  if (known === undefined) labels.set(name, (known = []));
  return (known[version] ??= `${name} v${version}`);
}

/** A whole message is a draft of itself; the compiler cannot see that through a type parameter. */
function asDraft<T>(message: T): Draft<T> {
  return message as Draft<T>;
}
