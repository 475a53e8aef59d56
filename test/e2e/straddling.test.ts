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
  await kafka.createTopic('payments', { partitions: 3 });
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

function produce(client: WireClient, partitions: readonly number[] = [0]): Buffer {
  const partitionData = partitions.map((index) => ({ index, records: batchOf([randomBytes(valueBytes)]) }));
  return client.frame('Produce', version, {
    acks: 1,
    timeoutMs: 10_000,
    topicData: [{ name: 'payments', partitionData }],
  });
}

/** By partition, in the order of the answer. */
async function offsetsOf(client: WireClient): Promise<(readonly [index: number, offset: bigint])[]> {
  const { message } = await client.answer('Produce', version);
  return (message.responses[0]?.partitionResponses ?? []).map(({ index, errorCode, baseOffset }) => {
    assert.equal(errorCode, 0);
    return [index, baseOffset];
  });
}

async function offsetOf(client: WireClient): Promise<bigint | undefined> {
  const [first] = await offsetsOf(client);
  return first?.[1];
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

test('a request for several partitions goes on as soon as all of them are known', async () => {
  const client = await WireClient.connect(scene.bootstrap);
  await client.authenticate(await scene.idp.token('alice'));
  // What is written to a partition for the first time is decided when it is there whole.
  client.write(produce(client, [1, 2]));
  assert.deepEqual(
    new Map(await offsetsOf(client)),
    new Map([
      [1, 0n],
      [2, 0n],
    ]),
  );

  const sentBytes = relay.sentBytes;
  const frame = produce(client, [1, 2]);
  const inTheLast = Math.floor(0.75 * frame.length);
  const inTheFirst = Math.floor(0.25 * frame.length);
  client.write(frame.subarray(0, inTheLast));
  await hasSent(sentBytes + inTheLast);
  client.write(frame.subarray(inTheLast));
  assert.deepEqual(
    new Map(await offsetsOf(client)),
    new Map([
      [1, 1n],
      [2, 1n],
    ]),
  );

  // Of the second partition nothing is known yet: nothing may go on.
  const next = produce(client, [1, 2]);
  const allSentBytes = relay.sentBytes;
  client.write(next.subarray(0, inTheFirst));
  await sleep(100);
  assert.equal(relay.sentBytes, allSentBytes);
  client.write(next.subarray(inTheFirst));
  assert.deepEqual(
    new Map(await offsetsOf(client)),
    new Map([
      [1, 2n],
      [2, 2n],
    ]),
  );
  client.close();
});
