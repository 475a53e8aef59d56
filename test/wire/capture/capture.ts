/** One broker, its relays, and everybody who talks to it through them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../../harness/batches.ts';
import { startKafka } from '../../../harness/kafka.ts';
import type { KafkaCluster } from '../../../harness/kafka.ts';
import { driveCluster, driveConfigs, driveSecurity, driveTokens } from './drive-admin.ts';
import { driveData, driveMetadata, driveTopics } from './drive-data.ts';
import type { Stage } from './drive-data.ts';
import {
  driveClassicGroups,
  driveConsumerGroups,
  driveShareGroups,
  driveStreamsGroups,
  driveTransactions,
} from './drive-groups.ts';
import { Driver } from './driver.ts';
import type { Recorder } from './recorder.ts';
import { startRelay } from './relay.ts';
import type { Relay } from './relay.ts';

/** What clients of every kind are given. */
export interface Scene {
  readonly version: string;
  readonly plaintext: Relay;
  readonly sasl: Relay;
  readonly user: { readonly name: string; readonly password: string };
  /** For files of the clients. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

const user = { name: 'capture', password: 'of-a-broker-that-is-gone' };

/** Starts a broker of `version`, lets `clients` and the driver talk to it, and stops it. */
export async function captureFrom(
  version: string,
  recorder: Recorder,
  clients: (scene: Scene) => Promise<void>,
  say: (line: string) => void,
): Promise<void> {
  const plaintext = await startRelay(recorder);
  const sasl = await startRelay(recorder);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-capture-'));
  const kafka = await startKafka({
    version,
    listeners: ['plaintext', 'sasl'],
    acls: true,
    users: [user],
    scramUsers: [user],
    superUsers: [`User:${user.name}`],
    advertise: (listener) => (listener === 'plaintext' ? plaintext.address : sasl.address),
    config: { 'delegation.token.secret.key': 'of-a-broker-that-is-gone' },
  });
  try {
    plaintext.target(portOf(kafka, 'plaintext'), version);
    sasl.target(portOf(kafka, 'sasl'), version);
    const stage = await setStage(kafka);
    say(`Kafka ${version}: clients`);
    await clients({ version, plaintext, sasl, user, folder, say });
    say(`Kafka ${version}: every API in every version`);
    await drive(plaintext.port, sasl.port, stage, say);
  } finally {
    await kafka.stop();
    await plaintext.close();
    await sasl.close();
    await rm(folder, { recursive: true });
  }
}

function portOf(kafka: KafkaCluster, listener: 'plaintext' | 'sasl'): number {
  return Number(kafka.bootstrap(listener).split(':').at(-1));
}

async function setStage(kafka: KafkaCluster): Promise<Stage> {
  await kafka.createTopic('stage', { partitions: 2 });
  await kafka.createTopic('spare', { partitions: 1 });
  const driver = new Driver(portOf(kafka, 'plaintext'), () => {});
  const answer = await driver.ask('Metadata', 12, { topics: null });
  driver.close();
  const idOf = (name: string): string => answer?.topics.find((topic) => topic.name === name)?.topicId ?? '';
  return {
    topic: 'stage',
    topicId: idOf('stage'),
    spare: 'spare',
    spareId: idOf('spare'),
    records: batchOf(['one', 'two', 'three'], 'gzip'),
  };
}

async function drive(plainPort: number, saslPort: number, stage: Stage, say: (line: string) => void): Promise<void> {
  const driver = new Driver(plainPort, say);
  const authenticated = new Driver(saslPort, say);
  try {
    await driveMetadata(driver, stage);
    await driveData(driver, stage);
    await driveClassicGroups(driver, stage);
    await driveConsumerGroups(driver, stage);
    await driveStreamsGroups(driver, stage);
    await driveTransactions(driver, stage);
    await driveShareGroups(driver, stage);
    await driveMetadata(driver, stage);
    await driveConfigs(driver, stage);
    await driveSecurity(driver);
    await driveTopics(driver, stage);
    await driveCluster(driver);
    await driveSasl(saslPort, say);
    await authenticated.ask('SaslHandshake', 1, { mechanism: 'PLAIN' });
    await authenticated.ask('SaslAuthenticate', 2, { authBytes: Buffer.from(`\0${user.name}\0${user.password}`) });
    await driveTokens(authenticated);
  } finally {
    driver.close();
    authenticated.close();
  }
}

/** The first half of SCRAM, then a wrong second half: the answers of both kinds in every version. */
async function driveSasl(port: number, say: (line: string) => void): Promise<void> {
  for (const version of [0, 1, 2]) {
    const driver = new Driver(port, say);
    await driver.ask('SaslHandshake', Math.min(version, 1), { mechanism: 'NONE' });
    driver.close();
    const again = new Driver(port, say);
    await again.ask('SaslHandshake', 1, { mechanism: 'SCRAM-SHA-256' });
    await again.ask('SaslAuthenticate', version, { authBytes: Buffer.from(`n,,n=${user.name},r=nonce`) });
    await again.ask('SaslAuthenticate', version, { authBytes: Buffer.from('c=biws,r=nonce,p=AAAA') });
    again.close();
    await sleep(50);
  }
}
