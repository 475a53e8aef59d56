/**
 * Sessions of stock clients, recorded and replayed: what a client produced and got is what the replay shows, record by
 * record and in order; what a recording only refers to is held against the broker; what is written again is written once.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompressionTypes, type IHeaders, Kafka, logLevel } from 'kafkajs';
import { startGatewayProcess } from '../../harness/gateway-process.ts';
import { javaTool, oauthUrls } from '../../harness/java-tools.ts';
import { kafkajsClient } from '../../harness/kafkajs-client.ts';
import { kcat } from '../../harness/kcat.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { sluice } from '../../harness/sluice-command.ts';

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team, owner: data-platform }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: ["full-*"], actions: [read, write], record: { level: full, classification: pii, retention: 90d } }
    - { port: orders, topics: ["ref-*"], actions: [read, write], record: reference }
    - { port: orders, topics: ["meta-*"], actions: [read, write], record: metadata }
    - { port: orders, topics: ["copy-*"], actions: [read, write] }
    - { port: orders, consumerGroups: ["team-*"], actions: [read] }
    - { port: orders, cluster: true, actions: [idempotent-write] }
`;
const count = 60;

interface Seen {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string])[];
}

interface Replayed {
  readonly type: string;
  readonly direction: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly key: string; readonly value: string }[];
  readonly verdict?: string;
}

let scene: Scene;
const tokens = new Map<string, string>();
let folder: string;

before(async () => {
  scene = await startScene({
    clients: ['kafkajs', 'kcat', 'java', 'ref', 'meta', 'replayer'].map((id) => ({ id, secret: id, groups: ['team'] })),
    policies: { 'team.yaml': policy },
  });
  folder = scene.settings.recording?.directory ?? '';
  for (const name of ['full-kafkajs', 'full-kcat', 'full-java', 'ref-a', 'meta-a', 'copy-a', 'copy-b'])
    await scene.kafka.createTopic(name, { partitions: 2 });
});

after(async () => {
  await scene?.stop();
});

const places = (): string[] => ['--recordings', folder, '--audit', scene.settings.audit.directory];

async function as(who: string): Promise<{ env: Record<string, string> }> {
  return { env: { SLUICE_TOKEN: await scene.idp.token(who), NO_COLOR: '1' } };
}

/** The one session of a principal. */
async function sessionOf(principal: string): Promise<string> {
  const sessions = await sessionsOf(principal);
  assert.equal(sessions.length, 1, principal);
  return sessions[0] ?? '';
}

async function sessionsOf(principal: string): Promise<string[]> {
  const { stdout } = await sluice(['session', 'ls', '--recordings', folder, '--principal', principal, '-o', 'json']);
  return (JSON.parse(stdout) as { sessions: { session: string }[] }).sessions.map(({ session }) => session);
}

/** Of all sessions of a principal. Asks again until so much is on disk: a recording is flushed within a second. */
async function replayedOf(principal: string, atLeast: number, ...more: string[]): Promise<Replayed[]> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found: Replayed[] = [];
    let said = '';
    for (const session of await sessionsOf(principal)) {
      const args = ['replay', session, ...places(), '--as', 'json', ...more];
      const { stdout, stderr } = await sluice(args, await as('replayer'));
      const lines = stdout.split('\n').filter((line) => line !== '');
      found.push(...lines.map((line) => JSON.parse(line) as Replayed));
      said += stderr;
    }
    if (found.length >= atLeast) return found;
    assert.ok(performance.now() < deadline, `${found.length} of ${atLeast}: ${said}`);
    await sleep(200);
  }
}

function asSeen({ partition, offset, key, value, headers }: Replayed): Seen {
  return { partition, offset, key, value, headers: headers.map((header) => [header.key, header.value] as const) };
}

/** By partition: clients interleave those as they like. */
function sorted(seen: readonly Seen[]): Seen[] {
  return seen.toSorted((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
}

/** What the broker has, asked past the gateway. */
async function onBroker(topic: string): Promise<Seen[]> {
  const format = '%p\t%o\t%k\t%s\t%h\n';
  const { stdout } = await kcat([
    '-b',
    scene.kafka.bootstrap('plaintext'),
    '-C',
    '-t',
    topic,
    '-e',
    '-q',
    '-f',
    format,
  ]);
  return fromKcat(stdout);
}

function fromKcat(stdout: string): Seen[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [partition = '', offset = '', key = '', value = '', headers = ''] = line.split('\t');
      const pairs = headers.split(',').filter((pair) => pair !== '');
      return {
        partition: Number(partition),
        offset,
        key: key === '' ? null : key,
        value,
        headers: pairs.map((pair): [string, string] => [
          pair.slice(0, pair.indexOf('=')),
          pair.slice(pair.indexOf('=') + 1),
        ]),
      };
    });
}

/** With one token for all its connections: one session. */
async function client(who: string, bootstrap: string = scene.bootstrap): Promise<Kafka> {
  let token = tokens.get(who);
  if (token === undefined) tokens.set(who, (token = await scene.idp.token(who)));
  const value = token;
  const oauthBearerProvider = async () => await Promise.resolve({ value });
  return kafkajsClient(bootstrap, scene.idp, who, { sasl: { mechanism: 'oauthbearer', oauthBearerProvider } });
}

async function kafkajsProduces(who: string, topic: string, values: readonly string[]): Promise<void> {
  const producer = (await client(who)).producer();
  await producer.connect();
  for (let from = 0; from < values.length; from += 20) {
    await producer.send({
      topic,
      compression: CompressionTypes.GZIP,
      messages: values.slice(from, from + 20).map((value, index) => ({
        key: `key-${from + index}`,
        value,
        headers: { trace: `t-${from + index}`, kind: 'test' },
      })),
    });
  }
  await producer.disconnect();
}

async function kafkajsConsumes(who: string, topic: string, records: number): Promise<Seen[]> {
  const consumer = (await client(who)).consumer({ groupId: `team-${who}-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const seen: Seen[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          const { offset, key, value, headers } = message;
          const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;
          seen.push({ partition, offset, key: text(key), value: text(value), headers: pairsOf(headers ?? {}) });
          if (seen.length === records) resolve();
          await Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return seen;
}

function pairsOf(headers: IHeaders): [string, string][] {
  return Object.entries(headers).map(([key, value]) => [key, String(value)]);
}

const values = Array.from({ length: count }, (_, index) => JSON.stringify({ index, text: 'é'.repeat(index % 7) }));

describe('a recorded session, replayed, is what the client saw', () => {
  test('kafkajs, gzip', async () => {
    await kafkajsProduces('kafkajs', 'full-kafkajs', values);
    const seen = await kafkajsConsumes('kafkajs', 'full-kafkajs', count);
    const all = await replayedOf('kafkajs', 2 * count);
    const delivered = all.filter(({ direction }) => direction === 'delivered').map(asSeen);
    assert.deepEqual(sorted(delivered), sorted(seen));
    const produced = all.filter(({ direction }) => direction === 'produced').map(asSeen);
    assert.deepEqual(sorted(produced), sorted(seen), 'also with the offsets that the broker gave');
    for (const partition of [0, 1]) {
      const order = delivered.filter((one) => one.partition === partition).map(({ offset }) => Number(offset));
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        'in the order in which it was delivered',
      );
    }
  });

  test('kcat, snappy, lz4 and zstd', async () => {
    const token = await scene.idp.token('kcat');
    const sasl = [
      'security.protocol=SASL_PLAINTEXT',
      'sasl.mechanism=PLAIN',
      'sasl.username=token',
      `sasl.password=${token}`,
    ];
    const common = ['-b', scene.bootstrap, ...sasl.flatMap((one) => ['-X', one]), '-t', 'full-kcat'];
    const codecs = ['snappy', 'lz4', 'zstd'];
    for (const codec of codecs) {
      const stdin = values.map((value, index) => `${codec}-${index}\t${value}\n`).join('');
      const wrote = await kcat([...common, '-P', '-K', '\t', '-z', codec, '-H', `codec=${codec}`], { stdin });
      assert.equal(wrote.code, 0, wrote.stderr);
    }
    const read = await kcat([...common, '-C', '-e', '-q', '-o', 'beginning', '-f', '%p\t%o\t%k\t%s\t%h\n']);
    assert.equal(read.code, 0, read.stderr);
    const seen = fromKcat(read.stdout);
    assert.equal(seen.length, codecs.length * count);
    const all = await replayedOf('kcat', 2 * seen.length);
    for (const direction of ['produced', 'delivered'])
      assert.deepEqual(sorted(all.filter((one) => one.direction === direction).map(asSeen)), sorted(seen), direction);
  });

  test('Java', async () => {
    const config = {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'OAUTHBEARER',
      'sasl.login.callback.handler.class':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
      'sasl.oauthbearer.token.endpoint.url': scene.idp.tokenEndpoint,
      'sasl.oauthbearer.client.credentials.client.id': 'java',
      'sasl.oauthbearer.client.credentials.client.secret': 'java',
      'sasl.jaas.config': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
      'compression.type': 'zstd',
    };
    const jvm = [oauthUrls(scene.idp.tokenEndpoint)];
    const stdin = values.map((value, index) => `h:${index}\tk-${index}\t${value}\n`).join('');
    const properties = ['parse.key=true', 'key.separator=\t', 'parse.headers=true', 'headers.delimiter=\t'];
    const wrote = await javaTool('console-producer', {
      args: [
        '--bootstrap-server',
        scene.bootstrap,
        '--topic',
        'full-java',
        ...properties.flatMap((one) => ['--reader-property', one]),
      ],
      config,
      stdin,
      jvm,
    });
    assert.equal(wrote.code, 0, wrote.stderr);
    const shows = ['print.key=true', 'print.headers=true', 'print.partition=true', 'print.offset=true'];
    const read = await javaTool('console-consumer', {
      args: [
        '--bootstrap-server',
        scene.bootstrap,
        '--topic',
        'full-java',
        '--from-beginning',
        '--group',
        'team-java',
        '--max-messages',
        String(count),
        '--timeout-ms',
        '30000',
        ...shows.flatMap((one) => ['--formatter-property', one]),
      ],
      config,
      jvm,
    });
    assert.equal(read.code, 0, read.stderr);
    const seen = fromJava(read.stdout);
    assert.equal(seen.length, count);
    const all = await replayedOf('java', 2 * count);
    for (const direction of ['produced', 'delivered'])
      assert.deepEqual(sorted(all.filter((one) => one.direction === direction).map(asSeen)), sorted(seen), direction);
  });
});

/** `Partition:0\tOffset:0\th:0\tk-0\tvalue` */
function fromJava(stdout: string): Seen[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('Partition:'))
    .map((line) => {
      const [partition = '', offset = '', headers = '', key = '', value = ''] = line.split('\t');
      const pairs = headers
        .split(',')
        .map((pair): [string, string] => [pair.split(':')[0] ?? '', pair.split(':')[1] ?? '']);
      return { partition: Number(partition.slice(10)), offset: offset.slice(7), key, value, headers: pairs };
    });
}

describe('a recording that refers to the broker', () => {
  test('is filled from it, and tells expired records and altered ones apart', async () => {
    await kafkajsProduces('ref', 'ref-a', values);
    const seen = await kafkajsConsumes('ref', 'ref-a', count);
    const bootstrap = ['--bootstrap', scene.bootstrap];
    const all = await replayedOf('ref', 2 * count, ...bootstrap);
    for (const direction of ['delivered', 'produced']) {
      const found = all.filter((one) => one.direction === direction).map(asSeen);
      assert.deepEqual(sorted(found), sorted(seen), direction);
    }
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.rec')) assert.equal(readFileSync(join(folder, file)).includes('key-1'), false);
    }
    const verdicts = async (): Promise<Record<string, number>> => {
      const lines = await replayedOf('ref', 1, ...bootstrap, '--direction', 'delivered');
      const found = Map.groupBy(lines, ({ type, verdict }) => verdict ?? type);
      return Object.fromEntries(Array.from(found, ([verdict, { length }]) => [verdict, length]));
    };
    assert.deepEqual(await verdicts(), { record: count });
    const admin = new Kafka({
      brokers: scene.kafka.bootstrap('plaintext').split(','),
      logLevel: logLevel.NOTHING,
    }).admin();
    await admin.connect();
    await admin.fetchTopicOffsets('ref-a'); // it deletes only where it knows the leaders
    await admin.deleteTopicRecords({ topic: 'ref-a', partitions: [{ partition: 0, offset: String(end(seen, 0)) }] });
    await admin.disconnect();
    const expired = await verdicts();
    assert.ok((expired['expired'] ?? 0) > 0, JSON.stringify(expired));
    assert.equal(expired['altered'], undefined);
    await scene.kafka.admin.deleteTopic('ref-a');
    assert.ok(((await verdicts())['gone'] ?? 0) > 0);
    await scene.kafka.createTopic('ref-a', { partitions: 2 });
    await kafkajsProduces(
      'meta',
      'ref-a',
      values.map((value) => value.replace('text', 'TEXT')),
    );
    const remade = await verdicts();
    assert.ok((remade['altered'] ?? 0) > 0, JSON.stringify(remade));
    assert.equal(remade['record'], undefined);
  });
});

function end(seen: readonly Seen[], partition: number): number {
  return Math.max(...seen.filter((one) => one.partition === partition).map(({ offset }) => Number(offset))) + 1;
}

describe('writing a recording into a topic', () => {
  test('says before what it would write, writes it once and in order, and goes on where it was cut off', async () => {
    const session = await sessionOf('kafkajs');
    const cursor = join(scene.folder, 'replay.cursor');
    const args = ['replay', session, ...places(), '--direction', 'delivered', '--bootstrap', scene.bootstrap];
    const into = [...args, '--into', 'copy-a', '--cursor', cursor];
    const dry = await sluice([...into, '--dry-run'], await as('replayer'));
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, new RegExp(`^${count} records in \\d+ batches.* into copy-a`, 'm'));
    assert.deepEqual(await onBroker('copy-a'), []);
    const source = sorted(await onBroker('full-kafkajs'));
    const plain = (all: readonly Seen[]): object[] =>
      sorted(all).map(({ partition, key, value, headers }) => ({ partition, key, value, headers }));

    const wrote = await sluice(into, await as('replayer'));
    assert.equal(wrote.code, 0, wrote.stderr);
    assert.match(wrote.stdout, new RegExp(`^${count} records are in copy-a`, 'm'));
    assert.deepEqual(plain(await onBroker('copy-a')), plain(source));

    const again = await sluice(into, await as('replayer'));
    assert.equal(again.code, 0, again.stderr);
    assert.equal((await onBroker('copy-a')).length, count, 'what the cursor says is done is not done again');

    // As where the process was killed between the broker's answer and the cursor: the last batch is sent again.
    const saved = JSON.parse(readFileSync(cursor, 'utf8')) as {
      done: number;
      records: number;
      sequences: Record<string, number>;
    };
    const { stdout } = await sluice([...args, '--as', 'json'], await as('replayer'));
    const partitions = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Replayed);
    const lastBatch = partitions.at(-1);
    assert.ok(lastBatch !== undefined);
    writeFileSync(`${cursor}.cut`, JSON.stringify(oneUnitBack(saved, partitions)));
    const resumed = await sluice([...args, '--into', 'copy-a', '--cursor', `${cursor}.cut`], await as('replayer'));
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal((await onBroker('copy-a')).length, count, 'the broker takes a batch that it has once');
  });

  test('is held to the rate, to the filters, and to what the caller may write', async () => {
    const session = await sessionOf('kafkajs');
    const args = ['replay', session, ...places(), '--direction', 'produced', '--bootstrap', scene.bootstrap];
    const begun = performance.now();
    const some = ['--into', 'copy-b', '--to-partition', '1', '--cursor', join(scene.folder, 'b.cursor')];
    const slow = await sluice([...args, ...some, '--partition', '0', '--rate', '20'], await as('replayer'));
    assert.equal(slow.code, 0, slow.stderr);
    const written = await onBroker('copy-b');
    assert.ok(written.length > 0 && written.length < count && written.every(({ partition }) => partition === 1));
    assert.ok(performance.now() - begun > ((written.length - 20) / 20) * 1_000);
    const denied = await sluice([...args, '--into', 'closed', '--dry-run'], await as('replayer'));
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /no topic closed that you may see/);
  });
});

/** The cursor as it was before the last batch; every batch of this session has at most 20 records, all of one partition. */
function oneUnitBack(
  saved: { done: number; records: number; sequences: Record<string, number> },
  records: readonly Replayed[],
): object {
  const last = records.at(-1)?.partition ?? 0;
  const offsets = records.filter(({ partition }) => partition === last).map(({ offset }) => Number(offset));
  // kafkajs sends a batch per partition and call: find where the last one began by the keys, which count up by calls of 20.
  const call = (key: string | null): number => Math.floor(Number((key ?? '').slice(4)) / 20);
  const lastCall = call(records.at(-1)?.key ?? null);
  const inLast = records.filter(({ partition, key }) => partition === last && call(key) === lastCall).length;
  const sequences = { ...saved.sequences, [last]: offsets.length - inLast };
  return { ...saved, done: saved.done - 1, records: saved.records - inLast, sequences };
}

describe('metadata', () => {
  test('tells of requests and counts, and keeps nothing that flowed', async () => {
    await kafkajsProduces('meta', 'meta-a', values);
    // Requests may be on disk before what they wrote.
    const deadline = performance.now() + 20_000;
    for (let records = 0; records !== count;) {
      assert.ok(performance.now() < deadline, `${records} of ${count}`);
      const lines = await replayedOf('meta', 2, '--requests', '--topic', 'meta-a');
      assert.ok(lines.some(({ type }) => type === 'request'));
      const found = lines.filter(({ verdict }) => verdict === 'not-kept') as unknown as { records: number }[];
      const known = records;
      records = found.reduce((sum, one) => sum + one.records, 0);
      assert.ok(records >= known && records <= count, `${records} of ${count}`);
    }
  });
});

describe('afterwards', () => {
  test('who read is in the audit log, the log has the digests, and an erased session is unreadable', async () => {
    const session = await sessionOf('kafkajs');
    await scene.entry(
      'the reading',
      ({ type, data }) => type.endsWith('recording.read') && data['session_id'] === session,
    );
    await scene.gateway.stop();
    const read = ['replay', session, ...places(), '--as', 'json', '--limit', '1000000'];
    const whole = await sluice(read);
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stderr, /as-recorded, whole, and as the audit log says/);
    const show = await sluice(['session', 'show', session, '--recordings', folder]);
    assert.match(show.stdout, /complete/);
    assert.match(show.stdout, /owner data-platform, classification pii/);

    const [segment] = readdirSync(join(folder, session)).filter((name) => name.endsWith('.rec'));
    const path = join(folder, session, segment ?? '');
    const good = readFileSync(path);
    writeFileSync(path, good.subarray(0, good.length - 30));
    const cut = await sluice(read);
    assert.equal(cut.code, 5, cut.stderr);
    assert.match(cut.stderr, /altered, its end was taken away/);
    writeFileSync(path, good);

    assert.equal((await sluice(['session', 'erase', session, '--recordings', folder])).code, 2, 'it wants --yes');
    assert.equal((await sluice(['session', 'erase', session, '--recordings', folder, '--yes'])).code, 0);
    const erased = await sluice(read);
    assert.equal(erased.code, 1);
    assert.match(erased.stderr, /was erased/);
    const verified = await sluice(['audit', 'verify', scene.settings.audit.directory]);
    assert.match(verified.stdout, /integrity/i);
    assert.notEqual(verified.code, 5, 'the audit tree is valid without the recording');
  });

  test('kill -9 while recording: what was there is readable, and the cut is told', async () => {
    const gateway = await startGatewayProcess({
      kafka: scene.kafka,
      idp: scene.idp,
      policies: { 'team.yaml': policy },
    });
    try {
      const producer = (await client('meta', gateway.bootstrap)).producer();
      await producer.connect();
      const send = async (from: number): Promise<unknown> =>
        await producer.send({
          topic: 'full-kcat',
          messages: [{ key: 'kill', value: `${from}-${'x'.repeat(20_000)}` }],
        });
      for (let index = 0; index < 20; index += 1) await send(index);
      await sleep(1_500);
      for (let index = 20; index < 25; index += 1) await send(index);
      process.kill(gateway.pid, 'SIGKILL');
      await gateway.ended;
      await producer.disconnect().catch(() => {});
      const recordings = join(dirname(gateway.auditDirectory), 'recordings');
      const [session = ''] = readdirSync(recordings).filter((name) => /^[0-9a-f-]{36}$/.test(name));
      const read = ['replay', session, '--recordings', recordings, '--audit', gateway.auditDirectory];
      const shown = await sluice([...read, '--as', 'json']);
      assert.equal(shown.code, 0, shown.stderr);
      assert.match(shown.stderr, /cut, its end is missing/);
      const found = shown.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as Replayed).value);
      assert.ok(found.length >= 20, `${found.length} records`);
      for (const [index, value] of found.entries()) assert.ok(value?.startsWith(`${index}-x`));
    } finally {
      await gateway.stop();
    }
  });
});
