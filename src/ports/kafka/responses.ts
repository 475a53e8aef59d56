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
import type { ResponseTaker } from './upstream-events.ts';
import type { UpstreamConnection } from './upstream.ts';

/** Where a correlation id stands in a frame: after its size. */
const correlationIdPosition = 4;
const sizeBytes = 4;

/** What takes an answer that does not pass as it is. */
export type WholeTaker = Required<Omit<ResponseTaker, 'passes'>>;

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
    return borrowed ? !this.#answers.unsent : !this.#answers.backedUp;
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
    header: Pick<DecodedRequestHeader, 'apiVersion' | 'correlationId'>,
    holder: SessionHolder,
    answer: Answer,
  ): WholeTaker {
    return new Relayed(this, name, verdict, header, holder, answer);
  }

  whole<N extends ApiName>(relayed: Relayed<N>, frame: Buffer): void {
    const { verdict, answer } = relayed;
    if (
      frame.length < correlationIdPosition + 4 ||
      frame.readInt32BE(correlationIdPosition) !== relayed.correlationId
    ) {
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
        verdict.upstreamVersion ?? relayed.version,
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
    { name, verdict, version, correlationId, answer }: Relayed<N>,
    frame: Buffer,
    message: ResponseMessages[N],
    changed: boolean,
  ): void {
    if (!changed && verdict.upstreamVersion === undefined) {
      answer.settle([frame], 'forwarded', true);
      return;
    }
    answer.settle([encodeResponse(name, version, correlationId, message as Draft<ResponseMessages[N]>)], 'forwarded');
  }

  /** A large response that nothing keeps from passing as it comes. */
  large<N extends ApiName>(relayed: Relayed<N>, size: number): FrameSink | null {
    const { answer, verdict } = relayed;
    if (this.#atWork > 0 || !answer.begin()) return null;
    const scan = verdict.streams?.(size) ?? null;
    if (scan === null) return null;
    this.#passing = scan;
    let first = true;
    return {
      push: (bytes) => {
        // The first piece holds the size and eight bytes of the payload at least.
        if (first && bytes.readInt32BE(correlationIdPosition) !== relayed.correlationId) {
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
  #unreadable<N extends ApiName>({ name, version, holder }: Relayed<N>, error: unknown): void {
    const label = `${name} v${version}`;
    holder.session.refuse('response-unreadable', messageOf(error), label);
    this.#logger.error({ api: name, version, error: messageOf(error) }, 'a response could not be filtered');
    this.#close('a response could not be filtered');
  }
}

/** What is known of a request when its answer comes. */
class Relayed<N extends ApiName> implements WholeTaker {
  readonly name: N;
  readonly verdict: ForwardVerdict<N>;
  readonly version: number;
  readonly correlationId: number;
  readonly holder: SessionHolder;
  readonly answer: Answer;
  readonly #relay: ResponseRelay;

  constructor(
    relay: ResponseRelay,
    name: N,
    verdict: ForwardVerdict<N>,
    header: Pick<DecodedRequestHeader, 'apiVersion' | 'correlationId'>,
    holder: SessionHolder,
    answer: Answer,
  ) {
    this.#relay = relay;
    this.name = name;
    this.verdict = verdict;
    this.version = header.apiVersion;
    this.correlationId = header.correlationId;
    this.holder = holder;
    this.answer = answer;
  }

  whole(frame: Buffer): void {
    this.#relay.whole(this, frame);
  }

  large(size: number): FrameSink | null {
    return this.#relay.large(this, size);
  }
}
