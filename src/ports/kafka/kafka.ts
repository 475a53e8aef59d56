/** The door of the Kafka port: settings and parts in, a running listener out. */
import type { Socket } from 'node:net';
import type { Gate } from '../../gate/gate.ts';
import type { TokenVerifier } from '../../identity/identity.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { HostPort, KafkaPortSettings } from '../../model/settings.ts';
import { createAddressBook } from './addresses.ts';
import { ClusterView } from './cluster.ts';
import { Listener } from './listener.ts';
import type { KafkaObserver } from './observer.ts';

export { kafkaSockets } from './listener.ts';
export type { KafkaObserver, RequestOutcome } from './observer.ts';
export { createTopicWriter } from './topic-writer.ts';
export type { TopicRecord, TopicWriter } from './topic-writer.ts';

export interface KafkaPortParts {
  readonly gate: Gate;
  readonly verifier: TokenVerifier;
  readonly logger: Logger;
  readonly observer: KafkaObserver;
  readonly clock: Clock;
}

export interface KafkaPort {
  readonly name: string;
  /** Binds every socket, and begins to learn the upstream in the background. @throws SluiceError `listen-failed`, `tls-files-unusable` */
  start(): Promise<void>;
  /** All of `start` but the sockets, which another process holds. @throws SluiceError `tls-files-unusable` */
  prepare(): Promise<void>;
  /** A connection from which nothing has been read. @param place which of `kafkaSockets` it came in by */
  take(socket: Socket, place: number): void;
  /** Takes no new connection, lets requests in flight be answered for `timeoutMs` at the most, then closes. */
  drain(timeoutMs: number): Promise<void>;
  status(): {
    readonly ready: boolean;
    readonly detail: string;
    readonly connections: number;
    readonly brokers: number;
  };
  /** Where clients first connect, as bound. */
  address(): HostPort;
}

export function createKafkaPort(settings: KafkaPortSettings, parts: KafkaPortParts): KafkaPort {
  const { name } = settings;
  const cluster = new ClusterView(settings.upstream, parts.logger, (reason) =>
    parts.observer.upstreamFailed(name, reason),
  );
  const addresses = createAddressBook(settings.advertise, settings.listen.port);
  const listener = new Listener({ settings, cluster, addresses, ...parts });
  let prepared = false;
  return {
    name,
    async start() {
      await listener.start();
      cluster.start();
    },
    async prepare() {
      await listener.prepare();
      prepared = true;
      cluster.start();
    },
    take: (socket, place) => listener.take(socket, place),
    async drain(timeoutMs) {
      await listener.drain(timeoutMs);
      cluster.stop();
    },
    status() {
      const { ready, detail, brokers } = cluster.status();
      return {
        ready: ready && (prepared || listener.address !== null),
        detail,
        connections: listener.connections,
        brokers,
      };
    },
    address() {
      return listener.address ?? { host: settings.listen.host, port: settings.listen.port };
    },
  };
}
