import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaConfig } from 'kafkajs';
import { javaTool } from './java-tools.ts';
import { kcat } from './kcat.ts';
import { startKafka } from './kafka.ts';
import type { KafkaCluster } from './kafka.ts';
import { processesNaming } from './processes.ts';

// These are tests of the harness itself, so they never run on somebody's own Kafka.
delete process.env['SLUICE_KAFKA'];
const alice = { name: 'alice', password: 'pl"a\\in' };
const bob = { name: 'bob', password: 'first, second' };

let cluster: KafkaCluster;
before(async () => {
  cluster = await startKafka({
    listeners: ['plaintext', 'sasl', 'tls', 'sasl-tls', 'mtls'],
    acls: true,
    users: [alice],
    scramUsers: [bob],
    superUsers: ['User:bob', 'User:CN=carol'],
  });
  console.log(`Kafka ${cluster.version} was ready after ${Math.round(cluster.startMs)} ms`);
});
after(async () => await cluster?.stop());

function client(bootstrap: string, more: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, retry: { retries: 1 }, ...more });
}

function plain(password: string): Kafka {
  return client(cluster.bootstrap('sasl'), { sasl: { mechanism: 'plain', username: 'alice', password } });
}

async function topicsSeenBy(kafka: Kafka): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

test('a topic that has been made takes writes of all its partitions at once', async () => {
  const partitions = 6;
  const producer = client(cluster.bootstrap()).producer({ retry: { retries: 0 } });
  await producer.connect();
  try {
    for (let round = 0; round < 10; round += 1) {
      const topic = `at-once-${round}`;
      await cluster.createTopic(topic, { partitions });
      const messages = Array.from({ length: partitions }, (_, partition) => ({ value: 'x', partition }));
      const written = await producer.send({ topic, messages });
      assert.deepEqual(
        written.map(({ baseOffset }) => baseOffset),
        Array.from({ length: partitions }, () => '0'),
      );
    }
  } finally {
    await producer.disconnect();
  }
});

test('what is produced is consumed, in a group', async () => {
  await cluster.createTopic('orders', { partitions: 2 });
  const kafka = client(cluster.bootstrap());
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: 'readers' });
  try {
    await producer.connect();
    await producer.send({ topic: 'orders', messages: [{ value: 'one' }, { value: 'two' }] });
    await consumer.connect();
    await consumer.subscribe({ topic: 'orders', fromBeginning: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    const values = new Set<string>();
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.add(String(message.value));
        if (values.size === 2) resolve();
      },
    });
    await promise;
    assert.deepEqual([...values].toSorted(), ['one', 'two']);
  } finally {
    await producer.disconnect();
    await consumer.disconnect();
  }
});

test('SCRAM and PLAIN users get in by their password, and by no other', async () => {
  const scram = (password: string): Kafka =>
    client(cluster.bootstrap('sasl'), { sasl: { mechanism: 'scram-sha-512', username: 'bob', password } });
  await cluster.createTopic('secrets');
  assert.ok((await topicsSeenBy(scram(bob.password))).includes('secrets'));
  assert.deepEqual(await topicsSeenBy(plain(alice.password)), [], 'ACLs are on, and alice has none');
  await assert.rejects(topicsSeenBy(scram('wrong')), /authentication failed/i);

  await cluster.admin.setScramUser({ name: 'bob', password: 'rotated' });
  assert.ok((await topicsSeenBy(scram('rotated'))).includes('secrets'));
  await assert.rejects(topicsSeenBy(scram(bob.password)), /authentication failed/i);
});

test('TLS shows a certificate of the authority, and mTLS wants one of the client', async () => {
  const ca = readFileSync(authority().caFile);
  const files = await authority().clientFiles('carol');
  const own = { ca, cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
  assert.ok(
    (await topicsSeenBy(client(cluster.bootstrap('mtls'), { ssl: own }))).length > 0,
    'CN=carol is a super user',
  );
  await assert.rejects(topicsSeenBy(client(cluster.bootstrap('mtls'), { ssl: { ca } })));
  const sasl = { mechanism: 'scram-sha-256', username: 'bob', password: 'rotated' } as const;
  await cluster.admin.setScramUser({ name: 'bob', password: 'rotated' });
  assert.ok((await topicsSeenBy(client(cluster.bootstrap('sasl-tls'), { ssl: { ca }, sasl }))).length > 0);
  const [host, port] = cluster.bootstrap('tls').split(':');
  const socket = connectTls({ host: host ?? '', port: Number(port), ca });
  await once(socket, 'secureConnect');
  assert.equal(socket.authorized, true);
  socket.destroy();
});

function authority(): NonNullable<KafkaCluster['authority']> {
  assert.ok(cluster.authority);
  return cluster.authority;
}

test('kcat and the Java tools reach the broker', async () => {
  const produced = await kcat(['-b', cluster.bootstrap(), '-P', '-t', 'orders', '-p', '0'], { stdin: 'from kcat\n' });
  assert.equal(produced.code, 0, produced.stderr);
  const args = [
    '--bootstrap-server',
    cluster.bootstrap('sasl'),
    '--topic',
    'orders',
    '--from-beginning',
    '--max-messages',
    '3',
    '--timeout-ms',
    '20000',
  ];
  await cluster.admin.setScramUser({ name: 'bob', password: 'q"\\' });
  const jaas = `org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="q\\"\\\\";`;
  const config = {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': jaas,
    'group.id': 'java',
  };
  const consumed = await javaTool('console-consumer', { args, config });
  assert.match(consumed.stdout, /from kcat/, consumed.stderr);
});

test('a restart changes the users of PLAIN, and keeps ports and records', async () => {
  const address = cluster.bootstrap();
  await cluster.setPlainUsers([{ name: 'alice', password: 'rotated' }]);
  assert.equal(cluster.bootstrap(), address);
  assert.ok((await topicsSeenBy(client(address))).includes('orders'));
  assert.deepEqual(await topicsSeenBy(plain('rotated')), []);
  await assert.rejects(topicsSeenBy(plain(alice.password)), /authentication failed/i);
});

test('a broker that cannot start says why', async () => {
  const started = startKafka({ config: { 'num.io.threads': '-4' } });
  await assert.rejects(
    started,
    (error: Error) => error.message.includes('node 0 ended while starting') && /num\.io\.threads/.test(error.message),
  );
});

test('your own Kafka is handed out, and refuses what it cannot offer', async () => {
  process.env['SLUICE_KAFKA'] = cluster.bootstrap();
  try {
    const handed = await startKafka({ listeners: ['plaintext'] });
    assert.equal(handed.clusterId, cluster.clusterId);
    await handed.createTopic('mine');
    await assert.rejects(handed.stopNode(0), { code: 'kafka-own' });
    await assert.rejects(startKafka({ listeners: ['sasl'], acls: true }), /cannot offer: acls, listeners \(sasl\)/);
    await handed.stop();
    assert.ok((await cluster.admin.brokerIds()).length === 1, 'stopping does not touch it');
  } finally {
    delete process.env['SLUICE_KAFKA'];
  }
});

test('stop leaves no process and no file', async () => {
  const folder = dirname(cluster.log(0));
  assert.notDeepEqual(await processesNaming(folder), []);
  await cluster.stop();
  assert.deepEqual(await processesNaming(folder), []);
  assert.equal(existsSync(folder), false);
});
