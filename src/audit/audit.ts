/** The door of the audit part: entries in, lines on disk out. The Merkle log will stand behind the same door. */
import type { JsonObject } from '../model/json.ts';

/** An entry as its emitter knows it; the log adds id, time, source and the envelope. */
export interface EntryDraft {
  /** From the catalogue: `session.opened`, `operation.denied`, … */
  readonly code: string;
  /** `topic/payments`; absent for entries about a session or the gateway. */
  readonly subject?: string;
  readonly data: JsonObject;
}

export interface AuditLog {
  /** Queues an entry and returns its id; order is kept. */
  append(draft: EntryDraft): string;
  /**
   * Resolves when every entry appended before the call is on disk (fsync).
   * @throws SluiceError `audit-unavailable` in strict mode where it cannot be written
   */
  durable(): Promise<void>;
  /** Entries lost so far in `available` mode, and whether the log can be written now. */
  status(): { readonly writable: boolean; readonly lost: number; readonly entries: number };
  close(): Promise<void>;
}
