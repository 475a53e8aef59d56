/**
 * What belongs to somebody else, taken by guessing its number: fetch sessions, topic ids, share sessions, producers'
 * ids, a connection's identity. Mallory may do a few things of his own; alice owns what he is after.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { buildBatch, errorCodes, zeroUuid } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: alice }
spec:
  subjects: [{ group: owners }]
  allow:
    - { port: orders, topics: [payments, secrets], actions: [describe, read, write] }
    - { port: orders, consumerGroups: ["shared-*"], actions: [read] }
    - { port: orders, transactionalIds: ["alice-*"], actions: [write, describe] }
---
apiVersion: sluice/v1
kind: Policy
metadata: { name: mallory }
spec:
  subjects: [{ group: few }]
  allow:
    - { port: orders, topics: [payments], actions: [describe, read, write] }
    - { port: orders, consumerGroups: ["shared-*"], actions: [read] }
    - { port: orders, transactionalIds: ["mallory-*"], actions: [write, describe] }
`;
const unknownTopicId = 'u7v9wG3yR1yV2c3d4e5f6A';

let scene: Scene;
let ids: ReadonlyMap<string, string>;

before(async () => {
  scene = await startScene({
    kafka: { config: { 'group.share.min.session.timeout.ms': '1000' } },
    clients: [
      { id: 'alice', secret: 'a', groups: ['owners'] },
      { id: 'bob', secret: 'b', groups: ['owners'] },
      { id: 'mallory', secret: 'm', groups: ['few'] },
    ],
    policies: { 'all.yaml': policy },
  });
  for (const topic of ['payments', 'secrets']) await scene.kafka.createTopic(topic);
  const admin = await WireClient.connect(scene.kafka.bootstrap());
  const { topics } = await admin.ask('Metadata', 12, { topics: null });
  // The first question makes the coordinators' topics.
  for (const keyType of [0, 1]) await admin.ask('FindCoordinator', 4, { keyType, coordinatorKeys: ['shared-1'] });
  ids = new Map(topics.map(({ name, topicId }) => [name ?? '', topicId]));
  admin.close();
});

after(async () => {
  await scene?.stop();
});

async function as(clientId: string, token?: string): Promise<WireClient> {
  const client = await WireClient.connect(scene.bootstrap);
  assert.equal((await client.authenticate(token ?? (await scene.idp.token(clientId)))).errorCode, 0);
  return client;
}

/** Waits for an entry of `code`, or the denial of an action, by a principal. */
function told(since: number, principal: string, ...words: readonly string[]): Promise<unknown> {
  return scene.entry(`${principal}: ${words.join(' ')}`, ({ time, type, data }) => {
    const text = JSON.stringify(data);
    return (
      Date.parse(time) >= since &&
      /\.(denied|refused|failed)$/.test(type) &&
      text.includes(`"${principal}"`) &&
      words.every((word) => text.includes(`"${word}"`))
    );
  });
}

const fetching = (topic: string, parts: object = {}) => ({
  maxWaitMs: 50,
  minBytes: 0,
  maxBytes: 1_000_000,
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 100_000 }] }],
  ...parts,
});

describe('fetch sessions', () => {
  for (const thief of ['mallory', 'alice'] as const) {
    test(`one of another connection is not ${thief}'s to use or to close`, async () => {
      const owner = await as('alice');
      let begun = await owner.ask('Fetch', 12, fetching('secrets', { sessionId: 0, sessionEpoch: 0 }));
      for (let tries = 0; begun.sessionId === 0 && tries < 3; tries += 1)
        begun = await owner.ask('Fetch', 12, fetching('secrets', { sessionId: 0, sessionEpoch: 0 }));
      assert.notEqual(begun.sessionId, 0, 'the gateway lets sessions through');
      const { sessionId } = begun;
      const since = Date.now();
      const other = await as(thief);
      const stolen = await other.ask('Fetch', 12, { ...fetching('payments'), sessionId, sessionEpoch: 1, topics: [] });
      assert.equal(stolen.errorCode, errorCodes.FETCH_SESSION_ID_NOT_FOUND);
      assert.deepEqual(stolen.responses, []);
      // KIP-227: a full fetch that names a session closes it.
      for (const sessionEpoch of [-1, 0])
        await other.ask('Fetch', 12, fetching('payments', { sessionId, sessionEpoch }));
      await told(since, thief, 'fetch-session-unknown');
      const goesOn = await owner.ask('Fetch', 12, { ...fetching('secrets'), sessionId, sessionEpoch: 1, topics: [] });
      assert.equal(goesOn.errorCode, 0, 'the owner notices nothing');
      assert.equal(goesOn.sessionId, sessionId);
      owner.close();
      other.close();
    });
  }
});

describe('topic ids', () => {
  test('that of a topic that is not his reads nothing and writes nothing', async () => {
    const client = await as('mallory');
    const topicId = ids.get('secrets') ?? '';
    for (const version of [13, 15, 18]) {
      const since = Date.now();
      const topics = [{ topicId, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }] }];
      const answer = await client.ask('Fetch', version, { ...fetching(''), sessionEpoch: -1, topics });
      assert.equal(answer.responses[0]?.partitions[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
      await told(since, 'mallory', 'secrets', 'read');
    }
    const since = Date.now();
    const topicData = [{ topicId, partitionData: [{ index: 0, records: batchOf(['x']) }] }];
    const written = await client.ask('Produce', 13, { acks: -1, timeoutMs: 1_000, topicData });
    assert.equal(written.responses[0]?.partitionResponses[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    const named = await client.ask('Metadata', 12, { topics: [{ topicId, name: null }] });
    assert.equal(named.topics[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    assert.equal(named.topics[0]?.name, null, 'and its name stays unknown');
    await told(since, 'mallory', 'secrets', 'write');
    client.close();
  });

  test('a guess that no topic has is told in the log as well', async () => {
    const client = await as('mallory');
    const since = Date.now();
    const topics = [
      { topicId: unknownTopicId, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }] },
    ];
    const read = await client.ask('Fetch', 13, { ...fetching(''), sessionEpoch: -1, topics });
    assert.equal(read.responses[0]?.partitions[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
    await told(since, 'mallory', 'topic-id-unknown', 'Fetch v13');
    const topicData = [{ topicId: unknownTopicId, partitionData: [{ index: 0, records: batchOf(['x']) }] }];
    const written = await client.ask('Produce', 13, { acks: -1, timeoutMs: 1_000, topicData });
    assert.equal(written.responses[0]?.partitionResponses[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
    await told(since, 'mallory', 'topic-id-unknown', 'Produce v13');
    const named = await client.ask('Metadata', 12, { topics: [{ topicId: unknownTopicId, name: null }] });
    assert.equal(named.topics[0]?.errorCode, errorCodes.UNKNOWN_TOPIC_ID);
    await told(since, 'mallory', 'topic-id-unknown', 'Metadata v12');
    client.close();
  });
});

describe('share sessions', () => {
  test("another member's, on another connection, cannot be gone on with or acknowledged in", async () => {
    const memberId = 'AAAAAAAAAAAAAAAAAAAABQ';
    const groupId = 'shared-1';
    const owner = await as('alice');
    const topics = [{ topicId: ids.get('secrets') ?? '', partitions: [{ partitionIndex: 0 }] }];
    const begin = {
      groupId,
      memberId,
      shareSessionEpoch: 0,
      maxWaitMs: 50,
      minBytes: 0,
      maxRecords: 10,
      batchSize: 10,
      topics,
    };
    await joinShare(owner, groupId, memberId);
    assert.equal((await owner.ask('ShareFetch', 1, begin)).errorCode, 0);
    const since = Date.now();
    const other = await as('mallory');
    const next = { ...begin, shareSessionEpoch: 1, topics: [] };
    const stolen = await other.ask('ShareFetch', 1, next);
    assert.equal(stolen.errorCode, errorCodes.SHARE_SESSION_NOT_FOUND);
    assert.deepEqual(stolen.responses, []);
    const acknowledged = await other.ask('ShareAcknowledge', 1, {
      groupId,
      memberId,
      shareSessionEpoch: 1,
      topics: [],
    });
    assert.equal(acknowledged.errorCode, errorCodes.SHARE_SESSION_NOT_FOUND);
    await told(since, 'mallory', 'share-session-unknown');
    assert.equal((await owner.ask('ShareFetch', 1, next)).errorCode, 0, 'the owner notices nothing');
    owner.close();
    other.close();
  });
});

/** Waits until the group has its coordinators. */
async function joinShare(client: WireClient, groupId: string, memberId: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const joining = { groupId, memberId, memberEpoch: 0, subscribedTopicNames: ['secrets'] };
    const { errorCode } = await client.ask('ShareGroupHeartbeat', 1, joining);
    if (errorCode === 0) return;
    assert.ok(tries < 100, `the share group is not to be joined: ${errorCode}`);
    await sleep(100);
  }
}

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

async function producerOf(client: WireClient, transactionalId: string): Promise<Producer> {
  for (let tries = 0; ; tries += 1) {
    const answer = await client.ask('InitProducerId', 4, { transactionalId, transactionTimeoutMs: 60_000 });
    if (answer.errorCode === 0) return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    assert.ok(tries < 100, `no producer id: ${answer.errorCode}`);
    await sleep(100);
  }
}

async function addPayments(
  client: WireClient,
  transactionalId: string,
  { producerId, producerEpoch }: Producer,
): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    const answer = await client.ask('AddPartitionsToTxn', 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: 'payments', partitions: [0] }],
    });
    const code = answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1;
    if (code !== errorCodes.CONCURRENT_TRANSACTIONS || tries > 50) return code;
    await sleep(100);
  }
}

function transactionalBatch({ producerId, producerEpoch }: Producer, baseSequence: number): Buffer {
  const nowMs = BigInt(Date.now());
  const header = {
    baseOffset: 0n,
    partitionLeaderEpoch: -1,
    attributes: 0x10,
    lastOffsetDelta: 0,
    baseTimestamp: nowMs,
    maxTimestamp: nowMs,
    producerId,
    producerEpoch,
    baseSequence,
  };
  return buildBatch(header, [
    { attributes: 0, timestampDelta: 0n, offsetDelta: 0, key: null, value: Buffer.from('t'), headers: [] },
  ]);
}

describe('transactions', () => {
  test("the id and epoch of another's producer, with every request that takes them", async () => {
    const owner = await as('alice');
    const his = await producerOf(owner, 'alice-1');
    assert.equal(await addPayments(owner, 'alice-1', his), 0);
    const mallory = await as('mallory');
    const own = await producerOf(mallory, 'mallory-1');
    const since = Date.now();
    const refused = errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    // In the owner's name: the gateway says no.
    assert.equal(
      (await mallory.ask('EndTxn', 4, { transactionalId: 'alice-1', ...his, committed: false })).errorCode,
      refused,
    );
    await told(since, 'mallory', 'EndTxn v4', 'alice-1');
    assert.equal(await addPayments(mallory, 'alice-1', his), refused);
    await told(since, 'mallory', 'AddPartitionsToTxn v3', 'alice-1');
    const fenced = { transactionalId: 'alice-1', transactionTimeoutMs: 1_000, ...his };
    assert.equal((await mallory.ask('InitProducerId', 4, fenced)).errorCode, refused);
    await told(since, 'mallory', 'InitProducerId v4', 'alice-1');
    assert.equal(
      (await mallory.ask('AddOffsetsToTxn', 3, { transactionalId: 'alice-1', ...his, groupId: 'shared-2' })).errorCode,
      refused,
    );
    await told(since, 'mallory', 'AddOffsetsToTxn v3', 'alice-1');
    assert.equal(await produced(mallory, 'alice-1', transactionalBatch(his, 0)), refused);
    assert.equal(await produced(mallory, null, transactionalBatch(his, 0)), refused);
    await told(since, 'mallory', 'Produce v11', 'alice-1');
    // In his own name with the owner's numbers: the broker knows better.
    for (const code of [
      (await mallory.ask('EndTxn', 4, { transactionalId: 'mallory-1', ...his, committed: false })).errorCode,
      await addPayments(mallory, 'mallory-1', his),
      (await mallory.ask('InitProducerId', 4, { transactionalId: 'mallory-1', transactionTimeoutMs: 1_000, ...his }))
        .errorCode,
      await produced(mallory, 'mallory-1', transactionalBatch(his, 0)),
    ]) {
      assert.notEqual(code, 0);
    }
    assert.notDeepEqual(own, his);
    // The owner's transaction is as it was, and ends as the owner wants.
    assert.equal(await produced(owner, 'alice-1', transactionalBatch(his, 0)), 0);
    assert.equal((await owner.ask('EndTxn', 4, { transactionalId: 'alice-1', ...his, committed: true })).errorCode, 0);
    owner.close();
    mallory.close();
  });
});

async function produced(client: WireClient, transactionalId: string | null, records: Buffer): Promise<number> {
  const topicData = [{ name: 'payments', partitionData: [{ index: 0, records }] }];
  const answer = await client.ask('Produce', 11, { transactionalId, acks: -1, timeoutMs: 5_000, topicData });
  return answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

describe('re-authentication', () => {
  test('as somebody else, with a token that has expired, ends the connection', async () => {
    const expired = await scene.idp.token('bob', { ttlSeconds: 1 });
    const client = await as('alice');
    await sleep(2_500);
    const since = Date.now();
    const answer = await client.authenticate(expired);
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.ok(await client.closes());
    await told(since, 'bob', 'expired');
  });

  test('with lower rights, while a long poll is open: what comes is not delivered', async () => {
    for (const [version, sessionEpoch] of [
      [12, -1],
      [12, 0],
      [17, -1],
    ] as const) {
      const client = await as('alice', await scene.idp.sign({ sub: 'carol', groups: ['owners'], kind: 'workload' }));
      const end = await endOf('secrets');
      const partitions = [{ partition: 0, fetchOffset: end, partitionMaxBytes: 100_000 }];
      const named = version >= 13 ? { topicId: ids.get('secrets') ?? zeroUuid } : { topic: 'secrets' };
      const poll = {
        maxWaitMs: 15_000,
        minBytes: 1,
        maxBytes: 100_000,
        sessionEpoch,
        topics: [{ ...named, partitions }],
      };
      await sleep(1_100);
      const since = Date.now();
      client.write(client.frame('Fetch', version, poll));
      await sleep(300);
      client.write(client.frame('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' }));
      const lower = await scene.idp.sign({ sub: 'carol', groups: ['few'], kind: 'workload' });
      client.write(
        client.frame('SaslAuthenticate', 2, { authBytes: Buffer.from(`n,,\x01auth=Bearer ${lower}\x01\x01`) }),
      );
      await scene.entry(
        'renewal',
        ({ type, time }) => type.endsWith('authentication.renewed') && Date.parse(time) >= since,
      );
      const owner = await as('alice');
      const topicData = [{ name: 'secrets', partitionData: [{ index: 0, records: batchOf(['not for carol']) }] }];
      await owner.ask('Produce', 9, { acks: -1, timeoutMs: 5_000, topicData });
      owner.close();
      const { message } = await client.answer('Fetch', version);
      const part = message.responses[0]?.partitions[0];
      assert.equal(part?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED, `v${version}, epoch ${sessionEpoch}`);
      assert.equal(part.records?.length ?? 0, 0);
      await told(since, 'carol', 'secrets', 'read');
      client.close();
    }
  });
});

async function endOf(topic: string): Promise<bigint> {
  const admin = await WireClient.connect(scene.kafka.bootstrap());
  const answer = await admin.ask('ListOffsets', 7, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  });
  admin.close();
  return answer.topics[0]?.partitions[0]?.offset ?? 0n;
}
