/**
 * Three brokers as librdkafka's tests want them, reached in two ways: straight, and through the gateway. Clients
 * authenticate in the same way on both, with OAUTHBEARER and tokens of one IdP, which here the brokers check
 * themselves and there the gateway. Brokers have an authorizer without ACLs, and the gateway a policy that grants all.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess } from '../../../harness/gateway-process.ts';
import { startIdp } from '../../../harness/idp.ts';
import { ensureKafka } from '../../../harness/kafka-release.ts';
import { type KafkaCluster, startKafka } from '../../../harness/kafka.ts';

export interface Side {
  readonly name: 'direct' | 'gateway';
  /** Lines of test.conf. */
  readonly conf: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** How often something was run. */
  attempts: number;
  /** Topics pile up otherwise, and brokers slow down. */
  removeTopics(prefix: string): Promise<void>;
}

export interface Ground {
  readonly sides: readonly [direct: Side, gateway: Side];
  stop(): Promise<void>;
}

/** How a cluster is set up. */
export interface Setting {
  readonly scenario: 'default' | 'noautocreate';
  /** Sessions as short as the gateway takes, so that clients authenticate again and again. */
  readonly briefSessions: boolean;
}

const client = { id: 'suite', secret: 'suite-secret', groups: ['suite'], ttlSeconds: 900 };
/** Enough to reach each of the few partitions of the offsets topic. */
const warmUpGroups = 16;
const warmUpMsMax = 60_000;
const briefSeconds = 15;
const usualSeconds = 3_600;

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: suite }
spec:
  subjects: [{ group: suite }]
  allow:
    - { port: orders, topics: ["**"], actions: ["*"] }
    - { port: orders, consumerGroups: ["**"], actions: ["*"] }
    - { port: orders, transactionalIds: ["**"], actions: ["*"] }
    - { port: orders, cluster: true, actions: ["*"] }
`;

/** @param logs folder for what runs leave to read */
export async function startGround({ scenario, briefSessions }: Setting, logs: string): Promise<Ground> {
  const sessionSeconds = briefSessions ? briefSeconds : usualSeconds;
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const idp = await startIdp({ clients: [client] });
    undo.push(() => idp.stop());
    const kafka = await startKafka({
      nodes: 3,
      listeners: ['plaintext', 'sasl'],
      oauth: { jwksUrl: idp.jwksUri, issuer: idp.issuer, audience: 'sluice' },
      acls: true,
      autoCreateTopics: scenario !== 'noautocreate',
      heapMB: 512,
      config: { ...brokerConfig, 'connections.max.reauth.ms': String(sessionSeconds * 1_000) },
    });
    undo.push(() => kafka.stop());
    await warmUp(kafka);
    const gateway = await startGatewayProcess({
      kafka,
      idp,
      policies: { 'suite.yaml': policy },
      maxSessionLifetime: `${sessionSeconds}s`,
    });
    undo.push(() => gateway.stop());
    const tools = await toolsOf(kafka);
    undo.push(() => rmSync(tools, { recursive: true, force: true }));
    const sideOf = (name: Side['name'], bootstrap: string): Side => ({
      name,
      conf: confOf(bootstrap, idp.tokenEndpoint),
      env: { TEST_KAFKA_VERSION: kafka.version, KAFKA_PATH: tools, BROKERS: 'none', VALID_OIDC_URL: idp.tokenEndpoint },
      folder: mkdtempSync(join(logs, `${name}-`)),
      attempts: 0,
      removeTopics: (prefix) => removeTopics(kafka, prefix),
    });
    return { sides: [sideOf('direct', kafka.bootstrap('sasl')), sideOf('gateway', gateway.bootstrap)], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As librdkafka's own clusters have it; the first line makes an authorizer without ACLs allow everything. */
const brokerConfig = {
  'allow.everyone.if.no.acl.found': 'true',
  'num.partitions': '4',
  // Kafka's default, which our brokers go without: tests count how often a group comes together.
  'group.initial.rebalance.delay.ms': '3000',
  'group.share.min.record.lock.duration.ms': '1000',
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
};

function confOf(bootstrap: string, tokenEndpoint: string): string[] {
  return [
    `bootstrap.servers=${bootstrap}`,
    'security.protocol=SASL_PLAINTEXT',
    'sasl.mechanism=OAUTHBEARER',
    'sasl.oauthbearer.method=oidc',
    `sasl.oauthbearer.client.id=${client.id}`,
    `sasl.oauthbearer.client.secret=${client.secret}`,
    `sasl.oauthbearer.token.endpoint.url=${tokenEndpoint}`,
  ];
}

/** The one program of Kafka's that the tests call, always past the gateway: it has no credentials. */
async function toolsOf(kafka: KafkaCluster): Promise<string> {
  const release = await ensureKafka(kafka.version);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  mkdirSync(join(folder, 'bin'));
  const script = join(folder, 'bin', 'kafka-topics.sh');
  const java = [release.java, ...release.jvmFlags, '-Xmx128m', '-cp', release.classpath];
  const words = [...java, 'org.apache.kafka.tools.TopicCommand', '--bootstrap-server', kafka.bootstrap('plaintext')];
  writeFileSync(script, `#!/bin/sh\nshift 2\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`);
  chmodSync(script, 0o755);
  return folder;
}

/** Coordinators come into being when first asked for, and some tests take their NOT_COORDINATOR for a failure. */
async function warmUp(kafka: KafkaCluster): Promise<void> {
  const admin = await kafka.admin.client();
  const ready = (groupId: string): Promise<boolean> =>
    admin.fetchOffsets({ groupId }).then(
      () => true,
      () => false,
    );
  const giveUpAt = performance.now() + warmUpMsMax;
  for (let index = 0; index < warmUpGroups; index += 1) {
    while (!(await ready(`warm-up-${index}`)) && performance.now() < giveUpAt) await sleep(200);
  }
}

async function removeTopics(kafka: KafkaCluster, prefix: string): Promise<void> {
  const admin = await kafka.admin.client();
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
  // Some may be on their way out already.
  if (topics.length > 0) await admin.deleteTopics({ topics }).catch(() => {});
}
