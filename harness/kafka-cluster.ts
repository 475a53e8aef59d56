import type { CertificateAuthority } from './certificates.ts';
import type { KafkaAdmin, TopicOptions } from './kafka-admin.ts';
import type { ListenerKind, User } from './kafka-options.ts';

interface KafkaBroker {
  readonly id: number;
  readonly host: string;
  /** @throws {SluiceError} `kafka-no-listener` where the cluster was not asked for that listener */
  port(listener?: ListenerKind): number;
}

/** A running cluster. */
export interface KafkaCluster {
  readonly version: string;
  readonly clusterId: string;
  readonly brokers: readonly KafkaBroker[];
  /** From the call to the first answer, the fetch of Kafka not counted. */
  readonly startMs: number;
  /** `host:port,host:port` of all brokers. Default `plaintext`, or the first listener where there is none. */
  bootstrap(listener?: ListenerKind): string;
  /** Who signed the brokers' certificates; undefined without TLS. Its `caFile` is the trust store of clients. */
  readonly authority: CertificateAuthority | undefined;
  /** Topics, ACLs, users: as an all-powerful client on a listener of the harness's own. */
  readonly admin: KafkaAdmin;
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** Path of a node's log. */
  log(nodeId: number): string;
  stopNode(nodeId: number, how?: 'shutdown' | 'kill'): Promise<void>;
  /** Again on the same ports, with the same data. */
  startNode(nodeId: number): Promise<void>;
  /** Replaces the users of SASL PLAIN. Kafka reads them at its start, so every node restarts, one by one. */
  setPlainUsers(users: readonly User[]): Promise<void>;
  /** Ends every process and removes every file of the cluster. Harmless when repeated. */
  stop(): Promise<void>;
}
