/** TLS on the listener: names that lead to brokers, renewal, and what is never taken in the clear. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket, connect as connectTls } from 'node:tls';
import { javaTool, oauthUrls } from '../../harness/java-tools.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { type PortScenes, failure, startPortScenes, tlsTo } from '../../harness/port-scenes.ts';
import type { Scene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';

const sni = {
  mode: 'sni',
  hostPattern: 'broker-$(nodeId).sluice.test',
  bootstrapHost: 'kafka.sluice.test',
  port: 0,
} as const;
const payments = { topics: [{ name: 'payments' }] };

let ground: PortScenes;

before(async () => {
  ground = await startPortScenes();
});

after(async () => {
  await ground?.stop();
});

describe('a TLS name for each broker', () => {
  let on: Scene;

  before(async () => {
    on = await ground.scene({
      tls: 'server',
      advertise: sni,
      authentication: {
        mechanisms: ['OAUTHBEARER', 'PLAIN'],
        allowTokensWithoutTls: false,
        maxSessionLifetimeMs: 3_600_000,
        certificates: [],
      },
    });
  });

  for (const name of ['kafka.sluice.test', 'broker-0.sluice.test', 'BROKER-0.Sluice.Test']) {
    test(`${name} is let in and sees brokers under their names`, async () => {
      const client = await WireClient.connect(on.bootstrap, tlsTo(on, name));
      assert.equal((await client.authenticate(await ground.idp.token('alice'))).errorCode, 0);
      const answer = await client.ask('Metadata', 12, payments);
      assert.deepEqual(
        answer.brokers.map(({ host, port }) => `${host}:${port}`),
        [`broker-0.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`],
      );
      client.close();
    });
  }

  for (const name of [
    'broker-.sluice.test',
    'broker-00.sluice.test',
    'broker--1.sluice.test',
    'broker-0.sluice.test.evil',
    'broker-99999999999.sluice.test',
    'other.sluice.test',
  ]) {
    test(`${name} is none of this port: the connection ends`, async () => {
      const client = await WireClient.connect(on.bootstrap, tlsTo(on, name)).catch(() => null);
      assert.ok(client === null || (await client.closes(2_000)));
    });
  }

  test('the name of a broker that does not exist ends the connection at its first question', async () => {
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'broker-7.sluice.test'));
    client.write(client.frame('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }));
    assert.equal(await client.payload(), null);
  });

  test('plain bytes to a TLS port end the connection', async () => {
    const client = await WireClient.connect(on.bootstrap);
    client.write(client.frame('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }));
    assert.ok(await client.closes(2_000));
  });

  test('kafkajs follows the names to write and read', async () => {
    const { authority } = on;
    assert.ok(authority);
    const seen = new Set<string>();
    const client = kafkajsClient(`kafka.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`, ground.idp, 'alice', {
      ssl: { ca: [authority.ca] },
      // The names stand in no DNS here.
      socketFactory: ({ host, port, onConnect }) => {
        seen.add(host);
        return connectTls({ host: '127.0.0.1', port, servername: host, ca: authority.ca }, onConnect);
      },
    });
    const producer = client.producer();
    await producer.connect();
    await producer.send({
      topic: 'payments',
      messages: Array.from({ length: 20 }, (_, index) => ({ value: `k-${index}`, partition: index % 2 })),
    });
    await producer.disconnect();
    const values: string[] = [];
    const consumer = client.consumer({ groupId: 'g1', maxWaitTimeInMs: 200 });
    await consumer.connect();
    await consumer.subscribe({ topic: 'payments', fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) });
    for (let tries = 0; values.length < 20 && tries < 500; tries += 1) await sleep(20);
    await consumer.disconnect();
    assert.equal(new Set(values).size, 20);
    assert.deepEqual([...seen].sort(), ['broker-0.sluice.test', 'kafka.sluice.test']);
  });

  test("Java's own producer follows the names", async () => {
    const { authority } = on;
    assert.ok(authority);
    const hosts = join(on.folder, 'hosts');
    writeFileSync(hosts, '127.0.0.1 kafka.sluice.test broker-0.sluice.test localhost\n');
    const run = await javaTool('console-producer', {
      args: [
        '--bootstrap-server',
        `kafka.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`,
        '--topic',
        'payments',
        '--sync',
      ],
      stdin: 'from-java-over-sni\n',
      jvm: [`-Djdk.net.hosts.file=${hosts}`, oauthUrls(ground.idp.tokenEndpoint)],
      config: {
        'security.protocol': 'SASL_SSL',
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': authority.caFile,
        'sasl.mechanism': 'PLAIN',
        'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="token" password="${await ground.idp.token('alice')}";`,
      },
    });
    assert.equal(run.code, 0, run.stderr);
    await on.entry(
      'what Java wrote',
      (entry) => entry.type.endsWith('flow.opened') && JSON.stringify(entry.data).includes('apache-kafka-java'),
    );
  });

  test('a renewed certificate is served without a restart; a broken renewal leaves the last good one', async () => {
    const { authority } = on;
    assert.ok(authority);
    const former = await servedFingerprint(on);
    await authority.serverFiles('gateway', { dns: ['*.sluice.test'], ips: ['127.0.0.1'] });
    const renewed = await servedOther(on, former);
    const { tls } = on.settings.ports[0]?.listen ?? {};
    assert.ok(tls);
    writeFileSync(tls.certFile, 'no certificate at all');
    await sleep(6_000);
    assert.equal(await servedFingerprint(on), renewed);
  });
});

async function servedFingerprint(on: Scene): Promise<string> {
  const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'kafka.sluice.test'));
  const { socket } = client;
  assert.ok(socket instanceof TLSSocket);
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  client.close();
  assert.ok(fingerprint);
  return fingerprint;
}

async function servedOther(on: Scene, former: string): Promise<string> {
  for (let tries = 0; tries < 40; tries += 1) {
    const now = await servedFingerprint(on);
    if (now !== former) return now;
    await sleep(250);
  }
  assert.fail('the renewed certificate was not served within 10 s');
}

describe('a drain', () => {
  test('turns away whoever was still shaking hands when it began', async () => {
    const on = await ground.scene({ tls: 'server' });
    // A poll under way keeps the drain going.
    const busy = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    assert.equal((await busy.authenticate(await ground.idp.token('alice'))).errorCode, 0);
    const end = await busy.ask('ListOffsets', 7, {
      replicaId: -1,
      topics: [{ name: 'payments', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    });
    const fetchOffset = end.topics[0]?.partitions[0]?.offset ?? 0n;
    const polling = busy.ask('Fetch', 11, {
      replicaId: -1,
      maxWaitMs: 1_500,
      minBytes: 1,
      maxBytes: 1_000,
      sessionEpoch: -1,
      topics: [{ topic: 'payments', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000 }] }],
    });
    const late = await WireClient.connect(on.bootstrap);
    await sleep(100);
    const stopping = on.gateway.stop();
    await sleep(100);
    assert.ok(on.authority);
    const secure = connectTls({ socket: late.socket, ca: on.authority.ca, servername: 'localhost' });
    const client = WireClient.over(secure);
    const begun = performance.now();
    assert.ok(await client.closes(1_000), 'it is turned away while the drain goes on');
    assert.ok(performance.now() - begun < 1_000);
    assert.equal((await polling).responses[0]?.partitions[0]?.errorCode, 0, 'what was under way is answered');
    await stopping;
  });
});

describe('without TLS', () => {
  test('tokens are refused where the port does not allow them in the clear', async () => {
    const on = await ground.scene({
      authentication: {
        mechanisms: ['OAUTHBEARER', 'PLAIN'],
        allowTokensWithoutTls: false,
        maxSessionLifetimeMs: 3_600_000,
        certificates: [],
      },
    });
    const since = Date.now();
    const client = await WireClient.connect(on.bootstrap);
    const answer = await client.authenticate(await ground.idp.token('alice'));
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.match(answer.errorMessage ?? '', /TLS/);
    assert.ok(await client.closes(2_000));
    await failure(on, 'tls-required', since);
  });
});
