/** kafkajs as an application uses it. */
import { readFileSync } from 'node:fs';
import { type IHeaders, Kafka, type KafkaConfig, type SASLOptions, logLevel } from 'kafkajs';
import type { Auth, Copy, Received, RoundTrip, Task } from '../task.ts';
import { decoded, encoded, fetchToken, main, paced, refusal, until, wordsOf } from './program.ts';

const waitMs = 300;
/** Before each request it authenticates anew where less than this is left; 10 s by default, which is all of a brief token. */
const reauthenticationThresholdMs = 3_000;

async function clientOf(task: Task, more: Partial<KafkaConfig> = {}): Promise<Kafka> {
  const { auth } = task;
  const ca = readFileSync(task.caFile);
  const certificate =
    auth.kind === 'mtls' ? { cert: readFileSync(auth.certFile), key: readFileSync(auth.keyFile) } : {};
  return new Kafka({
    clientId: task.clientId,
    brokers: [task.bootstrap],
    logLevel: logLevel.NOTHING,
    ssl: { ca: [ca], ...certificate },
    reauthenticationThreshold: reauthenticationThresholdMs,
    ...(auth.kind === 'mtls' ? {} : { sasl: await saslOf(auth) }),
    ...more,
  });
}

async function saslOf(auth: Auth): Promise<SASLOptions> {
  if (auth.kind === 'plain') return { mechanism: 'plain', username: 'token', password: (await fetchToken(auth)).value };
  return { mechanism: 'oauthbearer', oauthBearerProvider: () => fetchToken(auth) };
}

function headersOf(headers: IHeaders | undefined): [string, string][] {
  return Object.entries(headers ?? {}).map(([name, value]) => [name, encoded(value as Buffer)]);
}

async function produce(kafka: Kafka, { topic, records }: RoundTrip): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const messages = records.map(({ key, value, headers }) => ({
    key: decoded(key),
    value: decoded(value),
    headers: Object.fromEntries(headers.map(([name, bytes]) => [name, decoded(bytes)])),
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

await main({
  async roundtrip(task) {
    const kafka = await clientOf(task);
    await produce(kafka, task);
    const consumer = kafka.consumer({ groupId: task.group, maxWaitTimeInMs: waitMs });
    await consumer.connect();
    await consumer.subscribe({ topics: [task.topic], fromBeginning: true });
    const received: Received[] = [];
    await consumer.run({
      eachMessage: async ({ partition, message: { key, value, headers, offset } }) => {
        const wire = { key: encoded(key), value: encoded(value), headers: headersOf(headers) };
        received.push({ partition, offset: Number(offset), ...wire });
      },
    });
    await until(() => received.length >= task.records.length, task.timeoutMs);
    await consumer.disconnect();
    return { received };
  },

  async denials(task) {
    const kafka = await clientOf(task, { retry: { retries: 0 } });
    const producer = kafka.producer();
    await producer.connect();
    const produceDenied = await refusal(() => producer.send({ topic: task.deniedTopic, messages: [{ value: 'x' }] }));
    await producer.disconnect();
    const reading = async (groupId: string, topic: string): Promise<string> => {
      const consumer = kafka.consumer({ groupId });
      const crashed = new Promise<string>((resolve) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => resolve(wordsOf(payload.error)));
      });
      await consumer.connect();
      const refused = await refusal(async () => {
        await consumer.subscribe({ topics: [topic] });
        await consumer.run({ eachMessage: async () => {} });
      });
      const said = refused === 'none' ? await crashed : refused;
      await consumer.disconnect();
      return said;
    };
    return {
      produce: produceDenied,
      consume: await reading(task.openGroup, task.deniedTopic),
      group: await reading(task.deniedGroup, task.openTopic),
    };
  },

  async steady(task) {
    const kafka = await clientOf(task);
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    const consumer = kafka.consumer({ groupId: task.group, maxWaitTimeInMs: waitMs });
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({ topics: [task.topic], fromBeginning: true });
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
    const hasty = await clientOf(task, { retry: { retries: 1 } });
    return { ...(await copy(kafka, task)), denied: await deniedTransaction(hasty, task) };
  },

  async administer(task) {
    const admin = (await clientOf(task, { retry: { retries: 1 } })).admin();
    await admin.connect();
    const created = await admin.createTopics({ topics: [{ topic: task.newTopic, numPartitions: 1 }] });
    const listed = await admin.listTopics();
    const denied = await refusal(() => admin.createTopics({ topics: [{ topic: task.deniedTopic }] }));
    await admin.deleteTopics({ topics: [task.newTopic] });
    const deleted = !(await admin.listTopics()).includes(task.newTopic);
    await admin.disconnect();
    return { listed, created, deleted, denied };
  },
});

/** Batch by batch: what a transaction could not commit is not resolved, and comes again. */
async function copy(kafka: Kafka, task: Copy): Promise<{ copied: number; aborted: number }> {
  const admin = kafka.admin();
  await admin.connect();
  const due = (await admin.fetchTopicOffsets(task.from)).reduce((sum, { offset }) => sum + Number(offset), 0);
  await admin.disconnect();
  const producer = kafka.producer({ transactionalId: task.transactionalId, maxInFlightRequests: 1, idempotent: true });
  const consumer = kafka.consumer({ groupId: task.group, maxWaitTimeInMs: waitMs, maxBytesPerPartition: 2_000 });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [task.from], fromBeginning: true });
  let copied = 0;
  let aborted = 0;
  let transactions = 0;
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, ...reading }) => {
      for (let at = 0; at < batch.messages.length; at += task.batch) {
        const part = batch.messages.slice(at, at + task.batch);
        const last = part.at(-1)?.offset ?? '0';
        const messages = part.map(({ key, value }) => ({ key, value: `copy of ${String(value)}` }));
        for (const commits of (transactions += 1) % 3 === 0 ? [false, true] : [true]) {
          const transaction = await producer.transaction();
          await transaction.send({ topic: task.to, messages });
          const partitions = [{ partition: batch.partition, offset: String(Number(last) + 1) }];
          await transaction.sendOffsets({ consumerGroupId: task.group, topics: [{ topic: task.from, partitions }] });
          if (commits) await transaction.commit();
          else await transaction.abort();
          aborted += commits ? 0 : 1;
        }
        reading.resolveOffset(last);
        copied += part.length;
      }
    },
  });
  await until(() => copied >= due, task.timeoutMs);
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  return { copied, aborted };
}

async function deniedTransaction(kafka: Kafka, task: Copy): Promise<string> {
  const producer = kafka.producer({
    transactionalId: task.deniedTransactionalId,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  return await refusal(async () => {
    await producer.connect();
    await producer.transaction();
  });
}
