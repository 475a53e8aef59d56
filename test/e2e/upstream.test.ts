/** The gateway's own way to the brokers: every mechanism, TLS, secrets that rotate, sessions that end, a broker that is away. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { type Scene, addressesOf, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import type { Logger } from '../../src/lib/logger.ts';
import type { UpstreamSettings } from '../../src/model/settings.ts';
import { batches, parseBatch } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: ["t-*"], actions: [describe, read, write] }
`;
const clients = [
  { id: 'alice', secret: 'a', groups: ['team'] },
  { id: 'gateway', secret: 'gateway-secret' },
];
const username = 'sluice';
const password = 'first-password=,with "signs"';
const sessionMs = 3_000;
/** Longer than the gateway waits for an answer to a question of its own. */
const longPollMs = 33_000;

let kafka: KafkaCluster;
let idp: Idp;
let folder: string;
/** Begun first and answered last: a poll that outlives many sessions of the broker. */
let patient: WireClient;
const scenes: Scene[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-upstream-'));
  idp = await startIdp({ clients });
  kafka = await startKafka({
    listeners: ['plaintext', 'sasl', 'tls', 'sasl-tls', 'mtls'],
    users: [{ name: username, password }],
    scramUsers: [{ name: username, password }],
    oauth: { jwksUrl: idp.jwksUri, issuer: idp.issuer, audience: 'sluice' },
    config: { 'connections.max.reauth.ms': String(sessionMs) },
  });
  for (const topic of ['t-small', 't-load', 't-quiet']) await kafka.createTopic(topic);
  const on = await scene({
    bootstrap: at('sasl'),
    sasl: { mechanism: 'PLAIN', username, password: { file: secretFile('patient', password) } },
  });
  patient = await authenticated(on, on.brokerAddress(0));
  patient.write(patient.frame('Fetch', 11, fetchOf('t-quiet', 0n, longPollMs)));
});

after(async () => {
  await Promise.all(scenes.map((one) => one.stop()));
  await kafka?.stop();
  await idp?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What a logger was told, as text. */
function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const add = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { logger: { debug() {}, info: add, warn: add, error: add }, lines };
}

async function scene(upstream: UpstreamSettings, logger?: Logger): Promise<Scene> {
  const started = await startScene({
    cluster: kafka,
    idp,
    clients,
    policies: { 'p.yaml': policy },
    port: { upstream },
    ...(logger === undefined ? {} : { logger }),
  });
  scenes.push(started);
  return started;
}

function secretFile(name: string, value: string): string {
  const file = join(folder, name);
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
  return file;
}

const at = (listener: Parameters<KafkaCluster['bootstrap']>[0]) => addressesOf(kafka.bootstrap(listener));

async function authenticated(on: Scene, address = on.bootstrap): Promise<WireClient> {
  const client = await WireClient.connect(address);
  assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
  return client;
}

async function works(on: Scene): Promise<void> {
  const client = await authenticated(on, on.brokerAddress(0));
  const answer = await client.ask('Metadata', 12, { topics: [{ name: 't-small' }] });
  assert.equal(answer.topics[0]?.errorCode, 0);
  client.close();
}

async function turnedAway(on: Scene): Promise<void> {
  const client = await WireClient.connect(on.bootstrap);
  client.write(client.frame('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }));
  assert.equal(await client.payload(), null, 'a client is turned away');
}

async function readiness(on: Scene, ready: boolean, withinMs = 5_000): Promise<string> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const state = on.gateway.readiness();
    const detail = state.checks.find(({ name }) => name === 'port/orders')?.detail ?? '';
    if (state.ready === ready) return detail;
    if (performance.now() > deadline) assert.fail(`readiness did not become ${ready} within ${withinMs} ms: ${detail}`);
    await sleep(20);
  }
}

describe('mechanisms', () => {
  for (const listener of ['sasl', 'sasl-tls'] as const) {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      test(`${mechanism} at the ${listener} listener`, async () => {
        const tls = listener === 'sasl-tls' ? { tls: { caFile: kafka.authority?.caFile ?? '' } } : {};
        const on = await scene({
          bootstrap: at(listener),
          sasl: { mechanism, username, password: { file: secretFile(`pw-${mechanism}`, password) } },
          ...tls,
        });
        await works(on);
        await readiness(on, true);
      });
    }
  }

  test('OAUTHBEARER with client credentials; the token is kept while it lives', async () => {
    const sasl = {
      mechanism: 'OAUTHBEARER',
      tokenUrl: idp.tokenEndpoint,
      clientId: 'gateway',
      clientSecret: { file: secretFile('oauth', 'gateway-secret') },
    } as const;
    const on = await scene({ bootstrap: at('sasl'), sasl });
    await works(on);
    const asked = idp.requests.get('/token') ?? 0;
    const token = await idp.token('alice');
    for (let count = 0; count < 5; count += 1) {
      const client = await WireClient.connect(on.bootstrap);
      assert.equal((await client.authenticate(token)).errorCode, 0);
      assert.equal((await client.ask('Metadata', 12, { topics: [{ name: 't-small' }] })).topics[0]?.errorCode, 0);
      client.close();
    }
    assert.equal((idp.requests.get('/token') ?? 0) - asked, 1, "the test's own and none of the gateway's");
  });

  test('OAUTHBEARER with a wrong client secret is told apart in the log', async () => {
    const { logger, lines } = listening();
    const sasl = {
      mechanism: 'OAUTHBEARER',
      tokenUrl: idp.tokenEndpoint,
      clientId: 'gateway',
      clientSecret: { file: secretFile('oauth-wrong', 'not-the-secret') },
    } as const;
    const on = await scene({ bootstrap: at('sasl'), sasl }, logger);
    await turnedAway(on);
    assert.match(await readiness(on, false), /no token from/);
    assert.equal(
      lines.some((line) => line.includes('not-the-secret')),
      false,
    );
  });
});

describe('TLS', () => {
  test('with the CA it connects, without it it does not, and says why', async () => {
    const on = await scene({ bootstrap: at('tls'), tls: { caFile: kafka.authority?.caFile ?? '' } });
    await works(on);
    const without = await scene({ bootstrap: at('tls'), tls: {} });
    await turnedAway(without);
    assert.match(await readiness(without, false), /certificate|issuer/);
  });

  test('a broker whose certificate has another name is not talked to', async () => {
    const on = await scene({
      bootstrap: at('tls'),
      tls: { caFile: kafka.authority?.caFile ?? '', serverName: 'other.sluice.test' },
    });
    await turnedAway(on);
    assert.match(await readiness(on, false), /altname|other\.sluice\.test/i);
  });

  test('a client certificate where the broker wants one', async () => {
    const files = await kafka.authority?.clientFiles('gateway');
    assert.ok(files);
    const caFile = kafka.authority?.caFile ?? '';
    await works(
      await scene({ bootstrap: at('mtls'), tls: { caFile, certFile: files.certFile, keyFile: files.keyFile } }),
    );
    await turnedAway(await scene({ bootstrap: at('mtls'), tls: { caFile } }));
  });
});

describe('secrets', () => {
  test('with a wrong password nobody gets through; log and readiness say why and never the password', async () => {
    const { logger, lines } = listening();
    const on = await scene(
      {
        bootstrap: at('sasl'),
        sasl: { mechanism: 'PLAIN', username, password: { file: secretFile('wrong', 'a-wrong-password') } },
      },
      logger,
    );
    await turnedAway(on);
    assert.match(await readiness(on, false), /refused the gateway's own credentials/);
    assert.ok(lines.some((line) => line.includes("refused the gateway's own credentials")));
    assert.equal(
      lines.some((line) => line.includes('a-wrong-password')),
      false,
    );
    // Put right in place, it is picked up without a restart.
    secretFile('wrong', password);
    await readiness(on, true);
    await works(on);
  });

  test('a rotated password is used by the next connections and re-authentications, without a restart', async () => {
    const rotating = secretFile('rotating', 'one');
    await kafka.admin.setScramUser({ name: 'rotated', password: 'one' });
    const on = await scene({
      bootstrap: at('sasl'),
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'rotated', password: { file: rotating } },
    });
    await works(on);
    const open = await authenticated(on);
    assert.equal((await open.ask('Metadata', 12, { topics: [{ name: 't-small' }] })).topics[0]?.errorCode, 0);
    secretFile('rotating', 'two');
    await kafka.admin.setScramUser({ name: 'rotated', password: 'two' });
    await works(on);
    await sleep(sessionMs + 500);
    assert.equal(
      (await open.ask('Metadata', 12, { topics: [{ name: 't-small' }] })).topics[0]?.errorCode,
      0,
      'the open connection re-authenticated with the new password',
    );
    open.close();
  });
});

describe("the broker's limit on sessions", () => {
  test('under load and in long polls the gateway re-authenticates itself; clients notice nothing', async (t) => {
    const on = await scene({
      bootstrap: at('sasl'),
      sasl: { mechanism: 'SCRAM-SHA-256', username, password: { file: secretFile('load', password) } },
    });
    const producer = await authenticated(on, on.brokerAddress(0));
    const consumer = await authenticated(on, on.brokerAddress(0));
    const poller = await authenticated(on, on.brokerAddress(0));
    const until = performance.now() + 4 * sessionMs;
    // A fetch that waits for longer than a whole session of the broker, on a topic where nothing comes.
    const polling = poller.ask('Fetch', 11, fetchOf('t-small', 0n, 2 * sessionMs));
    let produced = 0;
    const producing = (async () => {
      // Eight requests under way at all times: some are always caught by the change.
      const send = (): void => {
        const value = `load-${produced}`;
        produced += 1;
        producer.write(producer.frame('Produce', 9, produceOf('t-load', value)));
      };
      for (let index = 0; index < 8; index += 1) send();
      let answered = 0;
      while (answered < produced) {
        const { message } = await producer.answer('Produce', 9);
        const part = message.responses[0]?.partitionResponses[0];
        assert.equal(part?.errorCode, 0);
        assert.equal(part.baseOffset, BigInt(answered), 'in order, none lost, none doubled');
        answered += 1;
        if (performance.now() < until) send();
      }
    })();
    const seen: string[] = [];
    const consuming = (async () => {
      while (performance.now() < until || seen.length < produced) {
        const answer = await consumer.ask('Fetch', 11, fetchOf('t-load', BigInt(seen.length), 200));
        const part = answer.responses[0]?.partitions[0];
        assert.equal(part?.errorCode, 0);
        const bytes = part.records ?? Buffer.alloc(0);
        for (const batch of batches(bytes)) {
          for (const record of parseBatch(bytes, batch.position).records) {
            if (batch.baseOffset + BigInt(record.offsetDelta) === BigInt(seen.length)) seen.push(String(record.value));
          }
        }
      }
    })();
    await Promise.all([producing, consuming, polling]);
    assert.equal((await polling).responses[0]?.partitions[0]?.errorCode, 0);
    assert.deepEqual(
      seen,
      Array.from({ length: produced }, (_, index) => `load-${index}`),
    );
    for (const client of [producer, consumer, poller]) {
      assert.equal(client.closed, false);
      client.close();
    }
    t.diagnostic(`${produced} records over ${4 * sessionMs} ms in broker sessions of ${sessionMs} ms`);
  });
});

describe('clients that leave', () => {
  for (const [size, count, bytes] of [
    ['little', 50, 100],
    ['much', 400, 20_000],
  ] as const) {
    test(`what a client wrote with acks=0 before it closed arrives all the same: ${size}`, async () => {
      const topic = `t-parting-${size}`;
      await kafka.createTopic(topic);
      const on = await scene({ bootstrap: at('plaintext') });
      const client = await authenticated(on, on.brokerAddress(0));
      const frames = Array.from({ length: count }, () =>
        client.frame('Produce', 9, { ...produceOf(topic, 'x'.repeat(bytes)), acks: 0 }),
      );
      client.write(Buffer.concat(frames));
      client.socket.end();
      const reader = await authenticated(on, on.brokerAddress(0));
      let end = 0n;
      for (let tries = 0; end < BigInt(count) && tries < 100; tries += 1) {
        await sleep(50);
        const answer = await reader.ask('ListOffsets', 7, {
          replicaId: -1,
          topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
        });
        end = answer.topics[0]?.partitions[0]?.offset ?? 0n;
      }
      assert.equal(end, BigInt(count));
      reader.close();
    });
  }
});

describe('a long poll', () => {
  test('that outlives many sessions of the broker has its answer, and the connection goes on', async () => {
    let payload: Buffer | null = null;
    for (let tries = 0; payload === null && tries < 2 && !patient.closed; tries += 1)
      payload = await patient.payload().catch(() => null);
    assert.ok(payload, 'it was answered');
    const answer = await patient.ask('Fetch', 11, fetchOf('t-quiet', 0n, 100));
    assert.equal(answer.responses[0]?.partitions[0]?.errorCode, 0);
    patient.close();
  });
});

describe('a broker that is away', () => {
  test('readiness follows it down and up again, and clients get through at once', async () => {
    const { logger, lines } = listening();
    const on = await scene({ bootstrap: at('plaintext') }, logger);
    await readiness(on, true);
    await kafka.stopNode(0);
    await readiness(on, false);
    await turnedAway(on);
    await kafka.startNode(0);
    await readiness(on, true);
    await works(on);
    assert.ok(lines.some((line) => line.includes('the upstream cluster cannot be reached')));
  });
});

function produceOf(topic: string, value: string) {
  return {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf([value]) }] }],
  };
}

function fetchOf(topic: string, fetchOffset: bigint, maxWaitMs: number) {
  return {
    replicaId: -1,
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1_000_000,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 500_000 }] }],
  };
}
