/**
 * What a client program is asked to do, and what it answers: one line of JSON on its stdin, and the last line of its
 * stdout. Java, Python and Node programs read the same lines; bytes are base64.
 */

/** How the client says who it is. `oidc` is the client's own support, `callback` a function of ours that it calls. */
export type Auth =
  | {
      readonly kind: 'oidc' | 'callback' | 'plain';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
    }
  | { readonly kind: 'mtls'; readonly certFile: string; readonly keyFile: string; readonly keyStoreFile: string };

export type AuthKind = Auth['kind'];
export type GroupProtocol = 'classic' | 'consumer' | 'share';

export interface WireRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Received extends WireRecord {
  readonly partition: number;
  readonly offset: number;
}

interface Common {
  readonly bootstrap: string;
  readonly caFile: string;
  readonly auth: Auth;
  readonly clientId: string;
  /** The program gives up after this, and answers what it has. */
  readonly timeoutMs: number;
}

/** Produces the records, reads them in a group, commits. */
export interface RoundTrip extends Common {
  readonly step: 'roundtrip';
  readonly topic: string;
  readonly group: string;
  readonly groupProtocol: GroupProtocol;
  readonly records: readonly WireRecord[];
}

/** Runs into three denials; the answer is what the client's own errors say. */
export interface Denials extends Common {
  readonly step: 'denials';
  readonly openTopic: string;
  readonly deniedTopic: string;
  readonly openGroup: string;
  readonly deniedGroup: string;
  readonly groupProtocol: GroupProtocol;
}

/** Produces the values `0` to `count - 1` at a steady pace, and reads them in a group meanwhile. */
export interface Steady extends Common {
  readonly step: 'steady';
  readonly topic: string;
  readonly group: string;
  readonly groupProtocol: GroupProtocol;
  readonly count: number;
  readonly intervalMs: number;
}

/** Copies a topic exactly once, `value` to `copy of value`, with offsets in the transactions; each third transaction is aborted first. */
export interface Copy extends Common {
  readonly step: 'copy';
  readonly from: string;
  readonly to: string;
  readonly group: string;
  readonly transactionalId: string;
  readonly deniedTransactionalId: string;
  /** Records per transaction. */
  readonly batch: number;
  /** Records in all; a multiple of the batch. */
  readonly count: number;
}

/** The same with Kafka Streams, which also counts per key; runs until it is ended. */
export interface Streams extends Common {
  readonly step: 'streams';
  readonly from: string;
  readonly to: string;
  readonly counts: string;
  readonly applicationId: string;
  readonly stateFolder: string;
}

/** Lists topics, makes one, describes and deletes it; tries the same with one that it may not. */
export interface Administer extends Common {
  readonly step: 'administer';
  readonly newTopic: string;
  readonly deniedTopic: string;
}

export type Task = RoundTrip | Denials | Steady | Copy | Streams | Administer;
export interface RoundTripAnswer {
  readonly received: readonly Received[];
}

export interface DenialsAnswer {
  /** `none` where nothing was refused, `unsupported` where the client has no such thing. */
  readonly produce: string;
  readonly consume: string;
  readonly group: string;
}

export interface SteadyAnswer {
  readonly acknowledged: readonly number[];
  /** Sends that failed for good, by what was said. */
  readonly failures: readonly string[];
  readonly received: readonly { readonly partition: number; readonly offset: number; readonly value: string }[];
}

export interface CopyAnswer {
  readonly copied: number;
  readonly aborted: number;
  readonly denied: string;
}

export interface AdministerAnswer {
  readonly listed: readonly string[];
  readonly created: boolean;
  readonly deleted: boolean;
  readonly denied: string;
}
