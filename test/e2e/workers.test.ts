/** `sluice serve` with two workers: what a worker's death, a restart and a policy edit do to real clients, and what the log says of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayProcess, isReady, startGatewayProcess } from '../../harness/gateway-process.ts';
import { lives, metric, workerPids, workersUp } from '../../harness/gateway-workers.ts';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { verifyLog } from '../../src/audit/audit.ts';
import type { Entry } from '../../src/model/entry.ts';
import { addressesOf } from '../../harness/scene.ts';

const policy = (topics: string): string => `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [${topics}], consumerGroups: ["*"], actions: [describe, read, write] }
`;
/** For what takes a moment on a machine that has nothing else to do. */
const slackMs = 180_000;

let kafka: KafkaCluster;
let idp: Idp;
let gateway: GatewayProcess;

before(async () => {
  [kafka, idp] = await Promise.all([
    startKafka(),
    startIdp({ clients: [{ id: 'alice', secret: 'a', groups: ['team'] }] }),
  ]);
  for (const topic of ['payments', 'later', 'restart']) await kafka.createTopic(topic);
  gateway = await serve();
});

after(async () => {
  await gateway?.stop();
  await idp?.stop();
  await kafka?.stop();
});

function serve(): Promise<GatewayProcess> {
  return startGatewayProcess({
    kafka,
    idp,
    policies: { 'p.yaml': policy('payments, restart') },
    drainTimeout: '10s',
    workers: 2,
  });
}

/** Connections of one client, all with the same token: one session. */
async function connections(count: number, clientId: string): Promise<WireClient[]> {
  const token = await idp.token('alice');
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = await WireClient.connect(gateway.brokerAddress(0), { clientId });
      assert.equal((await client.authenticate(token)).errorCode, 0);
      return client;
    }),
  );
}

/** The error that asking for a topic's metadata brings: 0, or 29 where the policy denies it. */
async function describeTopic(client: WireClient, name: string): Promise<number> {
  const answer = await client.ask('Metadata', 8, { topics: [{ name }], allowAutoTopicCreation: false });
  return answer.topics[0]?.errorCode ?? -99;
}

async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = slackMs): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${what}\n${gateway.log().slice(-3_000)}`);
    await sleep(20);
  }
}

const codeOf = ({ type }: Entry): string => type.split('.').slice(-2).join('.');
const about =
  (clientId: string) =>
  (entry: Entry): boolean =>
    (entry.data['client'] as { client_id?: string } | undefined)?.client_id === clientId;

/** An idempotent producer that never stops: what it was told is in. */
async function producing(topic: string): Promise<{ stop(): Promise<{ sent: string[]; failed: number }> }> {
  const producer = kafkajsClient(gateway.bootstrap, idp, 'alice', { clientId: 'steady' }).producer({
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const state = { running: true, sent: [] as string[], failed: 0 };
  const work = (async () => {
    for (let index = 0; state.running; index += 1) {
      const value = `${topic} ${index}`;
      await producer.send({ topic, messages: [{ value }] }).then(
        () => state.sent.push(value),
        () => (state.failed += 1),
      );
    }
  })();
  return {
    async stop() {
      state.running = false;
      await work;
      await producer.disconnect();
      return state;
    },
  };
}

/** Everything in the topic, in order. */
async function contents(topic: string): Promise<string[]> {
  const client = kafkajsClient(gateway.bootstrap, idp, 'alice');
  const admin = client.admin();
  await admin.connect();
  const end = Number((await admin.fetchTopicOffsets(topic))[0]?.high ?? 0);
  await admin.disconnect();
  const consumer = client.consumer({ groupId: `reader-${topic}-${end}` });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let offset = -1;
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(message.value?.toString() ?? '');
      offset = Number(message.offset);
      return Promise.resolve();
    },
  });
  await until('the topic is read to its end', () => offset >= end - 1);
  await consumer.disconnect();
  return values;
}

describe('two workers', () => {
  test('share the connections of one session evenly, and enter it once', async () => {
    const clients = await connections(6, 'spread');
    for (const client of clients) assert.equal(await describeTopic(client, 'payments'), 0);
    const perWorker = await metric(gateway, /^sluice_worker_connections\{/);
    assert.equal(perWorker.length, 2);
    assert.ok(Math.abs((perWorker[0] ?? 0) - (perWorker[1] ?? 0)) <= 1, `connections: ${perWorker.join(' and ')}`);
    for (const client of clients) client.close();
    const mine = gateway.entries().filter(about('spread'));
    assert.deepEqual(mine.map(codeOf), ['session.opened', 'flow.opened']);
    assert.deepEqual(
      mine.map(({ data }) => data['seq']),
      [1, 2],
    );
    assert.equal(
      (await metric(gateway, /^sluice_requests_total\{.*api="Metadata",outcome="forwarded"/)).length,
      1,
      'summed over workers',
    );
    assert.equal((await metric(gateway, /^sluice_process_resident_memory_bytes\{worker=/)).length, 3);
  });

  test('take up a policy edit within a second, on connections that are open', async (t) => {
    const clients = await connections(2, 'editor');
    const file = join(gateway.auditDirectory, '..', 'policies', 'p.yaml');
    const tookMs: number[] = [];
    // The machine may be busy with something else: the best of a few tries counts.
    for (let round = 0; round < 3; round += 1) {
      for (const [topics, expected] of [
        ['payments, restart, later', 0],
        ['payments, restart', 29],
      ] as const) {
        const begun = performance.now();
        writeFileSync(file, policy(topics));
        for (const client of clients)
          await until('the edit is live', async () => (await describeTopic(client, 'later')) === expected);
        tookMs.push(performance.now() - begun);
      }
    }
    for (const client of clients) client.close();
    assert.ok(Math.min(...tookMs) < 1_000, `the edits took ${tookMs.map(Math.round).join(', ')} ms`);
    t.diagnostic(`live in both workers after ${tookMs.map(Math.round).join(', ')} ms`);
  });

  test('one is killed under load: only its connections notice, nothing is lost or doubled, and another takes its place', async (t) => {
    const open = async (): Promise<number> =>
      (await metric(gateway, /^sluice_worker_connections\{/)).reduce((sum, count) => sum + count, 0);
    await until('the connections before are gone', async () => (await open()) === 0);
    const clients = await connections(8, 'bystander');
    const load = await producing('payments');
    await sleep(1_500);
    const [[victim = 0, pid = 0] = []] = workerPids(gateway);
    process.kill(pid, 'SIGKILL');
    await until('four connections are gone', () => clients.filter(({ closed }) => closed).length >= 4);
    const survivors = clients.filter(({ closed }) => !closed);
    assert.equal(survivors.length, 4, 'connections of the other worker stay');
    for (const client of survivors) assert.equal(await describeTopic(client, 'payments'), 0);
    await until('two workers are up again', async () => (await workersUp(gateway)) === 2);
    await sleep(1_000);
    const { sent, failed } = await load.stop();
    const inTopic = await contents('payments');
    assert.equal(failed, 0, 'the client recovered by itself');
    assert.deepEqual(inTopic, sent, 'each record once, in order');
    const died = gateway.entries().find((entry) => codeOf(entry) === 'worker.died');
    assert.ok(died !== undefined);
    assert.equal(died.data['worker'], victim);
    assert.equal(died.data['cause'], 'signal SIGKILL');
    assert.ok(Number(died.data['connections']) >= 4);
    const session = gateway.entries().find(about('bystander'))?.data['session_id'];
    assert.ok((died.data['sessions'] as unknown[]).includes(session));
    for (const client of survivors) client.close();
    t.diagnostic(`${sent.length} records sent over the death of worker ${victim}`);
  });

  test('are replaced one after the other under load, with no connection refused and no error', async (t) => {
    const load = await producing('restart');
    const pidsBefore = workerPids(gateway).size;
    const tries = { done: 0, refused: 0, running: true };
    const connecting = (async () => {
      const [target] = addressesOf(gateway.bootstrap);
      while (tries.running) {
        const socket = connect(target ?? { port: 0 });
        const ok = await new Promise<boolean>((resolve) => {
          socket.once('error', () => resolve(false));
          socket.once('close', () => resolve(false));
          // ApiVersions v0, correlation id 7, no client id: whoever answers it serves.
          socket.write(Buffer.from('0000000a0012000000000007ffff', 'hex'));
          socket.once('data', () => resolve(true));
        });
        socket.destroy();
        tries.done += 1;
        if (!ok) tries.refused += 1;
        await sleep(10);
      }
    })();
    const finish = async (): Promise<{ sent: string[]; failed: number }> => {
      tries.running = false;
      await connecting;
      return load.stop();
    };
    try {
      process.kill(gateway.pid, 'SIGUSR2');
      await until('the restart is done', () => gateway.log().includes('rolling restart: done'));
    } catch (error) {
      await finish();
      throw error;
    }
    const { sent, failed } = await finish();
    assert.equal(workerPids(gateway).size, pidsBefore + 2);
    assert.equal(tries.refused, 0, `of ${tries.done} connections`);
    assert.equal(failed, 0);
    assert.deepEqual(await contents('restart'), sent);
    t.diagnostic(`${tries.done} connections and ${sent.length} records over two replacements`);
  });

  test('end with the gateway, and the log is whole: every session closed once, its numbers without a gap', async () => {
    gateway.signal('SIGTERM');
    assert.equal(await gateway.ended, 0);
    for (const pid of workerPids(gateway).values()) assert.equal(lives(pid), false);
    const entries = gateway.entries();
    assert.equal(codeOf(entries.at(-1) as Entry), 'log.closed');
    const count = (code: string): number => entries.filter((entry) => codeOf(entry) === code).length;
    assert.equal(count('session.opened'), count('session.closed'));
    const spread = entries.find((entry) => about('spread')(entry) && codeOf(entry) === 'session.closed');
    assert.ok(spread !== undefined);
    const counters = spread.data['counters'] as { connections: number; flows: number };
    assert.deepEqual([counters.connections, counters.flows], [6, 1]);
    const report = await verifyLog(gateway.auditDirectory);
    assert.deepEqual(
      [report.integrity !== 'broken', report.completeness],
      [true, 'complete'],
      JSON.stringify(report.findings),
    );
  });
});

test('workers end with a supervisor that is killed', async () => {
  await gateway.stop();
  gateway = await serve();
  const pids = [...workerPids(gateway).values()];
  assert.equal(pids.length, 2);
  assert.equal(await isReady(gateway.telemetry), true);
  process.kill(gateway.pid, 'SIGKILL');
  await until('the workers are gone', () => !pids.some(lives), 20_000);
});
