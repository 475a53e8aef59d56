/** Share groups (KIP-932) and transactions through the gateway, with stock clients: Java's share consumer and perf test, kafkajs. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { javaTool, oauthUrls } from '../../harness/java-tools.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';

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

let scene: Scene;

before(async () => {
  scene = await startScene({
    clients: [{ id: 'app', secret: 'app-secret', groups: ['team'] }],
    policies: { 'team.yaml': policy },
  });
  for (const topic of ['open-share', 'open-in', 'open-out', 'open-perf', 'closed'])
    await scene.kafka.createTopic(topic, { partitions: 2 });
});

after(async () => {
  await scene?.stop();
});

const java = (tool: Parameters<typeof javaTool>[0], args: readonly string[]) =>
  javaTool(tool, {
    args: ['--bootstrap-server', scene.bootstrap, ...args],
    config: {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'OAUTHBEARER',
      'sasl.login.callback.handler.class':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
      'sasl.oauthbearer.token.endpoint.url': scene.idp.tokenEndpoint,
      'sasl.oauthbearer.client.credentials.client.id': 'app',
      'sasl.oauthbearer.client.credentials.client.secret': 'app-secret',
      'sasl.jaas.config': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
    },
    jvm: [oauthUrls(scene.idp.tokenEndpoint)],
    timeoutMs: 90_000,
  });

/** Where a share group without offsets begins; the default is at the end. */
async function fromEarliest(group: string): Promise<void> {
  const admin = await WireClient.connect(scene.kafka.bootstrap());
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const { responses } = await admin.ask('IncrementalAlterConfigs', 1, {
    resources: [{ resourceType: 32, resourceName: group, configs }],
  });
  assert.deepEqual(
    responses.map(({ errorCode }) => errorCode),
    [0],
  );
  admin.socket.destroy();
}

describe('share groups', () => {
  test("Java's share consumer reads every record, and the log knows which", async () => {
    const producer = kafkajsClient(scene.bootstrap, scene.idp, 'app').producer();
    await producer.connect();
    await producer.send({ topic: 'open-share', messages: values.map((value) => ({ key: value, value })) });
    await producer.disconnect();
    await fromEarliest('team-share');
    const consumed = await java('console-share-consumer', [
      '--topic',
      'open-share',
      '--group',
      'team-share',
      '--max-messages',
      String(records),
    ]);
    assert.equal(consumed.code, 0, consumed.stderr);
    assert.deepEqual(consumed.stdout.trim().split('\n').sort(), values);
    await scene.entry('share reads', ({ type, subject, data }) => {
      const text = JSON.stringify(data);
      return (
        type.endsWith('flow.window') &&
        (subject ?? '').startsWith('topic/open-share') &&
        text.includes('read') &&
        /apache-kafka-java/.test(text)
      );
    });
  });

  test('is denied a topic and a group', async () => {
    const topic = await java('console-share-consumer', [
      '--topic',
      'closed',
      '--group',
      'team-share',
      '--timeout-ms',
      '8000',
    ]);
    assert.match(topic.stderr, /TopicAuthorizationException|Not authorized to access topics/);
    const group = await java('console-share-consumer', [
      '--topic',
      'open-share',
      '--group',
      'other',
      '--timeout-ms',
      '8000',
    ]);
    assert.match(group.stderr, /GroupAuthorizationException|Not authorized to access group/);
  });
});

describe('transactions', () => {
  test('kafkajs: consume, produce and commit offsets in one transaction', async () => {
    const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'app');
    const producer = kafka.producer({ transactionalId: 'team-copy', maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic: 'open-out', messages: values.map((value) => ({ value })) });
    await transaction.sendOffsets({
      consumerGroupId: 'team-copy',
      topics: [{ topic: 'open-in', partitions: [{ partition: 0, offset: '42' }] }],
    });
    await transaction.commit();
    const aborted = await producer.transaction();
    await aborted.send({ topic: 'open-out', messages: [{ value: 'never' }] });
    await aborted.abort();
    await producer.disconnect();
    const admin = await scene.kafka.admin.client();
    const [offsets] = await admin.fetchOffsets({ groupId: 'team-copy', topics: ['open-in'] });
    assert.equal(offsets?.partitions.find(({ partition }) => partition === 0)?.offset, '42');
  });

  test('kafkajs: a denied topic fails the transaction, a denied id its beginning', async () => {
    const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'app', { retry: { retries: 1, initialRetryTime: 10 } });
    const producer = kafka.producer({ transactionalId: 'team-denied', maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const transaction = await producer.transaction();
    await assert.rejects(transaction.send({ topic: 'closed', messages: [{ value: 'x' }] }), /not authorized/i);
    await transaction.abort();
    await producer.disconnect();
    const other = kafka.producer({ transactionalId: 'other', maxInFlightRequests: 1, idempotent: true });
    await assert.rejects(async () => {
      await other.connect();
      await other.transaction();
    });
    await other.disconnect();
  });

  test('Java: transactions whose partitions the broker adds by itself (KIP-890)', async () => {
    const args = ['--topic', 'open-perf', '--num-records', '2000', '--record-size', '100', '--throughput', '-1'];
    const done = await java('producer-perf-test', [
      ...args,
      '--transactional-id',
      'team-perf',
      '--transaction-duration-ms',
      '200',
    ]);
    assert.equal(done.code, 0, done.stderr);
    const denied = await java('producer-perf-test', [
      ...args,
      '--transactional-id',
      'other',
      '--transaction-duration-ms',
      '200',
    ]);
    assert.match(
      denied.stderr + denied.stdout,
      /TransactionalIdAuthorizationException|Transactional Id authorization failed/i,
    );
  });
});
