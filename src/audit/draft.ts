import type { JsonObject } from '../model/json.ts';
import type { EventCode, EventData } from './events.ts';

/** An entry as its emitter knows it; the log adds id, time, source and the envelope. */
export interface EntryDraft {
  /** From the catalogue: `session.opened`, `operation.denied`, … */
  readonly code: string;
  /** `topic/payments`; absent for entries about a session or the gateway. */
  readonly subject?: string;
  readonly data: JsonObject;
}

/** A draft whose data has the shape that its code asks for, held by the compiler. */
export function auditEvent<Code extends EventCode>(code: Code, data: EventData[Code], subject?: string): EntryDraft {
  return subject === undefined ? { code, data } : { code, subject, data };
}
