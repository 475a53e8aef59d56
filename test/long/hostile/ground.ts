/** What the attack stands on: a real broker, an IdP, the gateway as a process, a victim with things worth having. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../../harness/batches.ts';
import { type GatewayProcess, startGatewayProcess } from '../../../harness/gateway-process.ts';
import { type Idp, startIdp } from '../../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../../harness/kafka.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  errorName,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import type { Aims } from './seeds.ts';

/** Mallory may read and write one topic, and use one group and one transactional id. All else is the victim's. */
const policies = {
  'mallory.yaml': `apiVersion: sluice/v1
kind: Policy
metadata: { name: mallory }
spec:
  subjects: [{ group: few }]
  allow:
    - { port: orders, topics: [open], actions: [describe, read, write] }
    - { port: orders, consumerGroups: ["mallory-*"], actions: [describe, read] }
    - { port: orders, transactionalIds: ["mallory-*"], actions: [describe, write] }
`,
  'canary.yaml': `apiVersion: sluice/v1
kind: Policy
metadata: { name: canary }
spec:
  subjects: [{ group: canary }]
  allow:
    - { port: orders, topics: [canary], actions: [describe, read, write] }
`,
};
const clients = [
  { id: 'mallory', secret: 'm', groups: ['few'], ttlSeconds: 7_200 },
  { id: 'canary', secret: 'c', groups: ['canary'], ttlSeconds: 7_200 },
];

const victimTopics = ['secret', 'ledger'];
const victimGroup = 'victim-group';
const victimTransaction = 'victim-txn';
const records = 50;

export interface Ground {
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  readonly gateway: GatewayProcess;
  readonly aims: Aims;
  /** Everything at the broker that is not Mallory's, as a super user sees it. */
  victims(): Promise<Record<string, unknown>>;
  /** What the broker did not answer in time when it was first asked for `victims`. */
  slowQuestions(): readonly string[];
  stop(): Promise<void>;
}

export async function startGround(): Promise<Ground> {
  const [kafka, idp] = await Promise.all([
    startKafka({ acls: true, config: { 'transaction.max.timeout.ms': '7200000', 'log.retention.ms': '-1' } }),
    startIdp({ clients }),
  ]);
  const undo = [() => kafka.stop(), () => idp.stop()];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const admin = new Admin(kafka.bootstrap('plaintext'));
    const ids = await furnish(admin);
    const gateway = await startGatewayProcess({ kafka, idp, policies });
    undo.push(
      () => gateway.stop(),
      async () => admin.close(),
    );
    return {
      kafka,
      idp,
      gateway,
      aims: aimsAt(ids),
      victims: () => victims(admin),
      slowQuestions: () => admin.slow,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A super user, straight at the broker. */
const askTriesMax = 8;
const askAgainAfterMs = 10_000;

class Admin {
  /** Questions that the broker did not answer in time at first. */
  readonly slow: ApiName[] = [];
  readonly #address: string;
  #client: WireClient | null = null;

  constructor(address: string) {
    this.#address = address;
  }

  async ask<N extends ApiName>(
    api: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    // Kafka's brokers hand questions on to their controller one by one. One that it does not answer holds up all others for
    // a minute, as the broker's log then says; whether the gateway goes on meanwhile is the canary's to say.
    for (let triesLeft = askTriesMax - 1; ; triesLeft -= 1) {
      if (this.#client === null || this.#client.closed) this.#client = await WireClient.connect(this.#address);
      try {
        return await this.#client.ask(api, version, message);
      } catch (error) {
        this.#client.close();
        if (triesLeft === 0) throw error;
        this.slow.push(api);
        await sleep(askAgainAfterMs);
      }
    }
  }

  /** Coordinators load when first asked. */
  async until(what: string, ask: () => Promise<number>): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const code = await ask();
      if (code === 0) return;
      if (tries > 100) throw new Error(`${what}: ${errorName(code)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): void {
    this.#client?.close();
  }
}

/** @returns topic ids by name */
async function furnish(admin: Admin): Promise<ReadonlyMap<string, string>> {
  const names = [...victimTopics, 'open', 'canary'];
  const { topics } = await admin.ask('CreateTopics', 7, {
    topics: names.map((name) => ({ name, numPartitions: 2, replicationFactor: 1 })),
    timeoutMs: 10_000,
  });
  for (const name of victimTopics) {
    const batch = batchOf(Array.from({ length: records }, (_, index) => `${name}-${index}`));
    await admin.until(`records in ${name}`, async () => {
      const topicData = [{ name, partitionData: [{ index: 0, records: batch }] }];
      const answer = await admin.ask('Produce', 9, { acks: -1, timeoutMs: 10_000, topicData });
      return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    });
  }
  await furnishCoordinators(admin);
  await admin.ask('CreateAcls', 3, {
    creations: [
      {
        resourceType: 2,
        resourceName: 'secret',
        resourcePatternType: 3,
        principal: 'User:victim',
        host: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  });
  return new Map(topics.map(({ name, topicId }) => [name ?? '', topicId]));
}

async function furnishCoordinators(admin: Admin): Promise<void> {
  for (const keyType of [0, 1]) await admin.ask('FindCoordinator', 4, { keyType, coordinatorKeys: [victimGroup] });
  await admin.until('the offsets of the victim', async () => {
    const topics = [
      { name: 'secret', partitions: [{ partitionIndex: 0, committedOffset: 7n, committedMetadata: 'm' }] },
    ];
    const answer = await admin.ask('OffsetCommit', 8, { groupId: victimGroup, generationIdOrMemberEpoch: -1, topics });
    return answer.topics[0]?.partitions[0]?.errorCode ?? -1;
  });
  let producer = { producerId: -1n, producerEpoch: -1 };
  await admin.until('the producer of the victim', async () => {
    const answer = await admin.ask('InitProducerId', 4, {
      transactionalId: victimTransaction,
      transactionTimeoutMs: 7_000_000,
    });
    producer = { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    return answer.errorCode;
  });
  await admin.until('the transaction of the victim', async () => {
    const answer = await admin.ask('AddPartitionsToTxn', 3, {
      v3AndBelowTransactionalId: victimTransaction,
      v3AndBelowProducerId: producer.producerId,
      v3AndBelowProducerEpoch: producer.producerEpoch,
      v3AndBelowTopics: [{ name: 'ledger', partitions: [0] }],
    });
    return answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1;
  });
  await admin.until('the share coordinator', async () => {
    const memberId = 'AAAAAAAAAAAAAAAAAAAAAQ';
    const joining = { groupId: 'victim-share', memberId, memberEpoch: 0, subscribedTopicNames: ['secret'] };
    const { errorCode } = await admin.ask('ShareGroupHeartbeat', 1, joining);
    if (errorCode === 0)
      await admin.ask('ShareGroupHeartbeat', 1, { groupId: 'victim-share', memberId, memberEpoch: -1 });
    return errorCode;
  });
}

function aimsAt(ids: ReadonlyMap<string, string>): Aims {
  const own = ['open', 'mallory-a'];
  const others = [
    ...victimTopics,
    victimGroup,
    victimTransaction,
    'victim-share',
    'canary',
    '__consumer_offsets',
    '__transaction_state',
  ];
  return {
    names: [...own, ...own, ...others, '', '*', '0', 'kafka-cluster', 'none-such', 'secret\u0000', 'x'.repeat(260)],
    ids: [
      ...['open', 'secret', 'ledger', 'canary'].map((name) => ids.get(name) ?? ''),
      'AAAAAAAAAAAAAAAAAAAAAA',
      'u7v9wG3yR1yV2c3d4e5f6A',
    ],
    records: [
      batchOf(['by mallory']),
      batchOf(['by mallory'], 'gzip'),
      batchOf(Array.from({ length: 200 }, () => 'x'.repeat(100))),
    ],
  };
}

async function victims(admin: Admin): Promise<Record<string, unknown>> {
  const metadata = await admin.ask('Metadata', 12, { topics: null });
  const topics = metadata.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.length,
  }));
  const names = topics.flatMap(({ name }) => (name === null ? [] : [name])).toSorted();
  return {
    topics: topics.toSorted((a, b) => (String(a.name) < String(b.name) ? -1 : 1)),
    configs: await configs(admin, names),
    ...(await groups(admin)),
    ...(await transactions(admin)),
    offsets: await offsets(admin),
    records: await contents(admin),
    ...(await cluster(admin)),
  };
}

async function configs(admin: Admin, topics: readonly string[]): Promise<unknown> {
  const named = [
    ...topics.map((resourceName) => ({ resourceType: 2, resourceName })),
    ...['0', ''].map((resourceName) => ({ resourceType: 4, resourceName })),
    ...[victimGroup, 'victim-share'].map((resourceName) => ({ resourceType: 32, resourceName })),
    { resourceType: 16, resourceName: 'victim-metrics' },
  ];
  const resources = named.map((one) => ({ ...one, configurationKeys: null }));
  const { results } = await admin.ask('DescribeConfigs', 4, { resources });
  return results.map(({ resourceName, resourceType, errorCode, configs: all }) => ({
    resource: `${resourceType} ${resourceName}`,
    errorCode,
    all: all.map(({ name, value, configSource }) => `${name}=${value} (${configSource})`).toSorted(),
  }));
}

async function groups(admin: Admin): Promise<Record<string, unknown>> {
  const listed = (await admin.ask('ListGroups', 5, {})).groups.filter(({ groupId }) => !groupId.startsWith('mallory-'));
  const ids = listed.map(({ groupId }) => groupId).toSorted();
  const asked = [victimGroup, 'victim-share'].map((groupId) => ({
    groupId,
    memberId: null,
    memberEpoch: -1,
    topics: null,
  }));
  const committed = await admin.ask('OffsetFetch', 9, { groups: asked });
  const described = await admin.ask('DescribeGroups', 5, { groups: [victimGroup] });
  return { groups: ids, committed: committed.groups, described: described.groups };
}

async function transactions(admin: Admin): Promise<Record<string, unknown>> {
  const listed = await admin.ask('ListTransactions', 1, {});
  const { transactionStates } = await admin.ask('DescribeTransactions', 0, { transactionalIds: [victimTransaction] });
  return {
    transactions: listed.transactionStates.filter(({ transactionalId }) => !transactionalId.startsWith('mallory-')),
    transaction: transactionStates,
  };
}

async function offsets(admin: Admin): Promise<unknown> {
  const bounds = async (timestamp: bigint): Promise<unknown> => {
    const topics = victimTopics.map((name) => ({
      name,
      partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp })),
    }));
    return (await admin.ask('ListOffsets', 7, { replicaId: -1, topics })).topics;
  };
  return { earliest: await bounds(-2n), latest: await bounds(-1n) };
}

/** A digest of what the victim's topics hold, bytes as they are. */
async function contents(admin: Admin): Promise<unknown> {
  const topics = victimTopics.map((topic) => ({
    topic,
    partitions: [0, 1].map((partition) => ({ partition, fetchOffset: 0n, partitionMaxBytes: 10_000_000 })),
  }));
  const answer = await admin.ask('Fetch', 12, {
    replicaId: -1,
    maxWaitMs: 10,
    minBytes: 0,
    maxBytes: 50_000_000,
    sessionEpoch: -1,
    topics,
  });
  return answer.responses
    .flatMap(({ topic, partitions }) =>
      partitions.map(
        ({ partitionIndex, records: bytes }) =>
          `${topic} ${partitionIndex} ${createHash('sha256')
            .update(bytes ?? '')
            .digest('hex')}`,
      ),
    )
    .toSorted();
}

async function cluster(admin: Admin): Promise<Record<string, unknown>> {
  const acls = await admin.ask('DescribeAcls', 3, {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  });
  const { entries } = await admin.ask('DescribeClientQuotas', 1, { components: [], strict: false });
  const { results } = await admin.ask('DescribeUserScramCredentials', 0, { users: null });
  const features = await admin.ask('ApiVersions', 3, { clientSoftwareName: 'admin', clientSoftwareVersion: '1' });
  const quorum = await admin.ask('DescribeQuorum', 2, {
    topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
  });
  const moving = await admin.ask('ListPartitionReassignments', 0, { timeoutMs: 5_000, topics: null });
  const resources = await admin.ask('ListConfigResources', 1, { resourceTypes: [] });
  return {
    acls: acls.resources,
    quotas: entries,
    scram: results,
    features: features.finalizedFeatures,
    voters: quorum.topics[0]?.partitions[0]?.currentVoters.map(({ replicaId }) => replicaId),
    reassignments: moving.topics,
    resources: resources.configResources
      .map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`)
      .toSorted(),
  };
}
