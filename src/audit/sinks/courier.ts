/** Carries checkpoints to one place, in the background: always the newest, and again where it did not arrive. */
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { auditDetailCharsMax, auditSinkReportMs } from '../../lib/limits.ts';
import type { Logger } from '../../lib/logger.ts';
import { printable } from '../../lib/printable.ts';
import { auditEvent } from '../draft.ts';
import type { EntryDraft } from '../draft.ts';

export interface CheckpointSink {
  /** `directory`, `command`, `s3`, `kafka`, `witness/NAME`. */
  readonly name: string;
  send(size: number, note: string): Promise<void>;
}

export interface SinkStatus {
  readonly sink: string;
  readonly ok: boolean;
  /** Attempts that failed so far. */
  readonly failures: number;
  /** Entries under the newest checkpoint that arrived; 0 where none did. */
  readonly size: number;
  /** Since when nothing arrived, milliseconds since the epoch; `null` where the last attempt did. */
  readonly failingSinceMs: number | null;
}

export interface CourierParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes an entry about a place that has failed for long, and one when it works again. */
  readonly report: (draft: EntryDraft) => void;
  /** First wait after a failure; doubled up to `retryMsMax`. */
  readonly retryMs?: number;
  readonly retryMsMax?: number;
}

export class Courier {
  readonly #sink: CheckpointSink;
  readonly #parts: CourierParts;
  #waiting: { readonly size: number; readonly note: string } | null = null;
  #working: Promise<void> | null = null;
  #closing = false;
  #endPause: (() => void) | null = null;
  #failures = 0;
  #size = 0;
  #failingSinceMs: number | null = null;
  #reported = false;

  constructor(sink: CheckpointSink, parts: CourierParts) {
    this.#sink = sink;
    this.#parts = parts;
  }

  take(size: number, note: string): void {
    this.#waiting = { size, note };
    this.#working ??= this.#work();
  }

  status(): SinkStatus {
    const failingSinceMs = this.#failingSinceMs;
    const { name: sink } = this.#sink;
    return { sink, ok: failingSinceMs === null, failures: this.#failures, size: this.#size, failingSinceMs };
  }

  /** Resolves when what was taken has arrived, or failed once more. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#endPause?.();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { retryMs = 1_000, retryMsMax = 60_000 } = this.#parts;
    let pauseMs = retryMs;
    while (this.#waiting !== null) {
      const one = this.#waiting;
      const last = this.#closing;
      try {
        await this.#sink.send(one.size, one.note);
        if (this.#waiting === one) this.#waiting = null;
        this.#arrived(one.size);
        pauseMs = retryMs;
      } catch (error) {
        this.#failed(one.size, messageOf(error));
        if (last) break;
        await this.#pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, retryMsMax);
      }
    }
    this.#working = null;
  }

  #arrived(size: number): void {
    const { logger, report } = this.#parts;
    const { name: sink } = this.#sink;
    this.#size = Math.max(this.#size, size);
    if (this.#failingSinceMs === null) return;
    logger.info({ sink, size }, 'checkpoints of the audit log can be pushed again');
    if (this.#reported)
      report(auditEvent('log.push-restored', { sink, since: this.#since(), failures: this.#failures }));
    this.#failingSinceMs = null;
    this.#reported = false;
  }

  #failed(size: number, cause: string): void {
    const { clock, logger, report } = this.#parts;
    const { name: sink } = this.#sink;
    this.#failures += 1;
    if (this.#failingSinceMs === null) {
      this.#failingSinceMs = clock.nowMs();
      logger.error({ sink, cause, size }, 'a checkpoint of the audit log could not be pushed; it is tried again');
    }
    if (this.#reported || clock.nowMs() - this.#failingSinceMs < auditSinkReportMs) return;
    this.#reported = true;
    report(
      auditEvent('log.push-failing', { sink, since: this.#since(), cause: printable(cause, auditDetailCharsMax) }),
    );
  }

  #since(): string {
    return new Date(this.#failingSinceMs ?? this.#parts.clock.nowMs()).toISOString();
  }

  #pause(ms: number): Promise<void> {
    if (this.#closing) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endPause = resolve;
    // Not what keeps a process up.
    const timer = setTimeout(resolve, ms).unref();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#endPause = null;
    });
  }
}
