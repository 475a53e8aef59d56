/** Input that is too much, too slow, too deep, or a lie: it goes nowhere, nothing grows, and the log tells of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { unauthenticatedConnectionsMax } from '../../src/lib/limits.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [payments], consumerGroups: [g1], actions: [describe, read, write] }
    - { port: orders, cluster: true, actions: [describe] }
`;

let scene: Scene;
let token: string;

before(async () => {
  scene = await startScene({
    clients: [{ id: 'alice', secret: 'a', groups: ['team'] }],
    policies: { 'team.yaml': policy },
    kafka: { config: { 'message.max.bytes': '1048588' } },
  });
  await scene.kafka.createTopic('payments');
  token = await scene.idp.token('alice');
});

after(async () => {
  await scene?.stop();
});

let clients = 0;

/** Each with a session of its own: refusals of one session within a second are one entry. */
async function authenticated(): Promise<WireClient> {
  clients += 1;
  const client = await WireClient.connect(scene.bootstrap, { clientId: `client-${clients}` });
  assert.equal((await client.authenticate(token)).errorCode, 0);
  return client;
}

/** Waits for an entry that refuses something and holds all the words; and counts what it stands for. */
async function told(since: number, ...words: readonly string[]): Promise<void> {
  await scene.entry(words.join(' '), (entry) => isTold(entry, since, words));
}

function isTold(
  { time, type, data }: ReturnType<Scene['entries']>[number],
  since: number,
  words: readonly string[],
): boolean {
  const text = JSON.stringify(data);
  return (
    Date.parse(time) >= since && /\.(denied|refused|failed)$/.test(type) && words.every((word) => text.includes(word))
  );
}

const fetching = (parts: object = {}) => ({
  maxWaitMs: 50,
  minBytes: 0,
  maxBytes: 200_000_000,
  sessionEpoch: -1,
  topics: [{ topic: 'payments', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 200_000_000 }] }],
  ...parts,
});

describe('too much', () => {
  test('a frame over 100 MiB closes the connection before any of it is kept', async () => {
    const since = Date.now();
    const client = await authenticated();
    const size = Buffer.alloc(4);
    size.writeInt32BE(104_857_601);
    client.write(size);
    assert.ok(await client.closes(5_000));
    await told(since, 'malformed-request', 'over the limit');
  });

  test('a batch that decompresses to a thousand times its size passes unread, and back', async () => {
    const bomb = batchOf([Buffer.alloc(100_000_000)], 'gzip');
    assert.ok(bomb.length < 200_000, `${bomb.length} bytes`);
    const client = await authenticated();
    const external = (): number => process.memoryUsage().external + process.memoryUsage().heapUsed;
    const held = external();
    const topicData = [{ name: 'payments', partitionData: [{ index: 0, records: bomb }] }];
    const written = await client.ask('Produce', 9, { acks: -1, timeoutMs: 15_000, topicData });
    const part = written.responses[0]?.partitionResponses[0];
    assert.equal(part?.errorCode, 0);
    const topics = [
      {
        topic: 'payments',
        partitions: [{ partition: 0, fetchOffset: part.baseOffset, partitionMaxBytes: 200_000_000 }],
      },
    ];
    const read = await client.ask('Fetch', 12, fetching({ topics }));
    const records = read.responses[0]?.partitions[0]?.records ?? Buffer.alloc(0);
    // The broker fills in offset and epoch, in front of the checksum.
    assert.ok(records.subarray(17).equals(bomb.subarray(17)), 'not a byte of it is another');
    assert.ok(external() - held < 20_000_000, `grew by ${external() - held} bytes`);
    client.close();
  });

  test('tagged fields beyond their bound, and arrays that announce more than there is', async () => {
    const plain = (client: WireClient): Buffer => client.frame('Metadata', 12, { topics: [{ name: 'payments' }] });
    const tags = Buffer.concat([
      Buffer.from([0xe9, 0x07]),
      ...Array.from({ length: 1_001 }, (_, tag) => uvarints(tag + 5, 0)),
    ]);
    for (const spoil of [
      (frame: Buffer) => Buffer.concat([frame.subarray(0, frame.length - 1), tags]),
      (frame: Buffer) =>
        Buffer.concat([frame.subarray(0, frame.length - 1), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])]),
    ]) {
      const since = Date.now();
      const client = await authenticated();
      const frame = spoil(plain(client));
      frame.writeInt32BE(frame.length - 4);
      client.write(frame);
      assert.ok(await client.closes(5_000));
      await told(since, 'malformed-request');
    }
  });

  test("names that fall into one place of a broker's hash table do not reach it", async () => {
    const since = Date.now();
    const neighbour = await authenticated();
    const client = await authenticated();
    const protocols = Array.from({ length: 20_000 }, () => ({ name: 'range', metadata: Buffer.from([0]) }));
    const joining = {
      groupId: 'g1',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 1_000,
      protocolType: 'consumer',
      protocols,
    };
    client.write(client.frame('JoinGroup', 5, joining));
    assert.ok(await client.closes(10_000));
    await told(since, 'malformed-request', 'hash table');
    for (let round = 0; round < 5; round += 1)
      assert.equal((await neighbour.ask('Metadata', 12, { topics: [{ name: 'payments' }] })).topics[0]?.errorCode, 0);
    neighbour.close();
  });
});

function uvarints(...values: readonly number[]): Buffer {
  const bytes: number[] = [];
  for (const value of values) {
    let left = value;
    for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
    bytes.push(left);
  }
  return Buffer.from(bytes);
}

describe('a client that says it is a broker', () => {
  test('fetches nothing, in the old place of the replica id and in the new', async () => {
    for (const [version, parts] of [
      [12, { replicaId: 0 }],
      [14, { replicaId: 1 }],
      [15, { replicaState: { replicaId: 0, replicaEpoch: 1n } }],
      [18, { replicaState: { replicaId: 7, replicaEpoch: -1n } }],
    ] as const) {
      const since = Date.now();
      const client = await authenticated();
      const { topics } = await client.ask('Metadata', 12, { topics: [{ name: 'payments' }] });
      const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }];
      const named = version >= 13 ? { topicId: topics[0]?.topicId ?? '' } : { topic: 'payments' };
      const answer = await client.ask('Fetch', version, fetching({ ...parts, topics: [{ ...named, partitions }] }));
      assert.equal(answer.responses[0]?.partitions[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED, `v${version}`);
      await told(since, 'follower-fetch', `Fetch v${version}`);
      client.close();
    }
  });

  test('is told no offsets and no epochs: those of brokers lie beyond what consumers may see', async () => {
    for (const replicaId of [0, 5]) {
      const client = await authenticated();
      const since = Date.now();
      const offsets = await client.ask('ListOffsets', 7, {
        replicaId,
        topics: [{ name: 'payments', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
      });
      assert.equal(offsets.topics[0]?.partitions[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
      await told(since, 'follower-request', 'ListOffsets v7');
      const epochs = await client.ask('OffsetForLeaderEpoch', 4, {
        replicaId,
        topics: [{ topic: 'payments', partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
      });
      assert.equal(epochs.topics[0]?.partitions[0]?.errorCode, errorCodes.TOPIC_AUTHORIZATION_FAILED);
      await told(since, 'follower-request', 'OffsetForLeaderEpoch v4');
      client.close();
    }
  });
});

describe('crowds', () => {
  test('a thousand silent connections keep nobody out for long', async () => {
    const since = Date.now();
    const silent: WireClient[] = [];
    try {
      for (let batch = 0; batch < 10; batch += 1) {
        const opening = Array.from({ length: unauthenticatedConnectionsMax / 10 }, () =>
          WireClient.connect(scene.bootstrap),
        );
        silent.push(...(await Promise.all(opening)));
      }
      // Half of them drip: a byte now and then is no authentication.
      for (const client of silent.slice(500)) client.write(Buffer.from([0]));
      await sleep(2_500);
      const client = await authenticated();
      assert.equal((await client.ask('Metadata', 12, { topics: [{ name: 'payments' }] })).topics[0]?.errorCode, 0);
      await told(since, 'too-many-unauthenticated');
      client.close();
    } finally {
      for (const client of silent) client.close();
    }
  });

  test('refused tokens by the hundred are counted one by one, and others get in meanwhile', async () => {
    const since = Date.now();
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const floods = Array.from({ length: 200 }, async () => {
      const client = await WireClient.connect(scene.bootstrap);
      const answer = await client.authenticate(forged);
      assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
      assert.ok(await client.closes());
    });
    const honest = await authenticated();
    await Promise.all(floods);
    honest.close();
    await counted(since, 'bad-signature', 200);
  });

  test('one handshake after the other on a connection ends it', async () => {
    const since = Date.now();
    const client = await WireClient.connect(scene.bootstrap);
    const handshakes = Array.from({ length: 50 }, () => client.frame('SaslHandshake', 1, { mechanism: 'PLAIN' }));
    client.write(Buffer.concat(handshakes));
    assert.ok(await client.closes(5_000));
    await told(since, 'unauthenticated-request', 'SaslHandshake out of turn');
  });
});

/** Waits until the entries of a code stand for so many attempts. */
async function counted(since: number, code: string, wanted: number): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const count = scene
      .entries()
      .filter((entry) => isTold(entry, since, [code]))
      .reduce((sum, { data }) => sum + ((data as { count?: number }).count ?? 1), 0);
    if (count === wanted) return;
    assert.ok(tries < 100 && count < wanted, `${count} of ${wanted} attempts are in the log`);
    await sleep(100);
  }
}
