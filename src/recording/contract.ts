/** What the recording part takes from ports and the gate. The door hands these on; the folder's own files import them from here. */
import type { RecordObligation } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';

/**
 * What an item tells of: a request and what it asked for; bytes the client produced; what the broker answered to them;
 * bytes the client was delivered.
 */
export type ItemKind = 'request' | 'produced' | 'answered' | 'delivered';

/** One thing that happened in a session. Protocol-neutral: the port knows what `meta` says, and what the bytes are. */
export interface RecordedItem {
  readonly kind: ItemKind;
  readonly meta: JsonObject;
  /** The wire's own bytes; lent: they are copied before the call returns. `null` where the level keeps none. */
  readonly payload: Buffer | null;
  /** Records that flowed, for the counts; 0 for requests and answers. */
  readonly records: number;
}

/** The recorder of one session. Nothing here throws but what is said to. */
export interface SessionRecorder {
  /** Keeps an item. What cannot be kept is counted, told in the recording and the audit log, and in strict mode ends the session. */
  record(obligation: RecordObligation, item: RecordedItem): void;
  /** HMAC-SHA-256 by a key of the recording that the item will be in: says nothing to whoever has not got the key. */
  digest(obligation: RecordObligation, parts: readonly Buffer[]): Buffer;
  /**
   * `null` where nothing has to be waited for. In strict mode a promise while the recording is being opened or too much
   * waits for the disk; in available mode always `null`.
   * @throws SluiceError `recording-unavailable` in strict mode: what was asked must not go on
   */
  durable(): Promise<void> | null;
  /** Seals and closes the session's recordings. */
  close(): void;
}

/** Whose recording it is. */
export interface RecordedSession {
  readonly id: string;
  readonly principal: Principal;
  readonly client: ClientFacts;
}

/** The recordings of one gateway process. */
export interface Recordings {
  /** @param failed in strict mode: the session's recording failed, and the session must end */
  session(about: RecordedSession, failed: (reason: string) => void): SessionRecorder;
}
