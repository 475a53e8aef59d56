import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import type { ConsumerOptions } from '@platformatic/kafka';
import { attempt } from './attempt.ts';
import type { Scene } from './capture.ts';

const topic = 'platformatic';
const topicType = 2;
const literal = 3;
const anyValue = 1;
const readOperation = 3;
const allow = 3;

export async function runPlatformatic(scene: Scene): Promise<void> {
  const base = { clientId: 'capture-platformatic', bootstrapBrokers: [scene.plaintext.address], retries: 3 };
  const admin = new Admin(base);
  await attempt(
    scene,
    'platformatic topics',
    async () => await admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 }),
  );
  await attempt(scene, 'platformatic producer', async () => {
    for (const [compression, acks] of [
      ['none', -1],
      ['gzip', 1],
      ['lz4', -1],
      ['snappy', -1],
      ['zstd', -1],
    ] as const) {
      const producer = new Producer({ ...base, serializers: stringSerializers, compression });
      await producer.send({ acks, messages: [{ topic, key: 'k', value: 'one', headers: { h: 'v' } }] });
      await producer.close();
    }
  });
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    await attempt(
      scene,
      `platformatic ${groupProtocol} group`,
      async () => await consume({ ...base, groupId: `platformatic-${groupProtocol}`, groupProtocol }),
    );
  }
  await attempt(scene, 'platformatic transaction', async () => {
    const producer = new Producer({
      ...base,
      serializers: stringSerializers,
      idempotent: true,
      transactionalId: 'platformatic-tx',
    });
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: [{ topic, value: 'committed' }] });
    await transaction.commit();
    await producer.close();
  });
  for (const [what, step] of adminSteps(admin)) await attempt(scene, `platformatic ${what}`, step);
  await admin.close();
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-512'] as const) {
    await attempt(scene, `platformatic ${mechanism}`, async () => {
      const sasl = { mechanism, username: scene.user.name, password: scene.user.password };
      const authenticated = new Admin({ ...base, bootstrapBrokers: [scene.sasl.address], sasl });
      await authenticated.listTopics();
      await authenticated.close();
    });
  }
}

async function consume(options: ConsumerOptions<string, string, string, string>): Promise<void> {
  const consumer = new Consumer({
    ...options,
    deserializers: stringDeserializers,
    autocommit: false,
    maxWaitTime: 500,
  });
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest' });
  for await (const message of stream) {
    await message.commit();
    break;
  }
  await consumer.close(true);
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
  } as const;
  const filter = {
    ...acl,
    resourcePatternType: anyValue,
    principal: null,
    host: null,
    operation: anyValue,
    permissionType: anyValue,
  } as const;
  const resource = { resourceType: topicType, resourceName: topic } as const;
  const group = { groupId: 'platformatic-classic' };
  return [
    ['list topics', () => admin.listTopics({ includeInternals: true })],
    ['metadata', () => admin.metadata({ topics: [topic] })],
    [
      'offsets',
      () => admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }] }),
    ],
    ['groups', () => admin.listGroups()],
    ['describe groups', () => admin.describeGroups({ groups: [group.groupId], includeAuthorizedOperations: true })],
    ['coordinator', () => admin.findCoordinator({ keyType: 0, keys: [group.groupId] })],
    ['group offsets', () => admin.listConsumerGroupOffsets({ groups: [group.groupId] })],
    [
      'alter group offsets',
      () =>
        admin.alterConsumerGroupOffsets({
          ...group,
          topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 1n }] }],
        }),
    ],
    [
      'delete group offsets',
      () => admin.deleteConsumerGroupOffsets({ ...group, topics: [{ name: topic, partitionIndexes: [0] }] }),
    ],
    [
      'partitions',
      () =>
        admin.createPartitions({
          topics: [{ name: topic, count: 3, assignments: [{ brokerIds: [0] }] }],
          validateOnly: true,
        }),
    ],
    [
      'describe configs',
      () =>
        admin.describeConfigs({
          resources: [{ ...resource, configurationKeys: ['retention.ms'] }],
          includeSynonyms: true,
        }),
    ],
    [
      'alter configs',
      () =>
        admin.alterConfigs({
          resources: [{ ...resource, configs: [{ name: 'retention.ms', value: '70000' }] }],
          validateOnly: true,
        }),
    ],
    [
      'incremental configs',
      () =>
        admin.incrementalAlterConfigs({
          resources: [{ ...resource, configs: [{ name: 'retention.ms', configOperation: 0, value: '70000' }] }],
          validateOnly: true,
        }),
    ],
    [
      'quotas',
      () =>
        admin.alterClientQuotas({
          entries: [
            {
              entities: [{ entityType: 'user', entityName: 'someone' }],
              ops: [{ key: 'producer_byte_rate', value: 1e6, remove: false }],
            },
          ],
        }),
    ],
    ['describe quotas', () => admin.describeClientQuotas({ components: [{ entityType: 'user', matchType: 2 }] })],
    ['log dirs', () => admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] })],
    ['create acls', () => admin.createAcls({ creations: [acl] })],
    ['describe acls', () => admin.describeAcls({ filter })],
    ['delete acls', () => admin.deleteAcls({ filters: [filter] })],
    [
      'delete records',
      () => admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 1n }] }] }),
    ],
    ['delete groups', () => admin.deleteGroups({ groups: [group.groupId] })],
    ['delete topics', () => admin.deleteTopics({ topics: [topic] })],
  ];
}
