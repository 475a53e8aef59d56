/** The way back: a broker's response → handler → the client's answer, in pieces where it is large and may pass as it is. */
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Answer, AnswerQueue } from './answers.ts';
import type { ForwardVerdict, ResponseScan, SessionHolder } from './apis/handler.ts';
import {
  type ApiName,
  type DecodedRequestHeader,
  type Draft,
  type FrameSink,
  ProtocolError,
  type ResponseMessages,
  decodeResponse,
  encodeResponse,
} from './protocol/protocol.ts';
import type { ResponseTaker, UpstreamConnection } from './upstream.ts';

/** Where a correlation id stands in a frame: after its size. */
const correlationIdPosition = 4;
const sizeBytes = 4;

export class ResponseRelay {
  readonly #upstream: UpstreamConnection;
  readonly #answers: AnswerQueue;
  readonly #logger: Logger;
  readonly #close: (reason: string) => void;
  /** Responses whose handler is still at work on them. */
  #atWork = 0;
  /** Of the response that is passing in pieces. */
  #passing: ResponseScan | null = null;

  constructor(upstream: UpstreamConnection, answers: AnswerQueue, logger: Logger, close: (reason: string) => void) {
    this.#upstream = upstream;
    this.#answers = answers;
    this.#logger = logger;
    this.#close = close;
  }

  /** @param borrowed the next read would write over what is on its way to the client or at work */
  mayReadOn(borrowed: boolean): boolean {
    if (this.#atWork > 0) return false;
    return borrowed ? this.#answers.unsentBytes === 0 : !this.#answers.backedUp;
  }

  clientFlushed(): void {
    if (this.mayReadOn(true)) this.#upstream.resume();
  }

  /** The connection ends. */
  close(): void {
    this.#passing?.cut();
    this.#passing = null;
  }

  taker<N extends ApiName>(
    name: N,
    verdict: ForwardVerdict<N>,
    header: DecodedRequestHeader,
    holder: SessionHolder,
    answer: Answer,
  ): ResponseTaker {
    const relayed: Relayed<N> = { name, verdict, header, holder, answer };
    return {
      whole: (frame) => this.#whole(relayed, frame),
      ...(verdict.streams === undefined ? {} : { large: (size: number) => this.#large(relayed, size) }),
    };
  }

  #whole<N extends ApiName>(relayed: Relayed<N>, frame: Buffer): void {
    const { verdict, header, answer } = relayed;
    if (frame.length < correlationIdPosition + 4 || frame.readInt32BE(correlationIdPosition) !== header.correlationId) {
      this.#close('the broker answered out of order');
      return;
    }
    if (verdict.onResponse === undefined && verdict.upstreamVersion === undefined) {
      answer.settle([frame], 'forwarded', true);
      return;
    }
    try {
      const { message } = decodeResponse(
        relayed.name,
        verdict.upstreamVersion ?? header.apiVersion,
        frame.subarray(sizeBytes),
      );
      const changed = verdict.onResponse?.(message) ?? false;
      const durable = changed instanceof Promise ? null : relayed.holder.session.durable();
      if (changed instanceof Promise || durable !== null) void this.#later(relayed, frame, message, changed, durable);
      else this.#settle(relayed, frame, message, changed);
    } catch (error) {
      this.#unreadable(relayed, error);
    }
  }

  async #later<N extends ApiName>(
    relayed: Relayed<N>,
    frame: Buffer,
    message: ResponseMessages[N],
    changing: boolean | Promise<boolean>,
    durable: Promise<void> | null,
  ): Promise<void> {
    this.#atWork += 1;
    try {
      const changed = await changing;
      await (durable ?? relayed.holder.session.durable());
      this.#settle(relayed, frame, message, changed);
    } catch (error) {
      this.#unreadable(relayed, error);
    } finally {
      this.#atWork -= 1;
      this.clientFlushed();
    }
  }

  #settle<N extends ApiName>(
    { name, verdict, header, answer }: Relayed<N>,
    frame: Buffer,
    message: ResponseMessages[N],
    changed: boolean,
  ): void {
    if (!changed && verdict.upstreamVersion === undefined) {
      answer.settle([frame], 'forwarded', true);
      return;
    }
    answer.settle(
      [encodeResponse(name, header.apiVersion, header.correlationId, message as Draft<ResponseMessages[N]>)],
      'forwarded',
    );
  }

  /** A large response that nothing keeps from passing as it comes. */
  #large<N extends ApiName>(relayed: Relayed<N>, size: number): FrameSink | null {
    const { answer, header, verdict } = relayed;
    if (this.#atWork > 0 || !answer.begin()) return null;
    const scan = verdict.streams?.(size) ?? null;
    if (scan === null) return null;
    this.#passing = scan;
    let first = true;
    return {
      push: (bytes) => {
        // The first piece holds the size and eight bytes of the payload at least.
        if (first && bytes.readInt32BE(correlationIdPosition) !== header.correlationId) {
          throw new ProtocolError('bad-value', 0, 'The broker answered out of order');
        }
        // The scan comes first: it blanks what the client must not see.
        scan.push(first ? bytes.subarray(sizeBytes) : bytes);
        first = false;
        answer.piece(bytes);
      },
      end: () => {
        this.#passing = null;
        scan.end();
        answer.finish('forwarded');
      },
    };
  }

  /** Fail closed: an answer that cannot be read cannot be filtered either. */
  #unreadable<N extends ApiName>({ name, header, holder }: Relayed<N>, error: unknown): void {
    const label = `${name} v${header.apiVersion}`;
    holder.session.refuse('response-unreadable', messageOf(error), label);
    this.#logger.error(
      { api: name, version: header.apiVersion, error: messageOf(error) },
      'a response could not be filtered',
    );
    this.#close('a response could not be filtered');
  }
}

interface Relayed<N extends ApiName> {
  readonly name: N;
  readonly verdict: ForwardVerdict<N>;
  readonly header: DecodedRequestHeader;
  readonly holder: SessionHolder;
  readonly answer: Answer;
}
