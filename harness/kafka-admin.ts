import { setTimeout as sleep } from 'node:timers/promises';
import {
  alterUserScramCredentialsV0,
  Connection,
  listOffsetsV6,
  metadataV12,
  ResponseError,
} from '@platformatic/kafka';
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
      const partitions = options?.partitions ?? 1;
      await createTopic(await client(), name, options ?? {});
      for (const address of addresses) await knows(address, name, partitions);
      await isLed(addresses, name, partitions);
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
  const connection = await reach(address);
  if (connection === undefined) return;
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

/**
 * A broker names the leaders of a topic some milliseconds before it begins to lead. Until then it takes writes of some
 * partitions and says NOT_LEADER_OR_FOLLOWER of others, and a producer that is not idempotent then writes the former twice.
 */
async function isLed(addresses: readonly string[], topic: string, partitions: number): Promise<void> {
  const waiting = new Set(Array.from({ length: partitions }, (_, index) => index));
  const giveUpAt = Date.now() + topicTimeoutMs;
  for (;;) {
    for (const address of addresses) {
      for (const partition of await ledBy(address, topic, waiting)) waiting.delete(partition);
    }
    if (waiting.size === 0) return;
    if (Date.now() > giveUpAt) {
      throw new SluiceError(
        'kafka-topic',
        `No broker leads partition ${[...waiting].join(', ')} of topic ${topic} after ${topicTimeoutMs / 1000} s.`,
      );
    }
    await sleep(50);
  }
}

/** Which of these partitions the broker leads: those it has an end of. None where it is down. */
async function ledBy(address: string, topic: string, partitions: Iterable<number>): Promise<number[]> {
  const connection = await reach(address);
  if (connection === undefined) return [];
  const asked = Array.from(partitions, (partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: -1n,
  }));
  try {
    const { topics } = await listOffsetsV6.api.async(connection, -1, 0, [{ name: topic, partitions: asked }]);
    return (topics[0]?.partitions ?? []).map(({ partitionIndex }) => partitionIndex);
  } catch (error) {
    // The client throws where any partition has an error; the answer is in it.
    if (!(error instanceof ResponseError)) throw error;
    const { topics } = error['response'] as listOffsetsV6.ListOffsetsResponse;
    const led = (topics[0]?.partitions ?? []).filter(({ errorCode }) => errorCode === 0);
    return led.map(({ partitionIndex }) => partitionIndex);
  } finally {
    await connection.close();
  }
}

/** Nothing where the broker is down. */
async function reach(address: string): Promise<Connection | undefined> {
  const connection = new Connection('sluice-harness');
  const [host = '', port = ''] = address.split(':');
  try {
    await connection.connect(host, Number(port));
    return connection;
  } catch {
    return undefined;
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
