import { auditEvent } from './draft.ts';
import type { EntryDraft } from './draft.ts';

/** Entries that could not be kept, until an entry of their own says so. */
export class Losses {
  #count = 0;
  #firstId = '';
  #lastId = '';
  #since = '';
  #until = '';

  get pending(): boolean {
    return this.#count > 0;
  }

  add(id: string, time: string): void {
    if (this.#count === 0) {
      this.#firstId = id;
      this.#since = time;
    }
    this.#count += 1;
    this.#lastId = id;
    this.#until = time;
  }

  /** The entry that reports them; they are forgotten with it. */
  takeReport(cause: string): EntryDraft {
    const report = auditEvent('log.entries-lost', {
      count: this.#count,
      first_id: this.#firstId,
      last_id: this.#lastId,
      since: this.#since,
      until: this.#until,
      cause,
    });
    this.#count = 0;
    return report;
  }
}
