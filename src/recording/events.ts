/** What the recording part has to say to the audit log. Whoever puts the gateway together turns it into entries. */
import type { RecordingHeader } from './header.ts';

/** What a recording holds. `bytes` are of its files. */
export interface RecordingTotals {
  readonly segments: number;
  readonly items: number;
  readonly records: number;
  readonly bytes: number;
}

export interface RecordingLoss {
  readonly items: number;
  readonly records: number;
  /** Of the items themselves. */
  readonly bytes: number;
}

export interface RecordingEvents {
  /** Resolves when the entry may count on being kept: in strict mode nothing is forwarded before. */
  started(header: RecordingHeader): Promise<void>;
  /** A segment is full. @param digest HMAC-SHA-256 in hex, by a key of the recording */
  rotated(header: RecordingHeader, segment: number, bytes: number, digest: string): void;
  closed(header: RecordingHeader, totals: RecordingTotals, digest: string): void;
  /** @param lost what had been taken and is not on disk */
  failed(header: RecordingHeader, cause: string, totals: RecordingTotals, lost: RecordingLoss): void;
  /** In available mode: what flowed in a session and was not recorded, since the last time it was told. */
  lost(session: string, cause: string, lost: RecordingLoss): void;
  /** @param by the user and the machine, or `gateway` @param atMs milliseconds since the epoch */
  erased(header: RecordingHeader, cause: 'retention' | 'asked', by: string, atMs: number): void;
  read(header: RecordingHeader, purpose: string, by: string, atMs: number): void;
  /** Resolves when what was told so far is on disk. */
  durable(): Promise<void>;
}
