/** Large frames over TLS, faster than the broker takes them: every byte arrives as it was sent. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { batchOf } from '../../harness/batches.ts';
import { startKafka } from '../../harness/kafka.ts';
import { Relay } from '../../harness/relay.ts';
import { addressesOf, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { batches, parseBatch } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: bulk }
spec:
  subjects: [{ id: bulk }]
  allow:
    - { port: orders, topics: [bulk], actions: [read, write] }
`;
const count = 40;
const valueBytes = 900_000;

function digest(value: Buffer): string {
  return createHash('sha256').update(value).digest('hex');
}

test('pipelined batches of 900 KB, produced and fetched over TLS', async () => {
  const cluster = await startKafka();
  // Slower than the gateway, so that what it sends piles up.
  const relay = await Relay.start(cluster.bootstrap(), { restMs: 2 });
  const scene = await startScene({
    cluster,
    clients: [{ id: 'bulk', secret: 'b' }],
    policies: { 'bulk.yaml': policy },
    port: {
      tls: 'server',
      upstream: { bootstrap: addressesOf(relay.address) },
    },
  });
  try {
    await scene.kafka.createTopic('bulk');
    const ca = scene.authority?.ca ?? '';
    const client = await WireClient.connect(scene.bootstrap, { tls: { ca, servername: 'localhost' } });
    await client.authenticate(await scene.idp.token('bulk'));
    const sent: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const value = randomBytes(valueBytes);
      sent.push(digest(value));
      const topicData = [{ name: 'bulk', partitionData: [{ index: 0, records: batchOf([value]) }] }];
      client.write(client.frame('Produce', 9, { acks: -1, timeoutMs: 30_000, topicData }));
    }
    for (let index = 0; index < count; index += 1) {
      const { message } = await client.answer('Produce', 9);
      assert.equal(message.responses[0]?.partitionResponses[0]?.errorCode, 0, `batch ${index}`);
    }
    const read: string[] = [];
    while (read.length < count) {
      const partition = { partition: 0, fetchOffset: BigInt(read.length), partitionMaxBytes: 10_000_000 };
      const answer = await client.ask('Fetch', 11, {
        replicaId: -1,
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 50_000_000,
        sessionEpoch: -1,
        topics: [{ topic: 'bulk', partitions: [partition] }],
      });
      const records = answer.responses[0]?.partitions[0]?.records ?? Buffer.alloc(0);
      for (const { position, sizeBytes } of batches(records)) {
        const [record] = parseBatch(records.subarray(position, position + sizeBytes)).records;
        read.push(digest(record?.value ?? Buffer.alloc(0)));
      }
    }
    assert.deepEqual(read, sent);
    client.close();
  } finally {
    await scene.stop();
    relay.close();
    await cluster.stop();
  }
});
