/** What a recording of a Kafka session is made of, once it is read again. */

export type Direction = 'produced' | 'delivered';

export interface ReplayedHeader {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** One record as the client sent it, or got it. */
export interface ReplayedRecord {
  readonly direction: Direction;
  readonly topic: string;
  readonly partition: number;
  /** As the broker gave it; `null` where it gave none, or is not known to have. */
  readonly offset: bigint | null;
  readonly timestampMs: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly ReplayedHeader[];
}

/** What became of produced records: the broker took them, refused them (with its error code), or did not say. */
export type Fate =
  | { readonly kind: 'written' }
  | { readonly kind: 'refused'; readonly code: number }
  | { readonly kind: 'unknown' };

/** The records of one batch, of which those are left out that no client shows: control records, aborted ones, … */
export interface BatchEvent {
  readonly kind: 'batch';
  readonly atMs: number;
  readonly direction: Direction;
  readonly topic: string;
  readonly partition: number;
  readonly codec: string;
  readonly records: readonly ReplayedRecord[];
  /** Of produced batches; what was delivered is `written`. */
  readonly fate: Fate;
}

/** Where a recording keeps no bytes: what it says of a batch, and why its records are not here. */
export interface ReferenceEvent {
  readonly kind: 'reference';
  readonly atMs: number;
  readonly direction: Direction;
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: bigint | null;
  readonly lastOffset: bigint | null;
  readonly records: number;
  readonly verdict: Verdict;
  readonly detail: string;
}

/**
 * `not-kept`: the level keeps no reference. `not-asked`: nobody said which broker to ask. `expired`: older than what the
 * broker still has. `altered`: the broker has something else at these offsets. `gone`: there is no such topic or
 * partition. `unreadable`: the broker refuses, or cannot be asked.
 */
export type Verdict = 'not-kept' | 'not-asked' | 'expired' | 'altered' | 'gone' | 'unreadable';

export interface RequestEvent {
  readonly kind: 'request';
  readonly atMs: number;
  readonly request: string;
  readonly operations: readonly {
    readonly action: string;
    readonly type: string;
    readonly name: string;
    readonly partitions: readonly number[];
  }[];
}

/** Something is missing, or cannot be read. */
export interface NoteEvent {
  readonly kind: 'note';
  readonly atMs: number;
  readonly text: string;
}

export type ReplayEvent = BatchEvent | ReferenceEvent | RequestEvent | NoteEvent;

/** What a recording of level `reference` says of one batch. */
export interface Reference {
  readonly direction: Direction;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly lastOffsetDelta: number;
  readonly records: number;
  readonly bytes: number;
  readonly codec: string;
  /** Base64url. */
  readonly digest: string;
}

/** Asks a broker for a batch. @returns its bytes where they are what was recorded, else why not */
export type Resolver = (
  reference: Reference,
  digest: (parts: readonly Buffer[]) => Buffer,
) => Promise<{ readonly batch: Buffer } | { readonly verdict: Verdict; readonly detail: string }>;
