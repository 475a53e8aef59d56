import { mkdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../src/lib/errors.ts';
import { createCertificateAuthority } from './certificates.ts';
import type { CertificateAuthority } from './certificates.ts';
import { createKafkaAdmin } from './kafka-admin.ts';
import type { KafkaAdmin } from './kafka-admin.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { createNode } from './kafka-node.ts';
import type { KafkaNode } from './kafka-node.ts';
import type { KafkaOptions, ListenerKind, NodePorts } from './kafka-options.ts';
import { ownKafka } from './kafka-own.ts';
import { ensureKafka, kafkaVersion } from './kafka-release.ts';
import { releasePorts, reservePorts } from './ports.ts';
import { removeAtExit, removeFolder } from './processes.ts';

export type { KafkaCluster } from './kafka-cluster.ts';

const readyTimeoutMs = 60_000;
const readyPollMs = 100;

/**
 * Starts real Apache Kafka in KRaft mode on free ports of 127.0.0.1. It is gone when this process is, however that ends.
 * With `SLUICE_KAFKA=host:port` the user's own Kafka is handed out instead.
 * @throws {SluiceError} `kafka-not-started`, `kafka-own`, and those of `ensureKafka`
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const own = process.env['SLUICE_KAFKA'];
  if (own !== undefined && own !== '') return await ownKafka(own, options);
  const release = await ensureKafka(options.version ?? kafkaVersion);
  const begun = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  removeAtExit(folder);
  const authority = await authorityFor(options, folder);
  const clusterId = newClusterId();
  const nodes: KafkaNode[] = [];
  const reserved: number[] = [];
  const stop = async (): Promise<void> => {
    await admin?.close();
    await Promise.all(nodes.map((node) => node.stop('kill')));
    releasePorts(reserved);
    removeFolder(folder);
  };
  let admin: KafkaAdmin | undefined;
  try {
    const count = options.nodes ?? 1;
    const ports = await portsFor(count, options, reserved);
    const tls =
      authority === undefined ? undefined : { caFile: authority.caFile, files: await authority.serverFiles('kafka') };
    for (const [id, ownPorts] of ports.entries()) {
      const nodeFolder = join(folder, `node${id}`);
      mkdirSync(nodeFolder);
      const controllerPort = ports[0]?.controller ?? 0;
      nodes.push(
        createNode({
          id,
          nodes: count,
          ports: ownPorts,
          controllerPort,
          options,
          release,
          clusterId,
          folder: nodeFolder,
          ...(tls === undefined ? {} : { tls }),
        }),
      );
    }
    await Promise.all(nodes.map((node) => node.start()));
    admin = createKafkaAdmin(nodes.map((node) => `127.0.0.1:${node.ports.internal}`));
    await ready(admin, count);
  } catch (error) {
    await stop();
    throw error;
  }
  return clusterOf({
    nodes,
    admin,
    authority,
    clusterId,
    version: release.version,
    startMs: performance.now() - begun,
    stop,
  });
}

interface Parts {
  nodes: readonly KafkaNode[];
  admin: KafkaAdmin;
  authority: CertificateAuthority | undefined;
  clusterId: string;
  version: string;
  startMs: number;
  stop: () => Promise<void>;
}

function clusterOf(parts: Parts): KafkaCluster {
  const { nodes, admin } = parts;
  const node = (id: number): KafkaNode => {
    const found = nodes[id];
    if (found === undefined)
      throw new SluiceError('kafka-no-node', `There is no node ${id}; the cluster has ${nodes.length}.`);
    return found;
  };
  const startNode = async (id: number): Promise<void> => {
    await node(id).start();
    await ready(admin, nodes.filter(({ running }) => running).length);
  };
  const brokers = nodes.map(({ id, ports }) => ({
    id,
    host: '127.0.0.1',
    port: (listener?: ListenerKind) => clientPort(ports, listener),
  }));
  return {
    version: parts.version,
    clusterId: parts.clusterId,
    brokers,
    startMs: parts.startMs,
    authority: parts.authority,
    admin,
    bootstrap: (listener) => brokers.map((broker) => `${broker.host}:${broker.port(listener)}`).join(','),
    createTopic: (name, topic) => admin.createTopic(name, topic),
    deleteTopic: (name) => admin.deleteTopic(name),
    log: (id) => node(id).logFile,
    stopNode: (id, how) => node(id).stop(how),
    startNode,
    setPlainUsers: async (users) => {
      for (const { id } of nodes) {
        node(id).setPlainUsers(users);
        if (!node(id).running) continue;
        await node(id).stop('shutdown');
        await startNode(id);
      }
    },
    stop: parts.stop,
  };
}

function clientPort(ports: NodePorts, listener?: ListenerKind): number {
  const kind = listener ?? (ports.clients.has('plaintext') ? 'plaintext' : [...ports.clients.keys()][0]);
  const port = kind === undefined ? undefined : ports.clients.get(kind);
  if (port !== undefined) return port;
  const has = [...ports.clients.keys()].join(', ');
  throw new SluiceError(
    'kafka-no-listener',
    `The cluster was started without a ${kind ?? 'client'} listener (it has: ${has}). Add it to "listeners".`,
  );
}

async function authorityFor(options: KafkaOptions, folder: string): Promise<CertificateAuthority | undefined> {
  const needed = (options.listeners ?? []).some((kind) => kind === 'tls' || kind === 'sasl-tls' || kind === 'mtls');
  if (!needed) return options.authority;
  return options.authority ?? (await createCertificateAuthority(join(folder, 'tls')));
}

async function portsFor(nodes: number, options: KafkaOptions, reserved: number[]): Promise<NodePorts[]> {
  const kinds = options.listeners ?? ['plaintext'];
  const all: NodePorts[] = [];
  for (let id = 0; id < nodes; id += 1) {
    const [internal = 0, controller = 0, ...ports] = await reservePorts(2 + kinds.length);
    reserved.push(internal, controller, ...ports);
    all.push({ internal, controller, clients: new Map(kinds.map((kind, index) => [kind, ports[index] ?? 0])) });
  }
  return all;
}

/** As Kafka's own, it does not start with a dash, which the format tool takes for an option. */
function newClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A');
}

/** Started is not ready: the brokers must have registered, and know of each other. */
async function ready(admin: KafkaAdmin, brokers: number): Promise<void> {
  const giveUpAt = Date.now() + readyTimeoutMs;
  for (;;) {
    const seen = await admin.brokerIds().catch(() => []);
    if (seen.length >= brokers) return;
    if (Date.now() > giveUpAt) {
      throw new SluiceError(
        'kafka-not-started',
        `Kafka started, but after ${readyTimeoutMs / 1000} s only ${seen.length} of ${brokers} brokers had registered.`,
      );
    }
    await sleep(readyPollMs);
  }
}
