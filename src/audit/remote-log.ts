/** The audit log as a worker sees it: entries go to the process that writes it, in batches, and count as durable once it says so. */
import { SluiceError, messageOf } from '../lib/errors.ts';
import { auditBatchesInFlightMax, auditQueueBytesHardMax, auditQueueBytesMax, auditStallMs } from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import { mustBeDurable } from './catalogue.ts';
import type { EntryDraft } from './draft.ts';
import { Waiters } from './waiters.ts';

/** What a worker sends. */
export interface AuditBatch {
  readonly kind: 'audit';
  /** How many entries it has sent by now, these included. */
  readonly upTo: number;
  readonly drafts: readonly EntryDraft[];
  /** Entries that it could not keep since the last batch. */
  readonly lost: number;
}

/** What it is told once a batch is on disk, or cannot be put there now. */
export interface AuditReceipt {
  readonly upTo: number;
  /** Why the log cannot be written; `null` where everything up to there is on disk. */
  readonly failure: string | null;
  readonly status: { readonly writable: boolean; readonly backlogged: boolean; readonly lost: number };
}

export interface RemoteAuditLogOptions {
  readonly mode: 'strict' | 'available';
  readonly logger: Logger;
  /** Takes one `AuditBatch` as JSON. */
  readonly send: (text: string) => void;
  readonly stallMs?: number;
}

interface InFlight {
  readonly upTo: number;
  readonly chars: number;
  readonly sentMs: number;
}

const checkEveryMs = 250;

/**
 *   append ─→ queue ─→ batch, one per turn ─→ the writer's process ─→ receipt ─→ waiters resolve
 *                                                    └─ none within stallMs: as a log that cannot be written
 *
 * What is queued and what is on its way is bounded as the writer's own queue is. An `AuditLog` by its shape.
 */
export class RemoteAuditLog {
  readonly #options: RemoteAuditLogOptions;
  readonly #stallMs: number;
  readonly #status = { writable: true, backlogged: false, lost: 0, entries: 0 };
  readonly #waiters = new Waiters();
  readonly #timer: NodeJS.Timeout;
  #queue: string[] = [];
  #queuedChars = 0;
  #inFlight: InFlight[] = [];
  #flyingChars = 0;
  /** Entries appended, and entries known to be on disk. */
  #appended = 0;
  #durable = 0;
  #lostUnreported = 0;
  #lostHere = 0;
  #lostThere = 0;
  #backloggedThere = false;
  #asked = false;
  #scheduled = false;
  #closed = false;
  #failure = '';

  constructor(options: RemoteAuditLogOptions) {
    this.#options = options;
    this.#stallMs = options.stallMs ?? auditStallMs;
    this.#timer = setInterval(() => this.#watchForStall(), checkEveryMs).unref();
  }

  /** @returns a number that is this worker's only: the entry's id is given where the log is written */
  append(draft: EntryDraft): string {
    this.#status.entries += 1;
    if (this.#closed || this.#full(draft.code)) {
      this.#lose();
      return 'lost';
    }
    const text = jsonOf(draft);
    this.#queue.push(text);
    this.#queuedChars += text.length;
    this.#appended += 1;
    this.#updateBacklog();
    this.#schedule();
    return String(this.#appended);
  }

  durable(): Promise<void> {
    const strict = this.#options.mode === 'strict';
    if (strict && (!this.#status.writable || this.#lostUnreported > 0)) {
      this.#ask();
      return Promise.reject(this.#unavailable());
    }
    if (!this.#status.writable || this.#durable >= this.#appended) return Promise.resolve();
    this.#ask();
    return this.#waiters.waitFor(this.#appended);
  }

  /** One object for the life of the log, kept current. */
  status(): AuditReceipt['status'] & { readonly entries: number } {
    return this.#status;
  }

  /** Sends what is queued and waits until it is on disk, for `stallMs` at the most. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#stallMs);
    await Promise.race([this.durable().catch(() => undefined), late.promise]);
    clearTimeout(timer);
    clearInterval(this.#timer);
    this.#closed = true;
  }

  received({ upTo, failure, status }: AuditReceipt): void {
    this.#inFlight = this.#inFlight.filter((batch) => batch.upTo > upTo);
    this.#flyingChars = this.#inFlight.reduce((sum, { chars }) => sum + chars, 0);
    this.#learn(status);
    if (failure === null) {
      this.#durable = Math.max(this.#durable, upTo);
      this.#waiters.resolveUpTo(this.#durable);
    } else this.#fail(failure);
    if (this.#queue.length > 0 || this.#asked) this.#schedule();
  }

  /** How the log is now, where no batch told. */
  learn(status: AuditReceipt['status']): void {
    this.#learn(status);
    if (!status.writable) this.#fail('the audit log cannot be written');
  }

  /** Nobody writes any more. */
  disconnected(): void {
    this.#fail('the process that writes it is gone');
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #learn({ writable, backlogged, lost }: AuditReceipt['status']): void {
    if (!this.#closed) this.#status.writable = writable;
    if (writable) this.#failure = '';
    this.#backloggedThere = backlogged;
    this.#lostThere = lost;
    this.#status.lost = this.#lostHere + this.#lostThere;
    this.#updateBacklog();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Has the writer say again how far it is. */
  #ask(): void {
    if (this.#inFlight.at(-1)?.upTo === this.#appended) return;
    this.#asked = true;
    this.#schedule();
  }

  #flush(): void {
    if (this.#closed || this.#inFlight.length >= auditBatchesInFlightMax) return;
    if (this.#queue.length === 0 && !this.#asked) return;
    const texts = this.#queue;
    const upTo = this.#appended;
    this.#inFlight.push({ upTo, chars: this.#queuedChars, sentMs: performance.now() });
    this.#flyingChars += this.#queuedChars;
    this.#queue = [];
    this.#queuedChars = 0;
    this.#asked = false;
    this.#options.send(`{"kind":"audit","upTo":${upTo},"lost":${this.#lostUnreported},"drafts":[${texts.join(',')}]}`);
    this.#lostUnreported = 0;
  }

  #full(code: string): boolean {
    const factor = mustBeDurable(code) ? 1.5 : 1;
    return this.#queuedChars + this.#flyingChars > auditQueueBytesHardMax * factor;
  }

  #lose(): void {
    this.#lostHere += 1;
    this.#lostUnreported += 1;
    this.#status.lost = this.#lostHere + this.#lostThere;
  }

  #updateBacklog(): void {
    this.#status.backlogged = this.#backloggedThere || this.#queuedChars + this.#flyingChars > auditQueueBytesMax;
  }

  #watchForStall(): void {
    const oldest = this.#inFlight[0];
    if (oldest === undefined || performance.now() - oldest.sentMs < this.#stallMs) return;
    this.#fail('the process that writes it does not answer');
  }

  #fail(cause: string): void {
    if (cause !== this.#failure)
      this.#options.logger.error({ cause }, 'audit entries of this worker cannot be written');
    this.#failure = cause;
    this.#status.writable = false;
    this.#waiters.settleAll(this.#options.mode === 'strict' ? this.#unavailable() : null);
  }

  #unavailable(): SluiceError<'audit-unavailable'> {
    return new SluiceError(
      'audit-unavailable',
      `The audit log cannot be written (${this.#failure || 'too many entries wait for it'}), and the gateway is set to refuse what it cannot record. It tries again by itself.`,
      { retriable: true },
    );
  }
}

function jsonOf(draft: EntryDraft): string {
  try {
    return JSON.stringify(draft);
  } catch (cause) {
    throw new SluiceError(
      'entry-malformed',
      `An audit entry ${draft.code} holds data that JSON cannot carry: ${messageOf(cause)}.`,
      { cause },
    );
  }
}
