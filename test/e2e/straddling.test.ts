/** Requests whose ends and beginnings come in one piece: each goes on to the broker as it comes, whatever the one before it took. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { Relay } from '../../harness/relay.ts';
import { type Scene, addressesOf, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ id: alice }]
  allow:
    - { port: orders, topics: [payments], actions: [describe, read, write] }
`;
const valueBytes = 60_000;
const version = 9;

let kafka: KafkaCluster;
let relay: Relay;
let scene: Scene;

before(async () => {
  kafka = await startKafka({ listeners: ['plaintext'] });
  await kafka.createTopic('payments');
  relay = await Relay.start(kafka.bootstrap('plaintext'));
  scene = await startScene({
    cluster: kafka,
    clients: [{ id: 'alice', secret: 'a' }],
    policies: { 'p.yaml': policy },
    port: { upstream: { bootstrap: addressesOf(relay.address) } },
  });
});

after(async () => {
  relay?.close();
  await scene?.stop();
  await kafka?.stop();
});

function produce(client: WireClient): Buffer {
  const records = batchOf([randomBytes(valueBytes)]);
  return client.frame('Produce', version, {
    acks: 1,
    timeoutMs: 10_000,
    topicData: [{ name: 'payments', partitionData: [{ index: 0, records }] }],
  });
}

async function offsetOf(client: WireClient): Promise<bigint | undefined> {
  const { message } = await client.answer('Produce', version);
  const partition = message.responses[0]?.partitionResponses[0];
  assert.equal(partition?.errorCode, 0);
  return partition?.baseOffset;
}

async function hasSent(bytes: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (relay.sentBytes < bytes) {
    assert.ok(performance.now() < deadline, `${relay.sentBytes} of ${bytes} bytes went on to the broker`);
    await sleep(5);
  }
}

test('behind a request that was put together the next goes on before it has come whole, and none is lost or doubled', async () => {
  const client = await WireClient.connect(scene.bootstrap);
  await client.authenticate(await scene.idp.token('alice'));
  client.write(produce(client));
  assert.equal(await offsetOf(client), 0n);

  const frames = Array.from({ length: 20 }, () => produce(client));
  const all = Buffer.concat(frames);
  const sentBytes = relay.sentBytes;
  const frameBytes = all.length / frames.length;
  for (let at = 0; at < all.length; at += 2 * frameBytes) {
    // Too little of a request to tell what it is: it has to be put together.
    client.write(all.subarray(at, at + 6));
    await sleep(5);
    // Its rest, with half of the next.
    const middle = at + Math.floor(1.5 * frameBytes);
    client.write(all.subarray(at + 6, middle));
    await hasSent(sentBytes + middle);
    client.write(all.subarray(middle, at + 2 * frameBytes));
  }
  for (let index = 0; index < frames.length; index += 1) assert.equal(await offsetOf(client), BigInt(index + 1));
  client.close();
});
