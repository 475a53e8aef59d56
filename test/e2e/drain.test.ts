/** `sluice serve` as a process that is told to stop: what is under way is answered, nothing new is taken, and it ends in time. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type GatewayProcess, isReady, startGatewayProcess } from '../../harness/gateway-process.ts';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { WireClient } from '../../harness/wire-client.ts';
import type { Entry } from '../../src/model/entry.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [payments, quiet], actions: [describe, read, write] }
`;

let kafka: KafkaCluster;
let idp: Idp;
const gateways: GatewayProcess[] = [];

before(async () => {
  [kafka, idp] = await Promise.all([
    startKafka(),
    startIdp({ clients: [{ id: 'alice', secret: 'a', groups: ['team'] }] }),
  ]);
  for (const topic of ['payments', 'quiet']) await kafka.createTopic(topic);
});

after(async () => {
  await Promise.all(gateways.map((one) => one.stop()));
  await idp?.stop();
  await kafka?.stop();
});

async function serve(drainTimeout: string): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ kafka, idp, policies: { 'p.yaml': policy }, drainTimeout });
  gateways.push(gateway);
  return gateway;
}

async function authenticated(gateway: GatewayProcess): Promise<WireClient> {
  const client = await WireClient.connect(gateway.brokerAddress(0));
  assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
  return client;
}

function poll(client: WireClient, maxWaitMs: number): Promise<number> {
  const topics = [{ topic: 'quiet', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }] }];
  const asked = client.ask('Fetch', 11, {
    replicaId: -1,
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1_000,
    sessionEpoch: -1,
    topics,
  });
  return asked.then(({ responses }) => responses[0]?.partitions[0]?.errorCode ?? -99);
}

async function endOf(topic: string): Promise<bigint> {
  const client = await WireClient.connect(kafka.bootstrap());
  const answer = await client.ask('ListOffsets', 7, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  });
  client.close();
  return answer.topics[0]?.partitions[0]?.offset ?? -1n;
}

async function refusesConnections(address: string): Promise<boolean> {
  return await WireClient.connect(address).then(
    (client) => client.closes(500),
    () => true,
  );
}

const codes = (entries: readonly Entry[]): string[] => entries.map(({ type }) => type.split('.').slice(-2).join('.'));

describe('SIGTERM', () => {
  test('long polls and produces under way are answered, no connection is taken, readiness falls, and it ends with 0', async (t) => {
    const gateway = await serve('20s');
    const poller = await authenticated(gateway);
    const producer = await authenticated(gateway);
    const idle = await authenticated(gateway);
    const endBefore = await endOf('payments');
    const polling = poll(poller, 2_500);
    // A producer that always has four requests under way, until it is told to go away.
    let acknowledged = 0;
    const producing = (async () => {
      const send = (): void => {
        producer.write(
          producer.frame('Produce', 9, {
            acks: -1,
            timeoutMs: 5_000,
            topicData: [{ name: 'payments', partitionData: [{ index: 0, records: batchOf(['x']) }] }],
          }),
        );
      };
      for (let index = 0; index < 4; index += 1) send();
      for (let payload = await producer.payload(); payload !== null; payload = await producer.payload()) {
        acknowledged += 1;
        send();
      }
    })();
    await sleep(500);
    const begun = performance.now();
    gateway.signal('SIGTERM');
    await sleep(300);
    assert.equal(await isReady(gateway.telemetry), false, 'not ready while it drains');
    const page = await fetch(`${gateway.telemetry}/readyz`);
    assert.match(await page.text(), /draining/);
    assert.equal(await refusesConnections(gateway.bootstrap), true);
    assert.equal(await refusesConnections(gateway.brokerAddress(0)), true);
    assert.ok(await idle.closes(1_000), 'an idle connection is closed at once');
    await producing;
    assert.equal(await polling, 0, 'the long poll had its answer');
    assert.equal(await gateway.ended, 0);
    const tookMs = performance.now() - begun;
    assert.ok(tookMs < 6_000, `it took ${tookMs} ms`);
    const written = Number((await endOf('payments')) - endBefore);
    assert.equal(written, acknowledged, 'what was written was acknowledged, and the reverse');
    const seen = codes(gateway.entries());
    assert.ok(seen.includes('gateway.stopped'));
    assert.equal(seen.at(-1), 'log.closed');
    assert.equal(
      seen.filter((code) => code === 'session.opened').length,
      seen.filter((code) => code === 'session.closed').length,
    );
    t.diagnostic(
      `${acknowledged} produces acknowledged; ended ${Math.round(tookMs)} ms after the signal, with a long poll of 2500 ms under way`,
    );
  });

  test('a long poll beyond the drain timeout is cut, and it still ends with 0, in time', async () => {
    const gateway = await serve('1s');
    const poller = await authenticated(gateway);
    const polling = poll(poller, 15_000).then(
      () => 'answered',
      () => 'cut',
    );
    await sleep(300);
    const begun = performance.now();
    gateway.signal('SIGTERM');
    assert.equal(await gateway.ended, 0);
    assert.ok(performance.now() - begun < 3_000);
    assert.equal(await polling, 'cut');
    assert.equal(codes(gateway.entries()).at(-1), 'log.closed');
  });

  test('a second signal ends it at once, with the code of the signal', async () => {
    const gateway = await serve('20s');
    const poller = await authenticated(gateway);
    const polling = poll(poller, 15_000).catch(() => -1);
    await sleep(300);
    const begun = performance.now();
    gateway.signal('SIGTERM');
    await sleep(300);
    gateway.signal('SIGTERM');
    assert.equal(await gateway.ended, 143);
    assert.ok(performance.now() - begun < 2_000);
    await polling;
  });

  test('without clients it ends at once', async () => {
    const gateway = await serve('20s');
    const begun = performance.now();
    gateway.signal('SIGINT');
    assert.equal(await gateway.ended, 0);
    assert.ok(performance.now() - begun < 2_000);
  });
});
