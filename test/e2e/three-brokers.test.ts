/** Three brokers behind one gateway, each at a port of its own: who is reached where, what clients learn, and a broker that goes and comes back. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import { batchOf } from '../../harness/batches.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  decodeResponse,
  errorCodes,
} from '../../src/ports/kafka/protocol/protocol.ts';

const partitions = 6;
const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: ["t-*"], consumerGroups: ["g-*"], actions: [describe, read, write] }
    - { port: orders, cluster: true, actions: [describe, idempotent-write] }
`;

let scene: Scene;
/** Node ids that lead the partitions of `t-spread`, by partition. */
let leaders: number[];
let topicId: string;
/** A partition that broker 0 has no replica of: consumers may fetch from followers (KIP-392). */
let elsewhere: { topicId: string; partition: number; leader: number };

before(async () => {
  scene = await startScene({
    kafka: { nodes: 3, heapMB: 256 },
    clients: [{ id: 'alice', secret: 'a', groups: ['team'] }],
    policies: { 'team.yaml': policy },
    // Another host than the brokers' own, so that theirs is found in whatever reaches a client.
    port: { advertise: { mode: 'ports', host: 'localhost', firstPort: 0, firstNodeId: 0, count: 4 } },
  });
  await scene.kafka.createTopic('t-single', { partitions: 3, replicationFactor: 1 });
  for (const name of ['t-spread', 't-kafkajs', 't-platformatic', 't-restart'])
    await scene.kafka.createTopic(name, { partitions });
  const client = await authenticated(scene.bootstrap);
  const answer = await client.ask('Metadata', 12, { topics: [{ name: 't-spread' }] });
  const [topic] = answer.topics;
  assert.ok(topic);
  topicId = topic.topicId;
  leaders = [...topic.partitions].sort((a, b) => a.partitionIndex - b.partitionIndex).map(({ leaderId }) => leaderId);
  const [single] = (await client.ask('Metadata', 12, { topics: [{ name: 't-single' }] })).topics;
  const away = single?.partitions.find(({ leaderId }) => leaderId !== 0);
  assert.ok(single && away);
  elsewhere = { topicId: single.topicId, partition: away.partitionIndex, leader: away.leaderId };
  client.close();
});

after(async () => {
  await scene?.stop();
});

async function authenticated(address: string): Promise<WireClient> {
  const client = await WireClient.connect(address);
  const answer = await client.authenticate(await scene.idp.token('alice'));
  assert.equal(answer.errorCode, 0);
  return client;
}

/** Asks, and holds the raw answer against the brokers' own host. */
async function askForeign<N extends ApiName>(
  client: WireClient,
  name: N,
  version: number,
  message: Draft<RequestMessages[N]>,
): Promise<ResponseMessages[N]> {
  client.write(client.frame(name, version, message));
  const payload = await client.payload();
  assert.ok(payload, `${name} v${version} was answered`);
  assert.equal(payload.includes('127.0.0.1'), false, `${name} v${version} names the host of a broker`);
  return decodeResponse(name, version, payload).message;
}

function assertGateway(
  brokers: readonly { nodeId: number; host: string; port: number }[],
  nodeIds: readonly number[],
): void {
  const own = nodeIds.map((nodeId) => ({
    nodeId,
    host: 'localhost',
    port: Number(scene.brokerAddress(nodeId).split(':')[1]),
  }));
  const seen = brokers.map(({ nodeId, host, port }) => ({ nodeId, host, port })).sort((a, b) => a.nodeId - b.nodeId);
  assert.deepEqual(seen, own);
}

const produceOf = (partition: number): Draft<RequestMessages['Produce']> => ({
  acks: -1,
  timeoutMs: 5_000,
  topicData: [{ name: 't-spread', topicId, partitionData: [{ index: partition, records: batchOf(['x']) }] }],
});

const fetchElsewhere = (): Draft<RequestMessages['Fetch']> => ({
  replicaId: -1,
  maxWaitMs: 100,
  minBytes: 1,
  maxBytes: 1_000_000,
  sessionEpoch: -1,
  topics: [
    {
      topicId: elsewhere.topicId,
      partitions: [{ partition: elsewhere.partition, fetchOffset: 0n, partitionMaxBytes: 100_000 }],
    },
  ],
});

describe('addresses', () => {
  test('the partitions are spread over all brokers, so that what follows says something', () => {
    assert.deepEqual(new Set(leaders), new Set([0, 1, 2]));
  });

  test('each broker port leads to that broker and no other', async () => {
    for (const nodeId of [0, 1, 2]) {
      const client = await authenticated(scene.brokerAddress(nodeId));
      for (const [partition, leader] of leaders.entries()) {
        const answer = await client.ask('Produce', 9, produceOf(partition));
        const expected = leader === nodeId ? 0 : errorCodes.NOT_LEADER_OR_FOLLOWER;
        assert.equal(
          answer.responses[0]?.partitionResponses[0]?.errorCode,
          expected,
          `partition ${partition} at broker ${nodeId}`,
        );
      }
      client.close();
    }
  });

  for (const version of [0, 1, 4, 8, 12, 13]) {
    test(`Metadata v${version} names only the gateway`, async () => {
      const client = await authenticated(scene.bootstrap);
      assertGateway(
        (await askForeign(client, 'Metadata', version, { topics: [{ name: 't-spread' }] })).brokers,
        [0, 1, 2],
      );
      client.close();
    });
  }

  test('FindCoordinator names only the gateway, one key or many', async () => {
    const client = await authenticated(scene.bootstrap);
    for (const version of [0, 3]) {
      const answer = await coordinator(
        () => askForeign(client, 'FindCoordinator', version, { key: 'g-1', keyType: 0 }),
        ({ errorCode }) => errorCode,
      );
      assertGateway([answer], [answer.nodeId]);
    }
    for (const version of [4, 6]) {
      const answer = await askForeign(client, 'FindCoordinator', version, {
        keyType: 0,
        coordinatorKeys: ['g-1', 'g-2', 'other'],
      });
      const found = answer.coordinators.filter(({ errorCode }) => errorCode === 0);
      assert.ok(found.length >= 1);
      for (const one of found) assertGateway([one], [one.nodeId]);
    }
    client.close();
  });

  test('DescribeCluster names only the gateway', async () => {
    const client = await authenticated(scene.bootstrap);
    for (const version of [0, 1, 2]) {
      const answer = await askForeign(client, 'DescribeCluster', version, {});
      assert.equal(answer.errorCode, 0);
      assertGateway(
        answer.brokers.map(({ brokerId, host, port }) => ({ nodeId: brokerId, host, port })),
        [0, 1, 2],
      );
    }
    client.close();
  });

  for (const version of [10, 12, 13]) {
    test(`Produce v${version} at the wrong broker names the right one at the gateway (KIP-951)`, async () => {
      const partition = leaders.findIndex((leader) => leader !== 0);
      const client = await authenticated(scene.brokerAddress(0));
      const answer = await askForeign(client, 'Produce', version, produceOf(partition));
      const part = answer.responses[0]?.partitionResponses[0];
      assert.equal(part?.errorCode, errorCodes.NOT_LEADER_OR_FOLLOWER);
      assert.equal(part.currentLeader.leaderId, leaders[partition]);
      assertGateway(answer.nodeEndpoints, [leaders[partition] ?? -1]);
      client.close();
    });
  }

  for (const version of [16, 17, 18]) {
    test(`Fetch v${version} at the wrong broker names the right one at the gateway (KIP-951)`, async () => {
      const client = await authenticated(scene.brokerAddress(0));
      const answer = await askForeign(client, 'Fetch', version, fetchElsewhere());
      const part = answer.responses[0]?.partitions[0];
      assert.equal(part?.errorCode, errorCodes.NOT_LEADER_OR_FOLLOWER);
      assertGateway(answer.nodeEndpoints, [elsewhere.leader]);
      client.close();
    });
  }

  test('a port that is set aside for a broker that does not exist closes its connections', async () => {
    const begun = performance.now();
    const client = await WireClient.connect(scene.brokerAddress(3));
    client.write(client.frame('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }));
    assert.equal(await client.payload(), null);
    assert.ok(performance.now() - begun < 2_000);
  });
});

describe('stock clients', () => {
  test('kafkajs writes and reads every partition', async () => {
    const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'alice');
    const sent = await produceKafkajs(kafka, 't-kafkajs', 600);
    const seen = await consumeKafkajs(kafka, 't-kafkajs', 'g-kafkajs', 600);
    assert.equal(digest(seen.map(({ value }) => value)), digest(sent));
    assert.equal(new Set(seen.map(({ partition }) => partition)).size, partitions);
  });

  test('@platformatic/kafka writes and reads every partition', async () => {
    const common = {
      clientId: 'p',
      bootstrapBrokers: [scene.bootstrap],
      sasl: { mechanism: 'OAUTHBEARER' as const, token: await scene.idp.token('alice') },
    };
    const producer = new Producer({ ...common, serializers: stringSerializers });
    const sent = Array.from({ length: 600 }, (_, index) => `record-${index}`);
    const messages = sent.map((value, index) => ({ topic: 't-platformatic', partition: index % partitions, value }));
    await producer.send({ messages, acks: -1 });
    await producer.close();
    const consumer = new Consumer({ ...common, groupId: 'g-platformatic', deserializers: stringDeserializers });
    const stream = await consumer.consume({
      topics: ['t-platformatic'],
      mode: 'earliest',
      maxWaitTime: 200,
      sessionTimeout: 10_000,
    });
    const seen: string[] = [];
    for await (const { value } of stream) {
      seen.push(value);
      if (seen.length === sent.length) break;
    }
    await consumer.close(true);
    assert.equal(digest(seen), digest(sent));
  });
});

describe('a broker that goes', () => {
  test(
    'while it is down its port closes quickly, the others work; nothing is lost or doubled when it is back',
    { timeout: 90_000 },
    async (t) => {
      const kafka = kafkajsClient(scene.bootstrap, scene.idp, 'alice');
      const consumed = new Map<string, string>();
      const consumer = kafka.consumer({
        groupId: 'g-restart',
        sessionTimeout: 10_000,
        heartbeatInterval: 500,
        maxWaitTimeInMs: 200,
      });
      await consumer.connect();
      await consumer.subscribe({ topic: 't-restart', fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ partition, message }) => {
          consumed.set(`${partition}-${message.offset}`, String(message.value));
        },
      });
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      const sent: string[] = [];
      const enough = new AbortController();
      const producing = (async () => {
        while (!enough.signal.aborted && !t.signal.aborted) {
          const values = Array.from({ length: 5 }, (_, index) => `r-${sent.length + index}`);
          // One partition a call: kafkajs forgets a partition whose leader moves to a broker that has answered the same call already.
          const partition = (sent.length / 5) % partitions;
          await producer.send({
            topic: 't-restart',
            acks: -1,
            timeout: 5_000,
            messages: values.map((value) => ({ value, partition })),
          });
          sent.push(...values);
          await sleep(5);
        }
      })();
      await sleep(1_000);
      t.after(async () => {
        enough.abort();
        await Promise.allSettled([producing, producer.disconnect(), consumer.disconnect()]);
      });
      await scene.kafka.stopNode(2);
      const sentAtStop = sent.length;
      await downIsQuick(2);
      const other = await authenticated(scene.brokerAddress(1));
      assert.equal((await other.ask('Metadata', 12, { topics: [{ name: 't-restart' }] })).topics[0]?.errorCode, 0);
      other.close();
      await until('the producer goes on without the broker', () => sent.length > sentAtStop + 100);
      await scene.kafka.startNode(2);
      const sentAtReturn = sent.length;
      await until('the producer goes on with the broker', () => sent.length > sentAtReturn + 300);
      enough.abort();
      await producing;
      await until('the group has read everything', () => new Set(consumed.values()).size >= sent.length);
      // By partition and offset: what the group saw twice after a rebalance is one record, what was written twice is two.
      assert.equal(consumed.size, sent.length, 'the log holds each record once');
      assert.equal(digest([...consumed.values()]), digest(sent));
      t.diagnostic(
        `${sent.length} records across the restart, ${sentAtReturn - sentAtStop} of them while the broker was down`,
      );
      await until('the gateway is ready again', () => scene.gateway.readiness().ready, 5_000);
    },
  );
});

async function downIsQuick(nodeId: number): Promise<void> {
  const client = await WireClient.connect(scene.brokerAddress(nodeId));
  const token = await scene.idp.token('alice');
  const begun = performance.now();
  await client.authenticate(token).then(
    () => client.write(client.frame('Metadata', 12, { topics: [] })),
    () => {},
  );
  assert.ok(await client.closes(2_000), 'the connection to a broker that is down is closed');
  assert.ok(performance.now() - begun < 2_000);
}

type Kafkajs = ReturnType<typeof kafkajsClient>;

async function produceKafkajs(kafka: Kafkajs, topic: string, count: number): Promise<string[]> {
  const producer = kafka.producer();
  await producer.connect();
  const sent = Array.from({ length: count }, (_, index) => `record-${index}`);
  await producer.send({ topic, messages: sent.map((value, index) => ({ value, partition: index % partitions })) });
  await producer.disconnect();
  return sent;
}

async function consumeKafkajs(
  kafka: Kafkajs,
  topic: string,
  groupId: string,
  count: number,
): Promise<{ partition: number; value: string }[]> {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen: { partition: number; value: string }[] = [];
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      seen.push({ partition, value: String(message.value) });
    },
  });
  await until(`${count} records are read`, () => seen.length >= count);
  await consumer.disconnect();
  return seen;
}

/** Of a set of records, in whatever order they came. */
function digest(values: readonly string[]): string {
  const hash = createHash('sha256');
  for (const value of [...values].sort()) hash.update(value).update('\n');
  return hash.digest('hex');
}

/** The first questions about a coordinator may come before its partition is up. */
async function coordinator<T>(ask: () => Promise<T>, code: (answer: T) => number): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask();
    if (code(answer) === 0) return answer;
    if (tries > 50) throw new Error(`no coordinator: ${code(answer)}`);
    await sleep(200);
  }
}

async function until(what: string, holds: () => boolean, withinMs = 40_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
