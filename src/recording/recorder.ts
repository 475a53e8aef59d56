/** The recorder of one session: one recording per set of tags, so that each has one retention and one owner. */
import { createHmac } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { SluiceError } from '../lib/errors.ts';
import { recordingQueueBytesHardMax, recordingQueueBytesMax, recordingSpanMs } from '../lib/limits.ts';
import type { RecordObligation } from '../model/decision.ts';
import type { RecordedItem, SessionRecorder } from './contract.ts';
import type { RecordingEvents, RecordingLoss } from './events.ts';
import type { RecordingWriter } from './writer.ts';

export interface RecorderParts {
  readonly session: string;
  readonly mode: 'strict' | 'available';
  readonly clock: Clock;
  readonly events: RecordingEvents;
  /** Time after a failure before another recording is begun, in available mode. */
  readonly retryMs: number;
  readonly begin: (obligation: RecordObligation, changed: () => void) => RecordingWriter;
  /** A recording ends; whoever closes the gateway waits for it. */
  readonly ending: (closed: Promise<void>) => void;
  /** Bytes of all sessions that wait for the disk. */
  readonly pool: { readonly bytes: number };
  /** Once. */
  readonly closed: (recorder: Recorder) => void;
  /** In strict mode, once. */
  readonly failed: (reason: string) => void;
}

interface Begun {
  readonly writer: RecordingWriter;
  readonly startedMs: number;
}

export class Recorder implements SessionRecorder {
  readonly #parts: RecorderParts;
  readonly #begun = new Map<string, Begun>();
  /** When, after a failure, the next recording of these tags may begin. */
  readonly #retryAtMs = new Map<string, number>();
  #lost = { items: 0, records: 0, bytes: 0, cause: '' };
  /** For the next recording: what was lost before it. */
  #gap: (RecordingLoss & { readonly cause: string }) | null = null;
  #failure: string | null = null;
  #closed = false;
  #waiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  get writers(): RecordingWriter[] {
    return Array.from(this.#begun.values(), ({ writer }) => writer);
  }

  record(obligation: RecordObligation, item: RecordedItem): void {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#closed || this.#failure !== null) {
      this.#lose(item, this.#failure ?? 'the session was over');
      // Nobody ticks any more.
      if (this.#closed) this.#tellLost();
      return;
    }
    if (this.#parts.pool.bytes > recordingQueueBytesHardMax) {
      const cause = 'too much waits for the disk';
      if (this.#parts.mode === 'strict') this.#writer(obligation, nowMs)?.fail(cause);
      return this.#lose(item, cause);
    }
    const writer = this.#writer(obligation, nowMs);
    if (writer === null) return this.#lose(item, 'the recording failed, and the next one has not begun');
    const gap = this.#gap;
    if (gap !== null) {
      this.#gap = null;
      const { records, ...about } = gap;
      writer.append({ kind: 'gap', atMs: nowMs, records, meta: { ...about, records }, payload: null });
    }
    if (!writer.append({ ...item, atMs: nowMs })) this.#lose(item, writer.failure);
  }

  digest(obligation: RecordObligation, parts: readonly Buffer[]): Buffer {
    const writer = this.#writer(obligation, this.#parts.clock.nowMs());
    const hmac = createHmac('sha256', writer?.keys.reference ?? '');
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  durable(): Promise<void> | null {
    if (this.#parts.mode !== 'strict') return null;
    if (this.#failure !== null) return Promise.reject(unavailable(this.#failure));
    if (!this.#mustWait()) return null;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ resolve, reject });
    return promise;
  }

  /** Writes what lies around, ends what has gone on for long, and tells what was lost. */
  tick(nowMs: number): void {
    for (const [key, { writer, startedMs }] of this.#begun) {
      if (nowMs - startedMs > recordingSpanMs) this.#end(key, writer);
      else writer.flush();
    }
    this.#tellLost();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [key, { writer }] of this.#begun) this.#end(key, writer);
    this.#tellLost();
    this.#parts.closed(this);
  }

  #writer(obligation: RecordObligation, nowMs: number): RecordingWriter | null {
    const key = keyOf(obligation);
    const found = this.#begun.get(key);
    if (found !== undefined) return found.writer;
    if (this.#closed || nowMs < (this.#retryAtMs.get(key) ?? 0)) return null;
    const writer = this.#parts.begin(obligation, () => this.#changed(key));
    this.#begun.set(key, { writer, startedMs: nowMs });
    return writer;
  }

  #end(key: string, writer: RecordingWriter): void {
    this.#begun.delete(key);
    this.#parts.ending(writer.close());
  }

  #changed(key: string): void {
    const writer = this.#begun.get(key)?.writer;
    if (writer?.state === 'failed') this.#writerFailed(key, writer.failure);
    if (this.#waiters.length === 0 || (this.#failure === null && this.#mustWait())) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (this.#failure === null) resolve();
      else reject(unavailable(this.#failure));
    }
  }

  #writerFailed(key: string, cause: string): void {
    this.#begun.delete(key);
    this.#retryAtMs.set(key, this.#parts.clock.nowMs() + this.#parts.retryMs);
    if (this.#parts.mode !== 'strict' || this.#failure !== null) return;
    this.#failure = cause;
    this.#parts.failed(`its recording failed: ${cause}`);
  }

  #mustWait(): boolean {
    let queued = 0;
    for (const { writer } of this.#begun.values()) {
      if (writer.state === 'opening') return true;
      queued += writer.queuedBytes;
    }
    return queued > recordingQueueBytesMax;
  }

  #lose(item: RecordedItem, cause: string): void {
    this.#lost.items += 1;
    this.#lost.records += item.records;
    this.#lost.bytes += item.payload?.length ?? 0;
    this.#lost.cause = cause;
  }

  #tellLost(): void {
    const { cause, ...lost } = this.#lost;
    if (lost.items === 0) return;
    this.#lost = { items: 0, records: 0, bytes: 0, cause: '' };
    const before = this.#gap ?? { items: 0, records: 0, bytes: 0 };
    this.#gap = {
      items: before.items + lost.items,
      records: before.records + lost.records,
      bytes: before.bytes + lost.bytes,
      cause,
    };
    this.#parts.events.lost(this.#parts.session, cause, lost);
  }
}

function keyOf({ level, owner, classification, retentionMs }: RecordObligation): string {
  return JSON.stringify([level, owner, classification, retentionMs]);
}

function unavailable(cause: string): SluiceError<'recording-unavailable'> {
  return new SluiceError(
    'recording-unavailable',
    `The session cannot be recorded (${cause}), and the gateway is set to refuse what it cannot record.`,
    { retriable: true },
  );
}
