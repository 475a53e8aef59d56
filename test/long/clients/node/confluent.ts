/** @confluentinc/kafka-javascript, which is librdkafka, as an application uses it. Its folder is the program's argument. */
import { createRequire } from 'node:module';
import type { Auth, Copy, Received, Task } from '../task.ts';
import { decoded, encoded, fetchToken, main, paced, refusal, until, wordsOf } from './program.ts';

/** What is used of the library, which is not a dependency of this project: its types are not there to be imported. */
interface Library {
  readonly KafkaJS: { readonly Kafka: new (config: Config) => Kafka };
}
type Config = Readonly<Record<string, unknown>>;
interface Kafka {
  producer(config?: Config): LibraryProducer;
  consumer(config: Config): LibraryConsumer;
  admin(): LibraryAdmin;
}
interface Outgoing {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer>>;
}
interface Sending {
  send(record: { readonly topic: string; readonly messages: readonly Outgoing[] }): Promise<unknown>;
}
interface LibraryProducer extends Sending {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  transaction(): Promise<LibraryTransaction>;
}
interface LibraryTransaction extends Sending {
  commit(): Promise<void>;
  abort(): Promise<void>;
  sendOffsets(offsets: { readonly consumer: LibraryConsumer; readonly topics: readonly unknown[] }): Promise<void>;
}
interface Incoming {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer>>;
}
interface LibraryConsumer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  subscribe(to: { readonly topics: readonly string[] }): Promise<void>;
  run(config: {
    readonly eachMessage?: (one: { readonly partition: number; readonly message: Incoming }) => Promise<void>;
    readonly eachBatch?: (one: BatchPayload) => Promise<void>;
    readonly eachBatchAutoResolve?: boolean;
  }): Promise<void>;
  commitOffsets(): Promise<void>;
}
interface BatchPayload {
  readonly batch: { readonly partition: number; readonly messages: readonly Incoming[] };
  resolveOffset(offset: string): void;
}
interface LibraryAdmin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  createTopics(wanted: { readonly topics: readonly unknown[] }): Promise<boolean>;
  deleteTopics(wanted: { readonly topics: readonly string[] }): Promise<void>;
  listTopics(): Promise<string[]>;
}

const folder = process.argv[2] ?? '';
const { KafkaJS } = createRequire(import.meta.url)(folder) as Library;

async function clientOf(task: Task): Promise<Kafka> {
  const kafkaJS = { brokers: [task.bootstrap], clientId: task.clientId, ssl: true, ...(await saslOf(task.auth)) };
  return new KafkaJS.Kafka({ kafkaJS, 'ssl.ca.location': task.caFile, log_level: 2, ...nativeOf(task.auth) });
}

async function saslOf(auth: Auth): Promise<Config> {
  if (auth.kind === 'plain')
    return { sasl: { mechanism: 'plain', username: 'token', password: (await fetchToken(auth)).value } };
  if (auth.kind !== 'callback') return {};
  const oauthBearerProvider = async (): Promise<object> => {
    const { value, expiresAtMs } = await fetchToken(auth);
    return { value, principal: 'application', lifetime: expiresAtMs };
  };
  return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider } };
}

function nativeOf(auth: Auth): Config {
  if (auth.kind === 'mtls') return { 'ssl.certificate.location': auth.certFile, 'ssl.key.location': auth.keyFile };
  if (auth.kind !== 'oidc') return {};
  return {
    'security.protocol': 'sasl_ssl',
    'sasl.mechanisms': 'OAUTHBEARER',
    'sasl.oauthbearer.method': 'oidc',
    'sasl.oauthbearer.client.id': auth.clientId,
    'sasl.oauthbearer.client.secret': auth.clientSecret,
    'sasl.oauthbearer.token.endpoint.url': auth.tokenUrl,
  };
}

function consumerOf(kafka: Kafka, task: Task, groupId: string, autoCommit = false): LibraryConsumer {
  const protocol = 'groupProtocol' in task && task.groupProtocol === 'consumer' ? { 'group.protocol': 'consumer' } : {};
  return kafka.consumer({ kafkaJS: { groupId, fromBeginning: true, autoCommit }, ...protocol });
}

await main({
  async roundtrip(task) {
    const kafka = await clientOf(task);
    const producer = kafka.producer();
    await producer.connect();
    const messages = task.records.map(({ key, value, headers }) => ({
      key: decoded(key),
      value: decoded(value),
      headers: Object.fromEntries(headers.map(([name, bytes]) => [name, decoded(bytes)])),
    }));
    await producer.send({ topic: task.topic, messages });
    await producer.disconnect();
    const consumer = consumerOf(kafka, task, task.group);
    await consumer.connect();
    await consumer.subscribe({ topics: [task.topic] });
    const received: Received[] = [];
    await consumer.run({
      eachMessage: async ({ partition, message: { key, value, offset, headers } }) => {
        const named = Object.entries(headers ?? {}).map(([name, bytes]): [string, string] => [name, encoded(bytes)]);
        received.push({ partition, offset: Number(offset), key: encoded(key), value: encoded(value), headers: named });
      },
    });
    await until(() => received.length >= task.records.length, task.timeoutMs);
    await consumer.commitOffsets();
    await consumer.disconnect();
    return { received };
  },

  async denials(task) {
    const kafka = await clientOf(task);
    const producer = kafka.producer();
    await producer.connect();
    const produce = await refusal(() => producer.send({ topic: task.deniedTopic, messages: [{ value: 'x' }] }));
    await producer.disconnect();
    return {
      produce,
      consume: await reading(task, task.openGroup, task.deniedTopic),
      group: await reading(task, task.deniedGroup, task.openTopic),
    };
  },

  async steady(task) {
    const kafka = await clientOf(task);
    const producer = kafka.producer({ kafkaJS: { idempotent: true }, 'linger.ms': 5 });
    const consumer = consumerOf(kafka, task, task.group, true);
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({ topics: [task.topic] });
    const received: { partition: number; offset: number; value: string }[] = [];
    await consumer.run({
      eachMessage: async ({ partition, message: { offset, value } }) => {
        received.push({ partition, offset: Number(offset), value: String(value) });
      },
    });
    const sent = await paced(task, (index) =>
      producer.send({ topic: task.topic, messages: [{ key: String(index % 8), value: String(index) }] }),
    );
    await until(() => received.length >= task.count, 20_000);
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
    return { ...sent, received };
  },

  async copy(task) {
    const kafka = await clientOf(task);
    return { ...(await copy(kafka, task)), denied: await deniedTransaction(kafka, task) };
  },

  async administer(task) {
    const admin = (await clientOf(task)).admin();
    await admin.connect();
    const made = (topic: string): Promise<boolean> =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
    const created = await made(task.newTopic);
    const listed = await admin.listTopics();
    const denied = await refusal(() => made(task.deniedTopic));
    await admin.deleteTopics({ topics: [task.newTopic] });
    const deleted = !(await admin.listTopics()).includes(task.newTopic);
    await admin.disconnect();
    return { listed, created, deleted, denied };
  },
});

/** Errors of a running consumer reach the application through its logger only. */
async function reading(task: Task, groupId: string, topic: string): Promise<string> {
  const said: string[] = [];
  const keep = (message: string, more?: object): number => said.push(`${message} ${JSON.stringify(more ?? {})}`);
  const logger = {
    info: () => {},
    debug: () => {},
    warn: keep,
    error: keep,
    setLogLevel() {},
    namespace: () => logger,
  };
  const kafkaJS = {
    brokers: [task.bootstrap],
    clientId: task.clientId,
    ssl: true,
    logger,
    ...(await saslOf(task.auth)),
  };
  const kafka = new KafkaJS.Kafka({ kafkaJS, 'ssl.ca.location': task.caFile, ...nativeOf(task.auth) });
  const consumer = consumerOf(kafka, task, groupId);
  const refused = await refusal(async () => {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ eachMessage: async () => {} });
  });
  await until(() => said.some((line) => /authoriz/i.test(line)), 15_000);
  await consumer.disconnect().catch((error: unknown) => said.push(wordsOf(error)));
  return [refused, ...said].join(' | ');
}

async function copy(kafka: Kafka, task: Copy): Promise<{ copied: number; aborted: number }> {
  const producer = kafka.producer({ kafkaJS: { transactionalId: task.transactionalId } });
  const consumer = consumerOf(kafka, task, task.group);
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [task.from] });
  let copied = 0;
  let aborted = 0;
  let transactions = 0;
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, ...payload }) => {
      for (let at = 0; at < batch.messages.length; at += task.batch) {
        const part = batch.messages.slice(at, at + task.batch);
        const last = part.at(-1)?.offset ?? '0';
        const messages = part.map(({ key, value }) => ({ key, value: `copy of ${String(value)}` }));
        for (const commits of (transactions += 1) % 3 === 0 ? [false, true] : [true]) {
          const transaction = await producer.transaction();
          await transaction.send({ topic: task.to, messages });
          const partitions = [{ partition: batch.partition, offset: String(Number(last) + 1) }];
          await transaction.sendOffsets({ consumer, topics: [{ topic: task.from, partitions }] });
          if (commits) await transaction.commit();
          else await transaction.abort();
          aborted += commits ? 0 : 1;
        }
        payload.resolveOffset(last);
        copied += part.length;
      }
    },
  });
  await until(() => copied >= task.count, task.timeoutMs);
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  return { copied, aborted };
}

async function deniedTransaction(kafka: Kafka, task: Copy): Promise<string> {
  const producer = kafka.producer({ kafkaJS: { transactionalId: task.deniedTransactionalId } });
  return await refusal(async () => {
    await producer.connect();
    await producer.transaction();
  });
}
