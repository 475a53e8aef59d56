import type { CertificateAuthority } from './certificates.ts';

/** `plaintext` and `tls` carry anonymous clients; `sasl` and `sasl-tls` take PLAIN and SCRAM; `mtls` wants a certificate. */
export type ListenerKind = 'plaintext' | 'sasl' | 'tls' | 'sasl-tls' | 'mtls';

export interface User {
  name: string;
  password: string;
}

export interface KafkaOptions {
  /** Node 0 is broker and controller, the others are brokers. Default 1. */
  nodes?: 1 | 3;
  /** Default `['plaintext']`. */
  listeners?: readonly ListenerKind[];
  /** With ACLs, only super users may do anything until ACLs are made. Anonymous clients are super users. Default false. */
  acls?: boolean;
  /** Besides `User:ANONYMOUS`, such as `User:admin`. */
  superUsers?: readonly string[];
  /** Users for SASL PLAIN. */
  users?: readonly User[];
  /** Users for SCRAM-SHA-256 and SCRAM-SHA-512. */
  scramUsers?: readonly User[];
  /** SASL OAUTHBEARER on the SASL listeners, checked by the broker itself. The issuer must be up already. */
  oauth?: { jwksUrl: string; issuer: string; audience: string };
  /** Signs the brokers' certificates. By default the cluster makes its own. */
  authority?: CertificateAuthority;
  /** The address clients are told, where it is not the listener itself, such as that of a relay: `host:port`. */
  advertise?: (listener: ListenerKind, nodeId: number) => string | undefined;
  /** Topics that come into being by being asked for. Default false. */
  autoCreateTopics?: boolean;
  /** Folders and jars behind Kafka's own, for classes that `config` names. */
  classpath?: readonly string[];
  /** Further broker properties; they win over ours. */
  config?: Readonly<Record<string, string>>;
  /** Default 4.2.1, or `SLUICE_KAFKA_VERSION`. */
  version?: string;
  /** Heap of each JVM. Default 384. */
  heapMB?: number;
}

/** The ports of one node on 127.0.0.1. `internal` is a plaintext listener for the brokers and the harness alone. */
export interface NodePorts {
  internal: number;
  controller: number;
  clients: ReadonlyMap<ListenerKind, number>;
}
