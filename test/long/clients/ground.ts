/** Where the clients are tried: one broker, one IdP, one gateway with TLS, and the broker's own view of what came of it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KafkaOptions } from '../../../harness/kafka-options.ts';
import { type Scene, startScene } from '../../../harness/scene.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import { type Logger, silentLogger } from '../../../src/lib/logger.ts';
import { type Stored, endOf, readTopic, write } from './stored.ts';
import type { Auth, AuthKind } from './task.ts';

/** Tokens of the re-authentication runs: short, but longer than what a client needs to notice. */
export const briefSeconds = 8;
const partitions = 3;

/** What every client may; `shut` is a topic that exists, and is granted to nobody. */
export const clientsPolicy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: ["open-*"], actions: [read, write, create, delete] }
    - { port: orders, consumerGroups: ["open-*"], actions: [read, delete] }
    - { port: orders, transactionalIds: ["open-*"], actions: [write, describe] }
    - { port: orders, cluster: true, actions: [idempotent-write] }
`;

export const deniedTopic = 'shut';

export interface Ground {
  readonly scene: Scene;
  readonly folder: string;
  /** The credential of a kind; `brief` ones end every few seconds. */
  auth(kind: AuthKind, brief?: boolean): Auth;
  /** A topic of three partitions that the clients may use. */
  openTopic(what: string): Promise<string>;
  /** What stands in a topic, as the broker hands it to a consumer of committed records; waits for `count`, and for more that should not come. */
  readTopic(topic: string, count: number, timeoutMs: number): Promise<Stored[]>;
  /** How many records and transaction markers stand in a topic. */
  endOf(topic: string): Promise<number>;
  /** The sum of a group's committed offsets on a topic, as the broker holds them. */
  committed(group: string, topic: string): Promise<number>;
  /** A share group begins at the end of its topics unless told otherwise. */
  shareFromEarliest(group: string): Promise<void>;
  /** Writes past the gateway. */
  write(topic: string, messages: readonly { readonly key: string; readonly value: string }[]): Promise<void>;
  /** How often a client renewed its credential on an open connection. */
  renewals(clientId: string): number;
  /** How many of its connections the gateway closed because the credential had come to its end. */
  expiries(clientId: string): number;
  stop(): Promise<void>;
}

/** @param kafka options of the broker, for what all clients do not need */
export async function startGround(kafka: KafkaOptions = {}): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-clients-'));
  /** Sessions of the connections that were closed at the end of their credential. */
  const expired: string[] = [];
  const scene = await startScene({
    clients: [
      { id: 'app', secret: 'app-secret', groups: ['team'] },
      { id: 'brief', secret: 'brief-secret', groups: ['team'], ttlSeconds: briefSeconds },
    ],
    policies: { 'team.yaml': clientsPolicy },
    kafka,
    port: {
      tls: 'mutual-optional',
      authentication: {
        mechanisms: ['OAUTHBEARER', 'PLAIN'],
        allowTokensWithoutTls: false,
        maxSessionLifetimeMs: 3_600_000,
        certificates: [{ from: 'subject', match: 'CN=([a-z]+),OU=clients', kind: 'workload', groups: ['team'] }],
      },
    },
    logger: watchingExpiries((session) => expired.push(session)),
  });
  const { authority } = scene;
  if (authority === null) throw new Error('the scene has no TLS');
  const certificate = await authority.clientFiles('client', { subject: 'OU=clients,CN=machine' });
  await scene.kafka.createTopic(deniedTopic, { partitions: 1 });
  return {
    scene,
    folder,
    auth(kind, brief = false) {
      if (kind === 'mtls') return { kind, ...certificate };
      const clientId = brief ? 'brief' : 'app';
      return { kind, tokenUrl: scene.idp.tokenEndpoint, clientId, clientSecret: `${clientId}-secret` };
    },
    async openTopic(what) {
      const topic = `open-${what}-${randomUUID().slice(0, 8)}`;
      await scene.kafka.createTopic(topic, { partitions });
      return topic;
    },
    readTopic: (topic, count, timeoutMs) => readTopic(scene.kafka, topic, count, timeoutMs),
    endOf: (topic) => endOf(scene.kafka, topic),
    committed: (group, topic) => committed(scene, group, topic),
    shareFromEarliest: (group) => shareFromEarliest(scene, group),
    write: (topic, messages) => write(scene.kafka, topic, messages),
    renewals: (clientId) => sessionsOf(scene, 'authentication.renewed', clientId).length,
    expiries(clientId) {
      const own = new Set(sessionsOf(scene, 'session.opened', clientId));
      return expired.filter((session) => own.has(session)).length;
    },
    async stop() {
      await scene.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A logger that keeps nothing but the sessions whose connections were closed at the end of their credential. */
function watchingExpiries(closed: (session: string) => void): Logger {
  return {
    ...silentLogger,
    debug({ reason, session }, message) {
      if (message === 'connection closed' && reason === 'the credential expired') closed(String(session));
    },
  };
}

/** The sessions of the entries of one kind about one client, one for each entry. */
function sessionsOf(scene: Scene, code: string, clientId: string): string[] {
  return scene.entries().flatMap(({ type, data }) => {
    if (!type.endsWith(code)) return [];
    const { session_id: session, client } = data as { session_id: string; client: { client_id: string } };
    return client.client_id === clientId ? [session] : [];
  });
}

async function committed(scene: Scene, group: string, topic: string): Promise<number> {
  const admin = await scene.kafka.admin.client();
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  return offsets.flatMap((one) => one.partitions).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

async function shareFromEarliest(scene: Scene, group: string): Promise<void> {
  const client = await WireClient.connect(scene.kafka.bootstrap());
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const { responses } = await client.ask('IncrementalAlterConfigs', 1, {
    resources: [{ resourceType: 32, resourceName: group, configs }],
  });
  client.close();
  if (responses[0]?.errorCode !== 0)
    throw new Error(`the share group could not be set up: ${JSON.stringify(responses)}`);
}
