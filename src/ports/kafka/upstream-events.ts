/** What a connection to a broker tells whoever it carries requests for. */
import type { FrameSink } from './protocol/protocol.ts';

export interface UpstreamEvents {
  /** Called once; `reason` is fit for a log line. */
  onClose(reason: string): void;
  /** The connection takes more again after `send` said it was full. */
  onDrain(): void;
  /** A turn's responses are about to be handed over, and have been: what they lead to may leave in one call. */
  onTurn(begins: boolean): void;
  /** Responses may pass: what holds for all of this turn is looked up now. */
  onPassing(): void;
  /** Whole responses, side by side, each of which its taker let pass. */
  onPassed(bytes: Buffer): void;
  /**
   * Asked after a turn: false where no more may be read before `resume`.
   * @param borrowed what was handed over lies in memory that the next read writes over
   */
  mayReadOn(borrowed: boolean): boolean;
}

/** Takes one response. */
export interface ResponseTaker {
  /** The whole frame, size first; its memory is lent until `UpstreamEvents.mayReadOn` lets go. */
  whole(frame: Buffer): void;
  /**
   * Asked where the whole frame lies in one chunk and nothing before it waits: true where it may pass to the client as it
   * is, side by side with the answers around it; then its place is given up. Otherwise `whole` follows.
   * @param start where the frame's payload begins in `bytes`, and `end` where it ends
   */
  passes?(bytes: Buffer, start: number, end: number): boolean;
  /** Asked where the frame is larger than what has come: takes it in pieces, or `null` for `whole`. */
  large?(size: number): FrameSink | null;
}
