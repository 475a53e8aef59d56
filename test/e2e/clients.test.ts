/**
 * Stock clients through the gateway: each produces, consumes in a group, commits, reads its committed offset back, and
 * is denied in the way its library is made to understand. Nothing about them is changed but the address and the credential.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import { javaTool, oauthUrls } from '../../harness/java-tools.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { kcat } from '../../harness/kcat.ts';
import { type Scene, startScene } from '../../harness/scene.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: ["open-*"], actions: [read, write] }
    - { port: orders, consumerGroups: ["team-*"], actions: [read] }
    - { port: orders, transactionalIds: ["team-*"], actions: [write] }
    - { port: orders, cluster: true, actions: [idempotent-write] }
`;
const records = 200;
const values = Array.from({ length: records }, (_, index) => `value-${String(index).padStart(4, '0')}`);
const lines = `${values.join('\n')}\n`;

let scene: Scene;

before(async () => {
  scene = await startScene({
    clients: [{ id: 'app', secret: 'app-secret', groups: ['team'] }],
    policies: { 'team.yaml': policy },
  });
  for (const client of ['kafkajs', 'platformatic', 'console', 'perf', 'kcat', 'kip848']) {
    await scene.kafka.createTopic(`open-${client}`, { partitions: 3 });
  }
  await scene.kafka.createTopic('closed', { partitions: 1 });
});

after(async () => {
  await scene?.stop();
});

/** What the broker itself holds of a group's offsets: the sum over the topic's partitions. */
async function committed(group: string, topic: string): Promise<number> {
  const admin = await scene.kafka.admin.client();
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  return offsets
    .flatMap(({ partitions }) => partitions)
    .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

async function wasAudited(code: string, topic: string, software: RegExp): Promise<void> {
  await scene.entry(`${code} ${topic}`, (entry) => {
    const text = JSON.stringify(entry.data);
    return entry.type.endsWith(code) && (entry.subject ?? '').startsWith(`topic/${topic}`) && software.test(text);
  });
}

describe('kafkajs', () => {
  test('produces, consumes in a group, commits', async () => {
    const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'app');
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({
      topic: 'open-kafkajs',
      messages: values.map((value, index) => ({ key: String(index), value })),
    });
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: 'team-kafkajs' });
    await consumer.connect();
    await consumer.subscribe({ topics: ['open-kafkajs'], fromBeginning: true });
    const seen = new Set<string>();
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ message }) => {
            seen.add(message.value?.toString() ?? '');
            if (seen.size === records) resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    assert.deepEqual([...seen].sort(), values);
    assert.equal(await committed('team-kafkajs', 'open-kafkajs'), records);
    await wasAudited('flow.window', 'open-kafkajs', /"app"/);
  });

  test('is denied a topic and a group as TOPIC_ and GROUP_AUTHORIZATION_FAILED', async () => {
    const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'app', { retry: { retries: 0 } });
    const producer = kafka.producer();
    await producer.connect();
    await assert.rejects(
      producer.send({ topic: 'closed', messages: [{ value: 'x' }] }),
      /not authorized to access topics/i,
    );
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: 'other' });
    await consumer.connect();
    await consumer.subscribe({ topics: ['open-kafkajs'] });
    const crashed = new Promise<Error>((resolve) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error));
    });
    await consumer.run({ eachMessage: async () => {} }).catch(() => {});
    // kafkajs asks every broker for the group's coordinator and keeps only that none would say.
    assert.match((await crashed).message, /find group coordinator/i);
    await consumer.disconnect();
    await wasAudited('operation.denied', 'closed', /"app"/);
  });
});

describe('@platformatic/kafka', () => {
  const options = async () => ({
    clientId: 'platformatic-app',
    bootstrapBrokers: [scene.bootstrap],
    sasl: { mechanism: 'OAUTHBEARER' as const, token: await scene.idp.token('app') },
    retries: 1,
  });

  test('produces, consumes in a group, commits', async () => {
    const producer = new Producer({ ...(await options()), serializers: stringSerializers });
    await producer.send({
      messages: values.map((value, index) => ({ topic: 'open-platformatic', key: String(index), value })),
    });
    await producer.close();
    const seen = await platformaticConsume('team-platformatic', 'open-platformatic');
    assert.deepEqual([...seen].sort(), values);
    assert.equal(await committed('team-platformatic', 'open-platformatic'), records);
  });

  test('consumes in a KIP-848 group', async () => {
    const producer = new Producer({ ...(await options()), serializers: stringSerializers });
    await producer.send({
      messages: values.map((value, index) => ({ topic: 'open-kip848', key: String(index), value })),
    });
    await producer.close();
    const seen = await platformaticConsume('team-kip848', 'open-kip848', 'consumer');
    assert.deepEqual([...seen].sort(), values);
    assert.equal(await committed('team-kip848', 'open-kip848'), records);
  });

  test('is denied a topic', async () => {
    const producer = new Producer({ ...(await options()), serializers: stringSerializers });
    const failure = await producer.send({ messages: [{ topic: 'closed', value: 'x' }] }).then(
      () => 'it was taken',
      (error: unknown) => causes(error),
    );
    assert.match(failure, /authoriz/i);
    await producer.close();
    const admin = new Admin(await options());
    assert.deepEqual(
      (await admin.listTopics()).filter((topic) => topic === 'closed'),
      [],
    );
    await admin.close();
  });

  async function platformaticConsume(
    groupId: string,
    topic: string,
    groupProtocol: 'classic' | 'consumer' = 'classic',
  ): Promise<Set<string>> {
    const consumer = new Consumer({ ...(await options()), groupId, groupProtocol, deserializers: stringDeserializers });
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 500 });
    const seen = new Set<string>();
    for await (const message of stream) {
      seen.add(message.value);
      await message.commit();
      if (seen.size === records) break;
    }
    await consumer.close(true);
    return seen;
  }
});

/** The messages of an error and all that caused it. */
function causes(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const more = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return [error.message, ...more.map(causes), error.cause === undefined ? '' : causes(error.cause)].join(' | ');
}

describe('Java', () => {
  /** Its own OIDC support: it fetches its tokens itself. */
  const oidc = (): Record<string, string> => ({
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.login.callback.handler.class': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
    'sasl.oauthbearer.token.endpoint.url': scene.idp.tokenEndpoint,
    'sasl.oauthbearer.client.credentials.client.id': 'app',
    'sasl.oauthbearer.client.credentials.client.secret': 'app-secret',
    'sasl.jaas.config': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
  });
  const java = (
    tool: Parameters<typeof javaTool>[0],
    args: readonly string[],
    stdin = '',
    config: Record<string, string> = {},
  ) =>
    javaTool(tool, {
      args: ['--bootstrap-server', scene.bootstrap, ...args],
      config: { ...oidc(), ...config },
      jvm: [oauthUrls(scene.idp.tokenEndpoint)],
      stdin,
      timeoutMs: 90_000,
    });

  test('console producer and consumer: classic group, commits', async () => {
    const produced = await java('console-producer', ['--topic', 'open-console'], lines);
    assert.equal(produced.code, 0, produced.stderr);
    const args = [
      '--topic',
      'open-console',
      '--group',
      'team-console',
      '--from-beginning',
      '--max-messages',
      String(records),
    ];
    const consumed = await java('console-consumer', args);
    assert.equal(consumed.code, 0, consumed.stderr);
    assert.deepEqual(consumed.stdout.trim().split('\n').sort(), values);
    assert.equal(await committed('team-console', 'open-console'), records);
    await wasAudited('flow.window', 'open-console', /apache-kafka-java/);
  });

  test('console consumer in a KIP-848 group', async () => {
    const args = [
      '--topic',
      'open-console',
      '--group',
      'team-console-848',
      '--from-beginning',
      '--max-messages',
      String(records),
    ];
    const consumed = await java('console-consumer', args, '', { 'group.protocol': 'consumer' });
    assert.equal(consumed.code, 0, consumed.stderr);
    assert.deepEqual(consumed.stdout.trim().split('\n').sort(), values);
  });

  test('perf tools', async () => {
    const produced = await java('producer-perf-test', [
      '--topic',
      'open-perf',
      '--num-records',
      '20000',
      '--record-size',
      '500',
      '--throughput',
      '-1',
    ]);
    assert.equal(produced.code, 0, produced.stderr);
    assert.match(produced.stdout, /20000 records sent/);
    const consumed = await java('consumer-perf-test', [
      '--topic',
      'open-perf',
      '--group',
      'team-perf',
      '--num-records',
      '20000',
      '--timeout',
      '30000',
    ]);
    assert.equal(consumed.code, 0, consumed.stderr);
    assert.match(consumed.stdout, /, 20\d{3},/);
  });

  test('is denied a topic and a group in its own exceptions', async () => {
    const produced = await java('console-producer', ['--topic', 'closed'], 'x\n');
    assert.match(produced.stdout + produced.stderr, /TopicAuthorizationException|Not authorized to access topics/);
    const consumed = await java('console-consumer', [
      '--topic',
      'open-console',
      '--group',
      'other',
      '--timeout-ms',
      '8000',
    ]);
    assert.match(consumed.stdout + consumed.stderr, /GroupAuthorizationException|Not authorized to access group/);
  });

  test('a wrong token is told apart in its own exception', async () => {
    const config = {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="token" password="${await scene.idp.token('app', { audience: 'elsewhere' })}";`,
    };
    const args = [
      '--bootstrap-server',
      scene.bootstrap,
      '--topic',
      'open-console',
      '--group',
      'team-wrong',
      '--timeout-ms',
      '8000',
    ];
    const consumed = await javaTool('console-consumer', { args, config });
    assert.match(consumed.stdout + consumed.stderr, /SaslAuthenticationException[^]*wrong audience/);
  });
});

describe('kcat', () => {
  const sasl = async (): Promise<string[]> => {
    const token = await scene.idp.token('app');
    return [
      '-b',
      scene.bootstrap,
      '-X',
      'security.protocol=SASL_PLAINTEXT',
      '-X',
      'sasl.mechanisms=PLAIN',
      '-X',
      'sasl.username=token',
      '-X',
      `sasl.password=${token}`,
    ];
  };

  test('produces, consumes in a group, commits', async () => {
    const produced = await kcat([...(await sasl()), '-P', '-t', 'open-kcat'], { stdin: lines });
    assert.equal(produced.code, 0, produced.stderr);
    const consumed = await kcat(
      [
        ...(await sasl()),
        '-c',
        String(records),
        '-o',
        'beginning',
        '-X',
        'auto.offset.reset=earliest',
        '-G',
        'team-kcat',
        'open-kcat',
      ],
      { timeoutMs: 40_000 },
    );
    assert.deepEqual(consumed.stdout.trim().split('\n').sort(), values, consumed.stderr);
    assert.equal(await committed('team-kcat', 'open-kcat'), records);
    await wasAudited('flow.window', 'open-kcat', /librdkafka/);
  });

  test('produces idempotently and in transactions', async () => {
    const produced = await kcat([...(await sasl()), '-P', '-t', 'open-kcat', '-X', 'transactional.id=team-kcat'], {
      stdin: lines,
    });
    assert.equal(produced.code, 0, produced.stderr);
  });

  test('is denied a topic', async () => {
    const consumed = await kcat([...(await sasl()), '-C', '-e', '-t', 'closed'], { timeoutMs: 20_000 });
    assert.notEqual(consumed.code, 0);
    assert.match(consumed.stderr, /Topic authorization failed/);
    const listed = await kcat([...(await sasl()), '-L']);
    assert.doesNotMatch(listed.stdout, /closed/);
    assert.match(listed.stdout, /open-kcat/);
  });
});
