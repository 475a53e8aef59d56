import { Kafka, logLevel } from 'kafkajs';
import type { Admin, Consumer, KafkaConfig, SASLOptions } from 'kafkajs';
import { attempt } from './attempt.ts';
import type { Scene } from './capture.ts';

const topic = 'kafkajs';
const topicType = 2;
const literal = 3;
const anyValue = 1;
const readOperation = 3;
const allow = 3;

export async function runKafkajs(scene: Scene): Promise<void> {
  const kafka = client(scene);
  const admin = kafka.admin();
  await admin.connect();
  await attempt(
    scene,
    'kafkajs topics',
    async () =>
      await admin.createTopics({
        topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '60000' }] }],
      }),
  );
  await attempt(scene, 'kafkajs producer', async () => await produce(kafka));
  await attempt(scene, 'kafkajs consumer', async () => await consume(kafka.consumer({ groupId: 'kafkajs-group' })));
  await attempt(scene, 'kafkajs transaction', async () => await transact(kafka));
  for (const [what, step] of adminSteps(admin)) await attempt(scene, `kafkajs ${what}`, step);
  await admin.disconnect();
  for (const mechanism of ['plain', 'scram-sha-256'] as const) {
    await attempt(scene, `kafkajs ${mechanism}`, async () => {
      const { name, password } = scene.user;
      const authenticated = client(scene, {
        brokers: [scene.sasl.address],
        sasl: { mechanism, username: name, password } as SASLOptions,
      }).admin();
      await authenticated.connect();
      await authenticated.listTopics();
      await authenticated.disconnect();
    });
  }
}

function client(scene: Scene, config: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    clientId: 'capture-kafkajs',
    brokers: [scene.plaintext.address],
    logLevel: logLevel.NOTHING,
    ...config,
  });
}

async function produce(kafka: Kafka): Promise<void> {
  for (const acks of [-1, 1]) {
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({
      topic,
      acks,
      messages: [
        { key: 'k', value: 'one', headers: { h: 'v' } },
        { value: null, key: 'gone' },
      ],
    });
    await producer.disconnect();
  }
}

async function consume(consumer: Consumer): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  await consumer.run({ eachMessage: async () => resolve() });
  await promise;
  await new Promise((done) => setTimeout(done, 1_000));
  await consumer.disconnect();
}

async function transact(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({ transactionalId: 'kafkajs-tx', maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const first = await producer.transaction();
  await first.send({ topic, messages: [{ value: 'committed' }] });
  await first.sendOffsets({
    consumerGroupId: 'kafkajs-group',
    topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }],
  });
  await first.commit();
  const second = await producer.transaction();
  await second.send({ topic, messages: [{ value: 'aborted' }] });
  await second.abort();
  await producer.disconnect();
}

function adminSteps(admin: Admin): [string, () => Promise<unknown>][] {
  const acl = {
    resourceType: topicType,
    resourceName: topic,
    resourcePatternType: literal,
    principal: 'User:someone',
    host: '*',
    operation: readOperation,
    permissionType: allow,
  };
  const filter = { ...acl, resourcePatternType: anyValue, operation: anyValue, permissionType: anyValue };
  const resource = { type: topicType, name: topic };
  return [
    ['list topics', () => admin.listTopics()],
    ['metadata', () => admin.fetchTopicMetadata({ topics: [topic] })],
    ['cluster', () => admin.describeCluster()],
    ['offsets', () => admin.fetchTopicOffsets(topic)],
    ['offsets by time', () => admin.fetchTopicOffsetsByTimestamp(topic, 0)],
    ['group offsets', () => admin.fetchOffsets({ groupId: 'kafkajs-group', topics: [topic] })],
    [
      'set offsets',
      () => admin.setOffsets({ groupId: 'kafkajs-group', topic, partitions: [{ partition: 0, offset: '1' }] }),
    ],
    ['groups', () => admin.listGroups()],
    ['describe groups', () => admin.describeGroups(['kafkajs-group'])],
    [
      'describe configs',
      () =>
        admin.describeConfigs({ includeSynonyms: true, resources: [{ ...resource, configNames: ['retention.ms'] }] }),
    ],
    [
      'alter configs',
      () =>
        admin.alterConfigs({
          validateOnly: true,
          resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '70000' }] }],
        }),
    ],
    ['partitions', () => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })],
    ['create acls', () => admin.createAcls({ acl: [acl] })],
    ['describe acls', () => admin.describeAcls(filter)],
    ['delete acls', () => admin.deleteAcls({ filters: [filter] })],
    [
      'reassign',
      () =>
        admin.alterPartitionReassignments({
          topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [0] }] }],
        }),
    ],
    ['list reassignments', () => admin.listPartitionReassignments({ topics: [{ topic, partitions: [0] }] })],
    ['delete records', () => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] })],
    ['delete groups', () => admin.deleteGroups(['kafkajs-group'])],
    ['delete topics', () => admin.deleteTopics({ topics: [topic] })],
  ];
}
