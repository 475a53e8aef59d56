import type { AuditLog, AuditStatus } from '../audit/audit.ts';

/** What one session has to wait for before its operations may take effect. */
export class Durability {
  readonly #audit: AuditLog;
  readonly #status: AuditStatus;
  readonly #strict: boolean;
  /** Entries that must be durable: noted so far, and known to be on disk. */
  #noted = 0;
  #onDisk = 0;
  #waiting: Promise<void> | null = null;
  #waitingFor = 0;

  constructor(audit: AuditLog, mode: 'strict' | 'available') {
    this.#audit = audit;
    this.#status = audit.status();
    this.#strict = mode === 'strict';
  }

  /** An entry was appended that must be durable. */
  note(): void {
    this.#noted += 1;
  }

  /**
   * `null` when nothing is to be waited for. Where the log cannot be written there always is: what an operation on a
   * known flow moves would be missing from the windows.
   */
  wait(): Promise<void> | null {
    if (!this.#strict) return null;
    const pending = this.#noted !== this.#onDisk;
    if (!pending) return this.#status.writable && !this.#status.backlogged ? null : this.#audit.durable();
    if (this.#waiting !== null && this.#waitingFor === this.#noted) return this.#waiting;
    return this.#begin();
  }

  #begin(): Promise<void> {
    const noted = this.#noted;
    const waiting = this.#audit.durable().then(
      () => {
        this.#onDisk = Math.max(this.#onDisk, noted);
        this.#end(waiting);
      },
      (error: unknown) => {
        // Nothing is settled: whoever comes next waits for the same entries again.
        this.#end(waiting);
        throw error;
      },
    );
    this.#waiting = waiting;
    this.#waitingFor = noted;
    return waiting;
  }

  #end(waiting: Promise<void>): void {
    if (this.#waiting === waiting) this.#waiting = null;
  }
}
