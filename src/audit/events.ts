/** What each entry of the audit log says: the shape of `data` for every code. The catalogue holds schemas of the same shapes. */

export type PrincipalData = {
  readonly kind: string;
  readonly id: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  /** Groups beyond those listed. */
  readonly groups_more?: number;
};

export type ClientData = {
  readonly address: string;
  readonly client_id: string;
  readonly software: string;
  readonly mechanism: string;
  readonly tls: boolean;
};

/** On every entry about a session. `seq` counts from 1 (`session.opened`) without a gap; (`session_id`, `seq`) is unique. */
export type SessionData = {
  readonly session_id: string;
  readonly seq: number;
  readonly port: string;
  readonly principal: PrincipalData;
  readonly client: ClientData;
  /** Revision in force, or `none`. */
  readonly policy_revision: string;
};

export type RuleData = {
  readonly policy: string;
  readonly effect: 'allow' | 'deny';
  readonly index: number;
  readonly source: string;
};

/** The fields of Confluent's audit log, in our words, and the rule that decided. */
export type AuthorizationData = {
  readonly granted: boolean;
  readonly operation: string;
  readonly resourceType: string;
  /** `*` where `patternType` is `any`. */
  readonly resourceName: string;
  /** `literal` is the one resource named; `any` asks whether any resource of the type will do. */
  readonly patternType: 'literal' | 'any';
  /** Absent where the operation touches no single partition. */
  readonly partition?: number;
  readonly reason: string;
  readonly rule: RuleData | null;
};

export type CredentialData = { readonly type: string; readonly id: string };

export type SessionCounters = {
  /** Entries of this session, this one included: equal to its `seq`. */
  readonly entries: number;
  readonly connections: number;
  readonly denials: number;
  readonly refusals: number;
  readonly flows: number;
  readonly windows: number;
  readonly records_read: number;
  readonly records_written: number;
  readonly bytes_read: number;
  readonly bytes_written: number;
};

/** Offsets are decimal strings: they have 64 bits, more than a JSON number holds. */
export type FlowData = {
  readonly operation: 'read' | 'write';
  readonly topic: string;
  readonly partition: number;
  /** Disjoint, ascending, both ends inclusive. */
  readonly ranges: readonly (readonly [string, string])[];
  /** True where ranges were joined over a gap because there were too many: they then cover more than flowed. */
  readonly approximate: boolean;
  readonly records: number;
  /** Of `records`, those whose offsets the broker did not tell (acks=0). */
  readonly records_without_offset: number;
  readonly bytes: number;
  readonly requests: number;
};

/** A segment that retention removed. */
export type GoneSegmentData = {
  readonly name: string;
  /** Position of its first entry in the tree. */
  readonly first_index: number;
  readonly entries: number;
  /** Of the whole file, with what was no entry. */
  readonly bytes: number;
  /** SHA-256 of the whole file in hex, as `sha256sum` prints it. */
  readonly sha256: string;
  readonly first_time: string;
  readonly last_time: string;
};

/** A run of the gateway as far as the end of what was removed. */
export type RunStateData = {
  readonly name: string;
  /** The number that its next entry has. */
  readonly next: number;
  readonly last_id: string;
  readonly checkpoint_every_ms: number | null;
  /** What its `log.closed` says, once it did. */
  readonly closed: { readonly entries: number; readonly lost: number } | null;
  /** Numbers that are missing, both ends inclusive. */
  readonly gaps: readonly (readonly [number, number])[];
  /** Numbers that the gateway reported as lost: first, last, how many of them. */
  readonly losses: readonly (readonly [number, number, number])[];
};

/** What stands in the log for a stretch of segments that retention removed, all that a verifier needs of them included. */
export type TombstoneData = {
  /** Position in the tree of the first entry that is gone. */
  readonly first_index: number;
  readonly entries: number;
  readonly first_segment: string;
  readonly last_segment: string;
  /** Oldest first; those beyond 500 are counted in `older` alone: an earlier tombstone told of each. */
  readonly segments: readonly GoneSegmentData[];
  readonly older: { readonly segments: number; readonly bytes: number };
  /** What the policy says: `keep 400d`, `maxBytes 100000000000`. */
  readonly policy: string;
  /** Hashes of the perfect subtrees between `first_index`, each of `anchors` and the end, in base64. */
  readonly subtrees: readonly string[];
  /** Sizes within the stretch at which a checkpoint stays that verifiers need: those that two keys signed. */
  readonly anchors: readonly number[];
  readonly key_changes: readonly { readonly index: number; readonly old_key: string; readonly new_key: string }[];
  /** Reports (`log.recovered`) within the stretch about segments outside it. */
  readonly reports: readonly {
    readonly segment: string;
    readonly cause: string;
    readonly complete_bytes: number;
    readonly torn_bytes: number;
    readonly last_id: string;
  }[];
  /** The run that wrote the first segment of the stretch. */
  readonly first_run: string;
  readonly run: RunStateData;
  /** Sessions that were open at the end, and their last `seq`. */
  readonly sessions: readonly (readonly [string, number])[];
  /** Open sessions beyond those listed. */
  readonly sessions_more: number;
};

/** A recording of a session: its own data says whose, also after the session's last entry. It has no `seq`. */
export type RecordingData = {
  readonly recording: string;
  readonly session_id: string;
  readonly port: string;
  /** Whose session was recorded. */
  readonly principal: { readonly kind: string; readonly id: string; readonly issuer: string };
  readonly level: string;
  readonly tags: {
    readonly owner: string;
    readonly classification: string;
    readonly retention_ms: number | null;
  };
};

export type RecordingTotalsData = {
  readonly segments: number;
  readonly items: number;
  readonly records: number;
  /** Of the files. */
  readonly bytes: number;
};

export type RecordingLossData = { readonly items: number; readonly records: number; readonly bytes: number };

/** `data` by code. */
export type EventData = {
  readonly 'gateway.started': {
    readonly version: string;
    readonly audit_mode: string;
    readonly ports: readonly string[];
    readonly policy_revision: string;
  };
  readonly 'gateway.stopped': { readonly reason: string };
  /** Its connections ended with it. What they moved in the windows that it had not told yet is not in the log. */
  readonly 'worker.died': {
    readonly worker: number;
    readonly cause: string;
    readonly connections: number;
    /** Windows of the sessions below that ended in this time may be missing. */
    readonly windows_may_be_missing: { readonly start: string; readonly end: string };
    /** Sessions that had connections there; their other connections go on. */
    readonly sessions: readonly string[];
    readonly sessions_more?: number;
  };
  readonly 'worker.entries-lost': { readonly worker: number; readonly count: number };
  readonly 'policy.loaded': {
    readonly revision: string;
    readonly previous_revision: string;
    readonly documents: readonly string[];
  };
  readonly 'policy.rejected': {
    /** The revision that stays in force, or `none`. */
    readonly revision_in_force: string;
    /** The first problems; `problems_total` counts all. */
    readonly problems: readonly {
      readonly path: string;
      readonly line: number;
      readonly column: number;
      readonly message: string;
    }[];
    readonly problems_total: number;
  };
  readonly 'session.opened': SessionData & {
    readonly credential: CredentialData;
    /** RFC 3339; `null` where the credential has no end. */
    readonly expires_at: string | null;
  };
  readonly 'session.closed': SessionData & {
    readonly reason: string;
    readonly opened_at: string;
    readonly counters: SessionCounters;
  };
  readonly 'authentication.failed': {
    readonly port: string;
    readonly client: ClientData;
    readonly failure: { readonly code: string; readonly detail: string };
    /** What the credential said of itself, unverified. */
    readonly claimed: { readonly id: string; readonly issuer: string };
    readonly count: number;
    /** Present where `count` covers other addresses too. */
    readonly more_addresses?: true;
  };
  readonly 'authentication.renewed': SessionData & {
    readonly credential: CredentialData;
    readonly expires_at: string | null;
    /** The session that the connection was in before; equal to `session_id` where the credential is the same. */
    readonly previous_session_id: string;
  };
  readonly 'operation.denied': SessionData & {
    readonly authorization: AuthorizationData;
    readonly request: string;
    /** How many equal denials this entry stands for. */
    readonly count: number;
    /** Present where `count` covers other resources of the type too. */
    readonly more_resources?: true;
  };
  readonly 'operation.refused': SessionData & {
    readonly refusal: { readonly code: string; readonly detail: string };
    readonly request: string;
    readonly count: number;
  };
  readonly 'flow.opened': SessionData & {
    readonly authorization: AuthorizationData;
    readonly request: string;
  };
  readonly 'flow.window': SessionData & {
    readonly flow: FlowData;
    readonly window: { readonly start: string; readonly end: string };
  };
  readonly 'recording.started': RecordingData;
  readonly 'recording.rotated': RecordingData & {
    readonly segment: number;
    /** Of all segments so far. */
    readonly bytes: number;
    readonly digest: string;
  };
  readonly 'recording.closed': RecordingData & { readonly totals: RecordingTotalsData; readonly digest: string };
  readonly 'recording.failed': RecordingData & {
    readonly cause: string;
    /** What is on disk. */
    readonly totals: RecordingTotalsData;
    /** What had been taken and is not. */
    readonly lost: RecordingLossData;
  };
  readonly 'recording.lost': {
    readonly session_id: string;
    readonly cause: string;
    readonly lost: RecordingLossData;
  };
  readonly 'recording.erased': RecordingData & {
    readonly cause: string;
    readonly by: string;
    /** By the clock of who did it. */
    readonly at: string;
  };
  readonly 'recording.read': RecordingData & {
    readonly purpose: string;
    readonly by: string;
    readonly at: string;
  };
  readonly 'log.queried': {
    /** Unique: an entry that is in the log twice, after a crash, has it twice. */
    readonly query_id: string;
    readonly asked_at: string;
    readonly by: {
      /** Of the operating system. */
      readonly user: string;
      readonly uid: number;
      readonly host: string;
      /** Who the asker says to be, where several share a user; empty where nothing is said. */
      readonly claimed: string;
    };
    readonly kind: 'filter' | 'sql';
    /** The filter as canonical JSON, or the SQL; cut where it is long. */
    readonly question: string;
    /** SHA-256 of the whole question, in hex. */
    readonly digest: string;
    readonly outcome: 'answered' | 'refused' | 'failed';
    readonly rows: number;
    readonly more: boolean;
    /** Whether the log was verified first. */
    readonly verified: boolean;
    /** Who the file belonged to that the question was left in, as the gateway found it; -1 where nobody can say. */
    readonly file_owner: number;
  };
  readonly 'log.opened': {
    /** The key that signs the log, as a vkey. */
    readonly key: string;
    /** Entries before this run. */
    readonly tree_size: number;
    readonly checkpoint_every_ms: number;
    readonly checkpoint_entries: number;
  };
  readonly 'log.key-changed': { readonly old_key: string; readonly new_key: string };
  readonly 'log.entries-missing': {
    readonly segment: string;
    readonly cause: 'segment-gone' | 'segment-shorter';
    /** Position in the tree, from 0. */
    readonly first_index: number;
    readonly count: number;
  };
  readonly 'log.recovered': {
    readonly segment: string;
    readonly cause: 'not-closed' | 'torn-line' | 'write-failed';
    /** Bytes of the segment up to the end of its last complete line. */
    readonly complete_bytes: number;
    /** Bytes after it, which are no entry; at most so many where the cause is `write-failed`. */
    readonly torn_bytes: number;
    /** The last complete entry of the segment; empty where there is none. */
    readonly last_id: string;
    readonly last_time: string;
  };
  readonly 'log.entries-lost': {
    readonly count: number;
    readonly first_id: string;
    readonly last_id: string;
    readonly since: string;
    readonly until: string;
    readonly cause: string;
  };
  readonly 'log.tombstone': TombstoneData;
  /** `sink` is `directory`, `command`, `s3`, `kafka` or `witness/NAME`. */
  readonly 'log.push-failing': { readonly sink: string; readonly since: string; readonly cause: string };
  readonly 'log.push-restored': { readonly sink: string; readonly since: string; readonly failures: number };
  readonly 'log.closed': {
    /** Entries of this run of the gateway, this one included. */
    readonly entries: number;
    readonly lost: number;
  };
};

export type EventCode = keyof EventData;
