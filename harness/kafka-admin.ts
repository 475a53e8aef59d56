import { setTimeout as sleep } from 'node:timers/promises';
import { alterUserScramCredentialsV0, Connection, metadataV12 } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { AclEntry, Admin } from 'kafkajs';
import { SluiceError } from '../src/lib/errors.ts';
import type { User } from './kafka-options.ts';
import { scramCode, scramCredential, scramMechanisms } from './kafka-scram.ts';
import type { ScramMechanism } from './kafka-scram.ts';

export interface TopicOptions {
  /** Default 1. */
  partitions?: number;
  /** Default: the number of brokers. */
  replicationFactor?: number;
  config?: Readonly<Record<string, string>>;
}

/** What tests ask of a cluster besides a client's own work; every call returns when the cluster has it. */
export interface KafkaAdmin {
  /** For what is not below. Connected. */
  client(): Promise<Admin>;
  brokerIds(): Promise<number[]>;
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  createAcls(acls: readonly AclEntry[]): Promise<void>;
  /** Makes a SCRAM user or changes its password, for both mechanisms unless one is named. */
  setScramUser(user: User, mechanism?: ScramMechanism): Promise<void>;
  removeScramUser(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The answer to a change of users comes when it is committed; the brokers replay it some milliseconds later. */
const replayMs = 250;

/** An admin on plaintext addresses, `host:port`, where anonymous clients may do everything. It connects when first used. */
export function createKafkaAdmin(addresses: readonly string[]): KafkaAdmin {
  let connected: Promise<Admin> | undefined;
  const client = (): Promise<Admin> => {
    connected ??= connectAdmin(addresses).catch((error: unknown) => {
      connected = undefined;
      throw error;
    });
    return connected;
  };
  return {
    client,
    async brokerIds() {
      return (await (await client()).describeCluster()).brokers.map(({ nodeId }) => nodeId);
    },
    createTopic: async (name, options) => {
      await createTopic(await client(), name, options ?? {});
      for (const address of addresses) await knows(address, name, options?.partitions ?? 1);
    },
    async deleteTopic(name) {
      await (await client()).deleteTopics({ topics: [name] });
    },
    async createAcls(acls) {
      await (await client()).createAcls({ acl: [...acls] });
    },
    async setScramUser(user, mechanism) {
      const mechanisms = mechanism === undefined ? scramMechanisms : [mechanism];
      // one by one: the broker refuses a request that names a user twice
      for (const name of mechanisms) await alterScram(addresses, [], [upsertionOf(user, name)]);
      await sleep(replayMs);
    },
    async removeScramUser(name) {
      for (const mechanism of scramMechanisms)
        await alterScram(addresses, [{ name, mechanism: scramCode(mechanism) }], []);
      await sleep(replayMs);
    },
    async close() {
      const admin = await connected?.catch(() => undefined);
      connected = undefined;
      await admin?.disconnect().catch(() => {});
    },
  };
}

async function connectAdmin(addresses: readonly string[]): Promise<Admin> {
  const kafka = new Kafka({
    clientId: 'sluice-harness',
    brokers: [...addresses],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, retries: 8 },
  });
  const admin = kafka.admin();
  await admin.connect();
  return admin;
}

/** How long all brokers may take to hear of a new topic. */
const topicTimeoutMs = 15_000;

async function createTopic(admin: Admin, name: string, options: TopicOptions): Promise<void> {
  await admin.createTopics({
    // its own wait fails where the broker that it asks has not heard of the topic yet
    waitForLeaders: false,
    topics: [
      {
        topic: name,
        numPartitions: options.partitions ?? 1,
        replicationFactor: options.replicationFactor ?? -1,
        configEntries: Object.entries(options.config ?? {}).map(([key, value]) => ({ name: key, value })),
      },
    ],
  });
}

/** Each broker hears of a topic in its own time. One that is down is not waited for. */
async function knows(address: string, topic: string, partitions: number): Promise<void> {
  const connection = new Connection('sluice-harness');
  const [host = '', port = ''] = address.split(':');
  try {
    await connection.connect(host, Number(port));
  } catch {
    return;
  }
  try {
    const giveUpAt = Date.now() + topicTimeoutMs;
    for (;;) {
      const found = await metadataV12.api.async(connection, [topic], false, false).then(
        (answer) => answer.topics[0],
        () => undefined,
      );
      if (found?.partitions.filter(({ leaderId }) => leaderId >= 0).length === partitions) return;
      if (Date.now() > giveUpAt) {
        throw new SluiceError(
          'kafka-topic',
          `The broker at ${address} has not heard of topic ${topic} after ${topicTimeoutMs / 1000} s.`,
        );
      }
      await sleep(50);
    }
  } finally {
    await connection.close();
  }
}

type Upsertion = Parameters<typeof alterUserScramCredentialsV0.createRequest>[1][number];
type Deletion = Parameters<typeof alterUserScramCredentialsV0.createRequest>[0][number];

function upsertionOf(user: User, mechanism: ScramMechanism): Upsertion {
  const { code, iterations, salt, saltedPassword } = scramCredential(user, mechanism);
  return { name: user.name, mechanism: code, iterations, salt, saltedPassword };
}

async function alterScram(addresses: readonly string[], deletions: Deletion[], upsertions: Upsertion[]): Promise<void> {
  const [host = '', port = ''] = (addresses[0] ?? '').split(':');
  const connection = new Connection('sluice-harness');
  await connection.connect(host, Number(port));
  try {
    const { results } = await alterUserScramCredentialsV0.api.async(connection, deletions, upsertions);
    const failed = results.find(({ errorCode }) => errorCode !== 0);
    if (failed !== undefined)
      throw new SluiceError(
        'kafka-scram',
        `Kafka did not take the SCRAM user ${failed.user}: ${failed.errorMessage ?? failed.errorCode}`,
      );
  } finally {
    await connection.close();
  }
}
