import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { instant } from '../lib/instant.ts';
import { auditDetailCharsMax } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import { printable } from '../lib/printable.ts';
import { auditEvent } from './draft.ts';
import type { EntryDraft } from './draft.ts';
import { entryLine } from './envelope.ts';
import { LineQueue } from './line-queue.ts';
import type { Lines } from './line-queue.ts';
import { Losses } from './losses.ts';
import type { Segments } from './segments.ts';
import { Waiters } from './waiters.ts';
import { WindowLines } from './window-lines.ts';

export interface WriterBounds {
  /** Bytes waiting beyond which the log is backlogged. */
  readonly queueBytesMax: number;
  /** Bytes waiting beyond which entries are lost; those that must be durable at half as much again. */
  readonly queueBytesHardMax: number;
  readonly batchBytesMax: number;
  /** A write that takes longer counts as failed until it ends. */
  readonly stallMs: number;
  /** First wait after a failed write; doubled up to `retryMsMax`. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

/** The Merkle tree over the log. */
export interface LineFollower {
  /** Called while the lines are on their way to disk; may be called again for lines that did not get there. */
  prepare(lines: Lines): Buffer;
  committed(prepared: Buffer, segment: string, bytes: number): void;
  /** Called once nothing more will be written. */
  close(): Promise<void>;
}

export interface WriterOptions {
  readonly segments: Segments;
  readonly mode: 'strict' | 'available';
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bounds: WriterBounds;
  /** Told of every line that is on disk. */
  readonly follower: LineFollower | null;
  /** Whether entries of a code must be on disk before their operation takes effect. */
  readonly mustBeDurable: (code: string) => boolean;
}

export interface WriterStatus {
  readonly writable: boolean;
  readonly backlogged: boolean;
  readonly lost: number;
  readonly entries: number;
}

const queueWasFull = 'too many entries waited for the disk';

interface Batch {
  /** As they were queued. */
  readonly queued: Lines;
  /** What is written: reports on failed writes go before the lines that were queued. */
  lines: Lines;
}

/**
 * Group commit: entries queue up while a batch is on its way to disk, and go together with the next. An idle log
 * writes an entry at once; a busy one makes one fsync for many.
 *
 *   append ─→ queue ─→ batch ─→ write + fsync ─→ waiters resolve
 *                        ↑            │ fails, or takes longer than stallMs
 *                        └── retry ←──┘ strict: waiters reject; available: waiters resolve
 */
export class AuditWriter {
  readonly #options: WriterOptions;
  readonly #source: string;
  /** Ids are `RUN.N`: N counts every entry of this run without a gap, so that a missing one shows. */
  readonly #run: string;
  readonly #status = { writable: true, backlogged: false, lost: 0, entries: 0 };
  readonly #losses = new Losses();
  readonly #waiters = new Waiters();
  readonly #windowLines: WindowLines;
  readonly #queue: LineQueue;
  #queuedBytes = 0;
  /** Lines queued and lines on disk so far, counted from the first of this run. */
  #queuedLines = 0;
  #durableLines = 0;
  #draining: Promise<void> | null = null;
  #failure = '';
  #closing = false;
  #endPause: (() => void) | null = null;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#queue = new LineQueue(options.bounds.batchBytesMax);
    this.#source = `/sluice/${options.gatewayId}`;
    this.#run = `${options.clock.nowMs().toString(36)}-${randomBytes(5).toString('hex')}`;
    this.#windowLines = new WindowLines(this.#run, this.#source);
  }

  /** @throws SluiceError `entry-malformed` where the draft holds what JSON cannot carry */
  append(draft: EntryDraft): string {
    const id = this.#nextId();
    if (this.#closing || this.#full(draft.code)) {
      this.#lose(id);
      return id;
    }
    try {
      const time = this.#time();
      if (!this.#enqueueInPlace(draft, time)) this.#enqueue(entryLine(draft, id, this.#source, time));
    } catch (malformed) {
      // Its number is taken: without a report the gap would look like tampering.
      this.#lose(id);
      this.#reportLosses(messageOf(malformed));
      throw malformed;
    }
    return id;
  }

  durable(): Promise<void> {
    const strict = this.#options.mode === 'strict';
    if (strict && (!this.#status.writable || this.#losses.pending)) return Promise.reject(this.#unavailable());
    if (!this.#status.writable || this.#durableLines >= this.#queuedLines) return Promise.resolve();
    return this.#waiters.waitFor(this.#queuedLines);
  }

  /** The same object every time, kept current: reading it costs nothing. */
  status(): WriterStatus {
    return this.#status;
  }

  /** Writes what is queued and `log.closed`, trying once more where the disk fails. Later entries are lost. */
  async close(): Promise<void> {
    if (this.#closing) return;
    if (this.#losses.pending && !this.#full('')) this.#reportLosses(this.#failure || queueWasFull);
    this.append(auditEvent('log.closed', { entries: this.#status.entries + 1, lost: this.#status.lost }));
    this.#closing = true;
    this.#endPause?.();
    const stalled = Promise.withResolvers<void>();
    const timer = setTimeout(stalled.resolve, this.#options.bounds.stallMs);
    await Promise.race([this.#draining, stalled.promise]);
    clearTimeout(timer);
    const left = this.#queuedLines - this.#durableLines;
    await this.#options.follower?.close();
    if (left === 0) return this.#options.segments.close();
    this.#status.lost += left;
    this.#waiters.settleAll(this.#options.mode === 'strict' ? this.#unavailable() : null);
    this.#options.logger.error(
      { entries: left, cause: this.#failure },
      'audit entries were lost at the end: the log could not be written',
    );
  }

  #enqueue(line: string): void {
    this.#queued(this.#queue.add(`${line}\n`));
  }

  /** False where the entry is none that can be made so, or there is no room. */
  #enqueueInPlace(draft: EntryDraft, time: string): boolean {
    const { open } = this.#queue;
    if (open === null) return false;
    const end = this.#windowLines.write(draft, this.#status.entries, time, open.bytes, open.used);
    if (end === -1) return false;
    this.#queued(this.#queue.addMade(end));
    return true;
  }

  #queued(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#queuedLines += 1;
    this.#updateBacklog();
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // What is appended in the same turn goes into one batch.
    await nextTurn();
    for (let queued = this.#queue.take(); queued !== null; queued = this.#queue.take()) {
      if (!(await this.#commit({ queued, lines: queued }))) break;
      this.#durableLines += queued.count;
      this.#queuedBytes -= queued.bytes.length;
      this.#queue.release(queued);
      this.#updateBacklog();
      this.#waiters.resolveUpTo(this.#durableLines);
      if (this.#losses.pending && !this.#full('')) this.#reportLosses(this.#failure || queueWasFull);
    }
    this.#draining = null;
  }

  /** False where the log closes and the batch could not be written. */
  async #commit(batch: Batch): Promise<boolean> {
    let pauseMs = this.#options.bounds.retryMs;
    for (;;) {
      const last = this.#closing;
      const watchdog = setTimeout(
        () => this.#failed('a write to the audit log takes too long'),
        this.#options.bounds.stallMs,
      );
      watchdog.unref();
      try {
        await this.#write(batch);
        this.#worked();
        return true;
      } catch (cause) {
        this.#failed(messageOf(cause));
      } finally {
        clearTimeout(watchdog);
      }
      if (last) return false;
      this.#reportLeftovers(batch);
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, this.#options.bounds.retryMsMax);
    }
  }

  async #write({ lines }: Batch): Promise<void> {
    const { segments, follower } = this.#options;
    const written = segments.write(lines.bytes);
    // While the disk works.
    const prepared = follower?.prepare(lines);
    const end = await written;
    if (prepared !== undefined) follower?.committed(prepared, end.name, end.bytes);
  }

  #pause(ms: number): Promise<void> {
    if (this.#closing) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endPause = resolve;
    const timer = setTimeout(resolve, ms);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#endPause = null;
    });
  }

  #worked(): void {
    if (this.#status.writable) return;
    this.#status.writable = true;
    this.#options.logger.info({}, 'the audit log can be written again');
  }

  #failed(cause: string): void {
    this.#failure = cause;
    if (this.#status.writable) {
      this.#status.writable = false;
      const effect =
        this.#options.mode === 'strict' ? 'operations are refused' : 'operations go on, entries may be lost';
      this.#options.logger.error({ cause }, `the audit log cannot be written: ${effect} until it can`);
    }
    this.#waiters.settleAll(this.#options.mode === 'strict' ? this.#unavailable() : null);
  }

  /** A failed write may have left bytes that could not be taken back; the next batch says so first. */
  #reportLeftovers(batch: Batch): void {
    for (const { segment, completeBytes } of this.#options.segments.takeLeftovers()) {
      const draft = auditEvent('log.recovered', {
        segment,
        cause: 'write-failed',
        complete_bytes: completeBytes,
        torn_bytes: batch.lines.bytes.length,
        last_id: '',
        last_time: '',
      });
      const line = entryLine(draft, this.#nextId(), this.#source, this.#time());
      const { bytes, count } = batch.lines;
      batch.lines = { bytes: Buffer.concat([Buffer.from(`${line}\n`), bytes]), count: count + 1 };
    }
  }

  #reportLosses(cause: string): void {
    const report = this.#losses.takeReport(printable(cause, auditDetailCharsMax));
    this.#enqueue(entryLine(report, this.#nextId(), this.#source, this.#time()));
  }

  #full(code: string): boolean {
    const hard = this.#options.bounds.queueBytesHardMax;
    return this.#queuedBytes > hard && (this.#queuedBytes > hard * 1.5 || !this.#options.mustBeDurable(code));
  }

  #lose(id: string): void {
    if (!this.#losses.pending) this.#options.logger.error({ first_id: id }, 'audit entries are being lost');
    this.#losses.add(id, this.#time());
    this.#status.lost += 1;
  }

  #updateBacklog(): void {
    this.#status.backlogged = this.#queuedBytes > this.#options.bounds.queueBytesMax;
  }

  #nextId(): string {
    this.#status.entries += 1;
    return `${this.#run}.${this.#status.entries}`;
  }

  #time(): string {
    return instant(this.#options.clock.nowMs());
  }

  #unavailable(): SluiceError<'audit-unavailable'> {
    const detail = this.#failure === '' ? 'too many entries wait for the disk' : this.#failure;
    return new SluiceError(
      'audit-unavailable',
      `The audit log cannot be written (${detail}), and the gateway is set to refuse what it cannot record. Free or repair the disk of the audit folder; the gateway tries again by itself.`,
      { retriable: true },
    );
  }
}
