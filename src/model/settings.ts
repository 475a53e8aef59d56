/** What `sluice.yaml` says, typed and with every default filled in. Units are the last word of each name. */
import type { PrincipalKind } from './principal.ts';

/** Where a secret is read from, again whenever it is needed: never the secret itself. Paths are absolute. */
export type SecretSource =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly command: readonly [string, ...string[]] };

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** PEM files, re-read when they change. */
export interface ServerTlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** CAs that client certificates are held against; absent: no client certificate is asked for. */
  readonly clientCaFile?: string;
  /** `none` asks for no certificate, `optional` takes one, `required` refuses to go on without. */
  readonly clientAuth: 'none' | 'optional' | 'required';
}

export interface ClientTlsSettings {
  /** Absent: the system's CAs. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Name to expect in the server's certificate where it is not the host that was dialled. */
  readonly serverName?: string;
}

export type UpstreamSaslSettings =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: SecretSource;
    }
  | {
      readonly mechanism: 'OAUTHBEARER';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: SecretSource;
      readonly scope?: string;
    };

export interface UpstreamSettings {
  readonly bootstrap: readonly HostPort[];
  readonly tls?: ClientTlsSettings;
  readonly sasl?: UpstreamSaslSettings;
}

/** How clients reach each broker through the gateway. */
export type AdvertiseSettings =
  | {
      /** One gateway port per broker: node N is at `firstPort + (N - firstNodeId)`. */
      readonly mode: 'ports';
      readonly host: string;
      readonly firstPort: number;
      readonly firstNodeId: number;
      /** How many ports are set aside; a broker beyond them is reported and not advertised. */
      readonly count: number;
    }
  | {
      /** One TLS name per broker on the port's one listener: `$(nodeId)` in the pattern stands for the node id. */
      readonly mode: 'sni';
      readonly hostPattern: string;
      readonly bootstrapHost: string;
      readonly port: number;
    };

/** Maps a client certificate to a principal; the first rule that matches is taken. */
export interface CertificateMapping {
  readonly from: 'subject' | 'san-dns' | 'san-uri' | 'san-email';
  /** Glob-free regular expression in RE2 syntax, anchored at both ends; group 1 (or the whole match) is the principal's id. */
  readonly match: string;
  /** `$1` … stand for the match's groups; default `$1` where there is a group, else the whole. */
  readonly id?: string;
  readonly kind: PrincipalKind;
  readonly groups: readonly string[];
}

export interface KafkaAuthenticationSettings {
  /** SASL mechanisms offered; empty: client certificates only. */
  readonly mechanisms: readonly ('OAUTHBEARER' | 'PLAIN')[];
  /** Tokens over a connection without TLS; off unless the configuration says so. */
  readonly allowTokensWithoutTls: boolean;
  /** Upper bound of what KIP-368 announces, whatever the token's own lifetime. */
  readonly maxSessionLifetimeMs: number;
  readonly certificates: readonly CertificateMapping[];
}

export interface KafkaPortSettings {
  readonly name: string;
  readonly protocol: 'kafka';
  readonly listen: HostPort & { readonly tls?: ServerTlsSettings; readonly proxyProtocol: 'off' | 'required' };
  readonly advertise: AdvertiseSettings;
  readonly upstream: UpstreamSettings;
  readonly authentication: KafkaAuthenticationSettings;
  readonly idleTimeoutMs: number;
}

export type PortSettings = KafkaPortSettings;

/** Where a principal's parts are found in a token's claims. Paths are dot-separated; a claim name with dots is quoted, `"https://x.y/groups"`. */
export interface ClaimMapping {
  readonly id: string;
  readonly groups?: string;
  /** A fixed kind, or the claim that names it. */
  readonly kind: { readonly value: PrincipalKind } | { readonly claim: string };
}

export interface IssuerSettings {
  /** What policies call it. */
  readonly name: string;
  /** Compared exactly with the `iss` claim and with the discovery document (OpenID Connect Discovery 1.0 §4.3). */
  readonly issuer: string;
  readonly audiences: readonly [string, ...string[]];
  readonly algorithms: readonly [string, ...string[]];
  /** Absent: found by discovery. */
  readonly jwksUri?: string;
  readonly clockLeewayMs: number;
  /** How long the last good keys serve while the issuer cannot be reached. */
  readonly keysMaxAgeMs: number;
  /** Extra CA for the issuer's own TLS. */
  readonly caFile?: string;
  readonly mapping: ClaimMapping;
  /** Claims every token of this issuer must carry with one of these values; how a shared issuer is bound to its tenant. */
  readonly requiredClaims: Readonly<Record<string, readonly string[]>>;
}

export interface AuditSettings {
  /** Folder of the log's files. */
  readonly directory: string;
  /** `strict` refuses an operation whose entry cannot be written; `available` lets it pass, counts it and says so. */
  readonly mode: 'strict' | 'available';
  /** Length of a flow window. */
  readonly windowMs: number;
  readonly checkpoint: CheckpointSettings;
  /** Absent: nothing is ever removed. */
  readonly retention?: RetentionSettings;
}

/** What of the audit log is kept. Segments go whole, and only behind a tombstone that was signed. */
export interface RetentionSettings {
  /** Since a segment's last entry. */
  readonly keepMs?: number;
  /** Of all segments together; the oldest go first. */
  readonly maxBytes?: number;
  /** Time between two looks. */
  readonly everyMs: number;
  /** Segments and times that stay, as they are written. */
  readonly hold: readonly string[];
  /** More of them, one per line, read at each look. */
  readonly holdFile?: string;
}

/** How the audit log is signed. */
export interface CheckpointSettings {
  /** Time between two checkpoints. */
  readonly everyMs: number;
  /** Entries after which one is made sooner. */
  readonly entries: number;
  /** The private key; made where there is none. */
  readonly keyFile: string;
  /** The log's name, for a key that is made; absent: `sluice/GATEWAY_ID`. */
  readonly origin?: string;
  /** Where else checkpoints go. */
  readonly push?: CheckpointPushSettings;
  /** Who else signs that they saw them. */
  readonly witnesses?: { readonly ask: readonly WitnessSettings[]; readonly quorum: number };
}

export interface CheckpointPushSettings {
  readonly directory?: string;
  readonly command?: readonly [string, ...string[]];
  readonly s3?: BucketSettings & {
    /** How long each checkpoint is locked: absent, what the bucket itself says. */
    readonly lock?: { readonly mode: 'compliance' | 'governance'; readonly forMs: number };
  };
  /** Through the upstream of a port, on the gateway's own credentials. */
  readonly kafka?: { readonly port: string; readonly topic: string };
}

/** A bucket of S3-compatible storage. */
export interface BucketSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Before each name; empty, or with its last slash. */
  readonly prefix: string;
  /** The bucket in the path and not in the host's name. */
  readonly pathStyle: boolean;
  readonly accessKeyId: SecretSource;
  readonly secretAccessKey: SecretSource;
  readonly sessionToken?: SecretSource;
  readonly caFile?: string;
}

export interface WitnessSettings {
  /** The witness's public key, as a vkey of type 4 (c2sp.org/tlog-cosignature). */
  readonly key: string;
  /** Its submission prefix: `/add-checkpoint` is put behind it. */
  readonly url: string;
  readonly caFile?: string;
}

/** What is kept of sessions whose grants say `record`. */
export interface RecordingSettings {
  /** Folder of the recordings, shared by the gateway's processes. */
  readonly directory: string;
  /** What wraps the recordings' own keys; made with the first recording where there is none. */
  readonly keyFile: string;
  /** `strict` ends a session that cannot be recorded; `available` lets it go on, counts what was lost and says so. */
  readonly mode: 'strict' | 'available';
  /** Recordings whose policy names no retention are erased so long after their end; absent: never. */
  readonly retentionMs?: number;
  /** A recording goes on in a new file beyond it. */
  readonly segmentBytesMax: number;
  /** Nothing is recorded while the disk has less room than this. */
  readonly freeBytesMin: number;
}

export interface TelemetrySettings {
  /** Metrics and health; absent: no listener. */
  readonly listen?: HostPort;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface Settings {
  readonly gatewayId: string;
  /** Processes that serve clients under a supervisor; absent or 1: one process does everything. */
  readonly workers?: number;
  readonly ports: readonly PortSettings[];
  readonly issuers: readonly IssuerSettings[];
  readonly policyDirectory: string;
  readonly audit: AuditSettings;
  /** Absent: nothing can be recorded, and policies that ask for it are refused. */
  readonly recording?: RecordingSettings;
  readonly telemetry: TelemetrySettings;
  /** How long a drain waits for requests in flight before it closes connections. */
  readonly drainTimeoutMs: number;
}
