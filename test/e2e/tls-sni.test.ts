/** TLS on the listener: names that lead to brokers, client certificates as identities, renewal, and the PROXY header before it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { CertificateFiles, CertificateOptions } from '../../harness/certificates.ts';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { javaTool, oauthUrls } from '../../harness/java-tools.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { type PortOverrides, type Scene, startScene } from '../../harness/scene.ts';
import { WireClient, type WireClientOptions } from '../../harness/wire-client.ts';
import type { Entry } from '../../src/model/entry.ts';
import { errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [payments], consumerGroups: [g1], actions: [describe, read, write] }
    - { port: orders, cluster: true, actions: [describe] }
---
apiVersion: sluice/v1
kind: Policy
metadata: { name: machines }
spec:
  subjects: [{ kind: workload, id: billing }, { kind: workload, id: "spiffe-settle" }, { group: machines }]
  allow:
    - { port: orders, topics: [ledger], actions: [describe, read, write] }
`;
const idpClients = [
  { id: 'alice', secret: 'a', groups: ['team'] },
  { id: 'bob', secret: 'b', groups: ['team'] },
];
const sni = { mode: 'sni', hostPattern: 'broker-$(nodeId).sluice.test', bootstrapHost: 'kafka.sluice.test', port: 0 } as const;
const certificates = [
  { from: 'subject', match: 'CN=([a-z]+),OU=machines', kind: 'workload', groups: ['machines'] },
  { from: 'san-uri', match: 'spiffe://sluice\\.test/([a-z]+)', id: 'spiffe-$1', kind: 'workload', groups: [] },
  { from: 'san-dns', match: '([a-z]+)\\.machines\\.sluice\\.test', kind: 'workload', groups: ['machines'] },
] as const;

let kafka: KafkaCluster;
let idp: Idp;
const scenes: Scene[] = [];

async function scene(port: PortOverrides): Promise<Scene> {
  const started = await startScene({ cluster: kafka, idp, clients: idpClients, policies: { 'p.yaml': policy }, port });
  scenes.push(started);
  return started;
}

before(async () => {
  [kafka, idp] = await Promise.all([startKafka(), startIdp({ clients: idpClients })]);
  await kafka.createTopic('payments', { partitions: 2 });
  await kafka.createTopic('ledger');
});

after(async () => {
  await Promise.all(scenes.map((one) => one.stop()));
  await idp?.stop();
  await kafka?.stop();
});

function tlsTo(on: Scene, servername: string, files?: CertificateFiles): WireClientOptions {
  const { authority } = on;
  assert.ok(authority);
  const checkServerIdentity = (): undefined => undefined;
  return { tls: { ca: authority.ca, servername, checkServerIdentity, ...(files === undefined ? {} : { cert: files.cert, key: files.key }) } };
}

function certificate(on: Scene, name: string, options: CertificateOptions): Promise<CertificateFiles> {
  assert.ok(on.authority);
  return on.authority.clientFiles(name, options);
}

function failure(on: Scene, code: string, since: number): Promise<Entry> {
  return on.entry(`authentication.failed ${code}`, (entry) => {
    return entry.type.endsWith('authentication.failed') && Date.parse(entry.time) >= since && JSON.stringify(entry.data).includes(code);
  });
}

function opened(on: Scene, id: string): Promise<Entry> {
  return on.entry(`session.opened ${id}`, (entry) => entry.type.endsWith('session.opened') && JSON.stringify(entry.data).includes(`"id":"${id}"`));
}

const payments = { topics: [{ name: 'payments' }] };
const ledger = { topics: [{ name: 'ledger' }] };

describe('a TLS name for each broker', () => {
  let on: Scene;

  before(async () => {
    on = await scene({ tls: 'server', advertise: sni, authentication: { mechanisms: ['OAUTHBEARER', 'PLAIN'], allowTokensWithoutTls: false, maxSessionLifetimeMs: 3_600_000, certificates: [] } });
  });

  for (const name of ['kafka.sluice.test', 'broker-0.sluice.test', 'BROKER-0.Sluice.Test']) {
    test(`${name} is let in and sees brokers under their names`, async () => {
      const client = await WireClient.connect(on.bootstrap, tlsTo(on, name));
      assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
      const answer = await client.ask('Metadata', 12, payments);
      assert.deepEqual(answer.brokers.map(({ host, port }) => `${host}:${port}`), [`broker-0.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`]);
      client.close();
    });
  }

  for (const name of ['broker-.sluice.test', 'broker-00.sluice.test', 'broker--1.sluice.test', 'broker-0.sluice.test.evil', 'broker-99999999999.sluice.test', 'other.sluice.test']) {
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
    const client = kafkajsClient(`kafka.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`, idp, 'alice', {
      ssl: { ca: [authority.ca] },
      // The names stand in no DNS here.
      socketFactory: ({ host, port, onConnect }) => {
        seen.add(host);
        return connectTls({ host: '127.0.0.1', port, servername: host, ca: authority.ca }, onConnect);
      },
    });
    const producer = client.producer();
    await producer.connect();
    await producer.send({ topic: 'payments', messages: Array.from({ length: 20 }, (_, index) => ({ value: `k-${index}`, partition: index % 2 })) });
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
      args: ['--bootstrap-server', `kafka.sluice.test:${on.bootstrap.split(':')[1] ?? ''}`, '--topic', 'payments', '--sync'],
      stdin: 'from-java-over-sni\n',
      jvm: [`-Djdk.net.hosts.file=${hosts}`, oauthUrls(idp.tokenEndpoint)],
      config: {
        'security.protocol': 'SASL_SSL',
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': authority.caFile,
        'sasl.mechanism': 'PLAIN',
        'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="token" password="${await idp.token('alice')}";`,
      },
    });
    assert.equal(run.code, 0, run.stderr);
    await on.entry('what Java wrote', (entry) => entry.type.endsWith('flow.opened') && JSON.stringify(entry.data).includes('apache-kafka-java'));
  });

  test('a renewed certificate is served without a restart; a broken renewal leaves the last good one', async () => {
    const { authority } = on;
    assert.ok(authority);
    const before = await servedFingerprint(on);
    await authority.serverFiles('gateway', { dns: ['*.sluice.test'], ips: ['127.0.0.1'] });
    const renewed = await servedOther(on, before);
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
  assert.ok('getPeerX509Certificate' in socket);
  const fingerprint = (socket as import('node:tls').TLSSocket).getPeerX509Certificate()?.fingerprint256;
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

describe('client certificates, required', () => {
  let on: Scene;

  before(async () => {
    on = await scene({ tls: 'mutual-required', authentication: { mechanisms: [], allowTokensWithoutTls: false, maxSessionLifetimeMs: 3_600_000, certificates } });
  });

  const mapped: [string, string, CertificateOptions][] = [
    ['subject', 'billing', { subject: 'OU=machines,CN=billing' }],
    ['URI', 'spiffe-settle', { subject: 'CN=whoever', uris: ['spiffe://sluice.test/settle'] }],
    ['DNS name', 'ledgerd', { subject: 'CN=whoever', dns: ['ledgerd.machines.sluice.test'] }],
  ];
  for (const [what, id, options] of mapped) {
    test(`the ${what} makes the principal ${id}, who may what the policy grants it, over TLS with a port per broker`, async () => {
      const files = await certificate(on, id, options);
      for (const address of [on.bootstrap, on.brokerAddress(0)]) {
        const client = await WireClient.connect(address, tlsTo(on, 'localhost', files));
        const answer = await client.ask('Metadata', 12, { topics: [...ledger.topics, ...payments.topics] });
        assert.deepEqual(new Map(answer.topics.map(({ name, errorCode }) => [name, errorCode])), new Map([['ledger', 0], ['payments', errorCodes.TOPIC_AUTHORIZATION_FAILED]]));
        client.close();
      }
      const entry = await opened(on, id);
      assert.match(JSON.stringify(entry.data), /"mechanism":"MTLS"/);
    });
  }

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`a client that resumes its TLS session is still known by its certificate: ${maxVersion}`, async () => {
      const files = await certificate(on, 'resuming', { subject: 'OU=machines,CN=billing' });
      const options = tlsTo(on, 'localhost', files).tls ?? {};
      let session: Buffer | undefined;
      for (let times = 0; times < 3; times += 1) {
        const client = await WireClient.connect(on.bootstrap, { tls: { ...options, maxVersion, ...(session === undefined ? {} : { session }) } });
        client.socket.on('session', (bytes: Buffer) => (session = bytes));
        assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
        session ??= (client.socket as import('node:tls').TLSSocket).getSession();
        client.close();
      }
    });
  }

  test('it offers no SASL', async () => {
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', await certificate(on, 'nosasl', { subject: 'OU=machines,CN=billing' })));
    const { apiKeys } = await client.ask('ApiVersions', 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' });
    assert.equal(apiKeys.some(({ apiKey }) => apiKey === 17 || apiKey === 36), false);
    client.close();
  });

  const refused: [string, string, () => Promise<CertificateFiles | undefined>][] = [
    ['no certificate', 'certificate-missing', async () => undefined],
    ['an expired certificate', 'expired', () => certificate(on, 'old', { subject: 'OU=machines,CN=billing', notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 60_000) })],
    ['a certificate that no rule maps', 'certificate-unmapped', () => certificate(on, 'odd', { subject: 'CN=stranger' })],
    ['a subject with more around it', 'certificate-unmapped', () => certificate(on, 'around', { subject: 'O=x,OU=machines,CN=billing' })],
    ['the certificate of another CA', 'certificate-untrusted', async () => {
      const other = await (await import('../../harness/certificates.ts')).createCertificateAuthority(join(on.folder, 'other'), 'gateway');
      return other.clientFiles('fake', { subject: 'OU=machines,CN=billing' });
    }],
    ["a server's certificate", 'certificate-untrusted', async () => on.authority?.serverFiles('srv', { subject: 'OU=machines,CN=billing', dns: ['x.sluice.test'] })],
  ];
  for (const [what, code, files] of refused) {
    test(`${what} is refused, and the log has it: ${code}`, async () => {
      const since = Date.now();
      const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', await files())).catch(() => null);
      client?.write(client.frame('Metadata', 12, ledger));
      assert.ok(client === null || (await client.closes(2_000)));
      assert.equal(client === null ? null : await client.payload(), null);
      await failure(on, code, since);
    });
  }
});

describe('client certificates, optional, beside tokens', () => {
  let on: Scene;

  before(async () => {
    on = await scene({ tls: 'mutual-optional', authentication: { mechanisms: ['OAUTHBEARER'], allowTokensWithoutTls: false, maxSessionLifetimeMs: 3_600_000, certificates } });
  });

  test('without a certificate a token is needed, and is taken', async () => {
    const without = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    without.write(without.frame('Metadata', 12, payments));
    assert.equal(await without.payload(), null);
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
    assert.equal((await client.ask('Metadata', 12, payments)).topics[0]?.errorCode, 0);
    client.close();
  });

  test('with both, the token says who it is', async () => {
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', await certificate(on, 'both', { subject: 'OU=machines,CN=billing' })));
    assert.equal((await client.authenticate(await idp.token('bob'))).errorCode, 0);
    const answer = await client.ask('Metadata', 12, { topics: [...payments.topics, ...ledger.topics] });
    assert.deepEqual(new Map(answer.topics.map(({ name, errorCode }) => [name, errorCode])), new Map([['payments', 0], ['ledger', errorCodes.TOPIC_AUTHORIZATION_FAILED]]));
    await opened(on, 'bob');
    client.close();
  });

  test('a connection that has worked on its certificate does not change hands by a token', async () => {
    const since = Date.now();
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', await certificate(on, 'change', { subject: 'OU=machines,CN=billing' })));
    assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
    const answer = await client.authenticate(await idp.token('alice')).catch(() => null);
    assert.notEqual(answer?.errorCode, 0);
    assert.ok(await client.closes(2_000));
    await failure(on, 'principal-changed', since);
  });

  test('a certificate that the CA does not vouch for ends the connection, token or not', async () => {
    const since = Date.now();
    const files = await certificate(on, 'old2', { subject: 'CN=x', notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 60_000) });
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', files));
    assert.ok(await client.closes(2_000));
    await failure(on, 'expired', since);
  });

  test('a connection on a certificate ends with it', async () => {
    const files = await certificate(on, 'brief', { subject: 'OU=machines,CN=billing', notAfter: new Date(Date.now() + 4_000) });
    const client = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost', files));
    assert.equal((await client.ask('Metadata', 12, ledger)).topics[0]?.errorCode, 0);
    assert.ok(await client.closes(6_000));
  });
});

describe('a drain', () => {
  test('turns away whoever was still shaking hands when it began', async () => {
    const on = await scene({ tls: 'server' });
    // A poll under way keeps the drain going.
    const busy = await WireClient.connect(on.bootstrap, tlsTo(on, 'localhost'));
    assert.equal((await busy.authenticate(await idp.token('alice'))).errorCode, 0);
    const end = await busy.ask('ListOffsets', 7, { replicaId: -1, topics: [{ name: 'payments', partitions: [{ partitionIndex: 0, timestamp: -1n }] }] });
    const fetchOffset = end.topics[0]?.partitions[0]?.offset ?? 0n;
    const polling = busy.ask('Fetch', 11, { replicaId: -1, maxWaitMs: 1_500, minBytes: 1, maxBytes: 1_000, sessionEpoch: -1, topics: [{ topic: 'payments', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000 }] }] });
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
    const on = await scene({ authentication: { mechanisms: ['OAUTHBEARER', 'PLAIN'], allowTokensWithoutTls: false, maxSessionLifetimeMs: 3_600_000, certificates: [] } });
    const since = Date.now();
    const client = await WireClient.connect(on.bootstrap);
    const answer = await client.authenticate(await idp.token('alice'));
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.match(answer.errorMessage ?? '', /TLS/);
    assert.ok(await client.closes(2_000));
    await failure(on, 'tls-required', since);
  });
});

/** PROXY protocol v2, `PROXY` over TCP and IPv4, from 203.0.113.7:4711. */
function proxyHeader(address = [203, 0, 113, 7], port = 4_711): Buffer {
  const header = Buffer.alloc(28);
  Buffer.from('0d0a0d0a000d0a515549540a', 'hex').copy(header);
  header[12] = 0x21;
  header[13] = 0x11;
  header.writeUInt16BE(12, 14);
  Buffer.from(address).copy(header, 16);
  Buffer.from([10, 0, 0, 1]).copy(header, 20);
  header.writeUInt16BE(port, 24);
  header.writeUInt16BE(9_092, 26);
  return header;
}

function about(address: string): (entry: Entry) => boolean {
  return (entry) => entry.type.endsWith('session.opened') && JSON.stringify(entry.data).includes(`"address":"${address}"`);
}

describe('behind a balancer that sends PROXY headers', () => {
  let on: Scene;
  let overTls: Scene;

  before(async () => {
    on = await scene({ proxyProtocol: 'required' });
    overTls = await scene({ proxyProtocol: 'required', tls: 'server' });
  });

  test("the client's address, not the balancer's, stands in the log", async () => {
    const client = await WireClient.connect(on.bootstrap, { preamble: proxyHeader() });
    assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
    assert.equal((await client.ask('Metadata', 12, payments)).topics[0]?.errorCode, 0);
    await on.entry('a session from the address of the header', about('203.0.113.7'));
    client.close();
  });

  test('the header and the first request in one packet, and the header byte by byte', async () => {
    const first = await WireClient.connect(on.bootstrap);
    first.write(Buffer.concat([proxyHeader([203, 0, 113, 8]), first.frame('SaslHandshake', 1, { mechanism: 'PLAIN' })]));
    assert.equal((await first.answer('SaslHandshake', 1)).message.errorCode, 0);
    first.close();
    const slow = await WireClient.connect(on.bootstrap);
    for (const byte of proxyHeader([203, 0, 113, 9])) {
      slow.write(Buffer.from([byte]));
      await sleep(2);
    }
    assert.equal((await slow.authenticate(await idp.token('alice'))).errorCode, 0);
    await on.entry('a session from the slow header', about('203.0.113.9'));
    slow.close();
  });

  test('TLS inside, its first packet with the header or after it', async () => {
    for (const [last, together] of [[20, false], [21, true]] as const) {
      const raw = await WireClient.connect(overTls.bootstrap);
      const { socket } = raw;
      const header = proxyHeader([203, 0, 113, last]);
      if (together) {
        socket.cork();
        socket.write(header);
      } else {
        socket.write(header);
        await sleep(50);
      }
      assert.ok(overTls.authority);
      const secure = connectTls({ socket, ca: overTls.authority.ca, servername: 'localhost' });
      if (together) setImmediate(() => socket.uncork());
      await new Promise((resolve, reject) => {
        secure.once('secureConnect', resolve);
        secure.once('error', reject);
      });
      const client = WireClient.over(secure);
      assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
      await overTls.entry('a session over TLS from the address of the header', about(`203.0.113.${last}`));
      client.close();
    }
  });

  const broken: [string, Buffer][] = [
    ['no header at all', Buffer.from([0, 0, 0, 20, 0, 18, 0, 3, 0, 0, 0, 1, 0, 1, 0x78, 0])],
    ['version 1', Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 4711 9092\r\n')],
    ['a garbled signature', Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540b', 'hex'), proxyHeader().subarray(12)])],
    ['a wrong version', Buffer.concat([proxyHeader().subarray(0, 12), Buffer.from([0x11]), proxyHeader().subarray(13)])],
    ['addresses cut short', Buffer.concat([proxyHeader().subarray(0, 14), Buffer.from([0, 4]), proxyHeader().subarray(16, 20)])],
    ['a length beyond the bound', Buffer.concat([proxyHeader().subarray(0, 14), Buffer.from([0xff, 0xff]), proxyHeader().subarray(16)])],
  ];
  for (const [what, bytes] of broken) {
    test(`${what} ends the connection`, async () => {
      const client = await WireClient.connect(on.bootstrap, { preamble: bytes });
      assert.ok(await client.closes(2_000));
    });
  }
});
