/** @platformatic/kafka as an application uses it. */
import { readFileSync } from 'node:fs';
import {
  Admin,
  type BaseOptions,
  type CredentialProvider,
  Consumer,
  type Message,
  MessagesStreamModes,
  Producer,
  type SASLOptions,
} from '@platformatic/kafka';
import type { Auth, Copy, Received, Task } from '../task.ts';
import { decoded, encoded, fetchToken, main, paced, refusal, until } from './program.ts';

const waitMs = 300;

async function optionsOf(task: Task): Promise<BaseOptions> {
  const { auth } = task;
  const ca = readFileSync(task.caFile);
  const certificate =
    auth.kind === 'mtls' ? { cert: readFileSync(auth.certFile), key: readFileSync(auth.keyFile) } : {};
  return {
    clientId: task.clientId,
    bootstrapBrokers: [task.bootstrap],
    tls: { ca: [ca], ...certificate },
    ...(auth.kind === 'mtls' ? {} : { sasl: await saslOf(auth) }),
  };
}

async function saslOf(auth: Auth): Promise<SASLOptions> {
  if (auth.kind === 'plain') return { mechanism: 'PLAIN', username: 'token', password: (await fetchToken(auth)).value };
  const token: CredentialProvider = async () => (await fetchToken(auth)).value;
  return { mechanism: 'OAUTHBEARER', token };
}

function receivedOf({ partition, offset, key, value, headers }: Message<Buffer, Buffer, Buffer, Buffer>): Received {
  const named = [...headers].map(([name, bytes]): [string, string] => [String(name), encoded(bytes)]);
  return { partition, offset: Number(offset), key: encoded(key), value: encoded(value), headers: named };
}

async function consumerOf(task: Task, groupId: string): Promise<Consumer<Buffer, Buffer, Buffer, Buffer>> {
  const groupProtocol = 'groupProtocol' in task && task.groupProtocol === 'consumer' ? 'consumer' : 'classic';
  return new Consumer({ ...(await optionsOf(task)), groupId, groupProtocol });
}

/** Reads on until enough came or the time is over. */
async function read(
  consumer: Consumer<Buffer, Buffer, Buffer, Buffer>,
  topic: string,
  take: (message: Message<Buffer, Buffer, Buffer, Buffer>) => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const mode = MessagesStreamModes.COMMITTED;
  const stream = await consumer.consume({
    topics: [topic],
    mode,
    fallbackMode: 'earliest',
    autocommit: false,
    maxWaitTime: waitMs,
  });
  const timer = setTimeout(() => void stream.close(), timeoutMs);
  for await (const message of stream) {
    if (await take(message)) break;
  }
  clearTimeout(timer);
}

await main({
  async roundtrip(task) {
    const producer = new Producer(await optionsOf(task));
    await producer.send({
      messages: task.records.map(({ key, value, headers }) => ({
        topic: task.topic,
        key: decoded(key),
        value: decoded(value),
        headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), decoded(bytes)])),
      })),
      acks: -1,
    });
    await producer.close();
    const consumer = await consumerOf(task, task.group);
    const received: Received[] = [];
    const take = async (message: Message<Buffer, Buffer, Buffer, Buffer>): Promise<boolean> => {
      received.push(receivedOf(message));
      await message.commit();
      return received.length >= task.records.length;
    };
    await read(consumer, task.topic, take, task.timeoutMs);
    await consumer.close(true);
    return { received };
  },

  async denials(task) {
    const hasty = { retries: 1, timeout: 10_000 };
    const producer = new Producer({ ...(await optionsOf(task)), ...hasty });
    const produce = await refusal(() =>
      producer.send({ messages: [{ topic: task.deniedTopic, value: Buffer.from('x') }] }),
    );
    await producer.close();
    const reading = async (groupId: string, topic: string): Promise<string> => {
      const consumer = new Consumer({ ...(await optionsOf(task)), ...hasty, groupId, groupProtocol: groupOf(task) });
      const said = await refusal(async () => {
        const stream = await consumer.consume({ topics: [topic], mode: 'earliest', maxWaitTime: waitMs });
        const timer = setTimeout(() => void stream.close(), 15_000);
        for await (const _ of stream) break;
        clearTimeout(timer);
      });
      await consumer.close(true).catch(() => {});
      return said;
    };
    return {
      produce,
      consume: await reading(task.openGroup, task.deniedTopic),
      group: await reading(task.deniedGroup, task.openTopic),
    };
  },

  async steady(task) {
    const producer = new Producer({ ...(await optionsOf(task)), idempotent: true, retries: 10 });
    const consumer = await consumerOf(task, task.group);
    const received: { partition: number; offset: number; value: string }[] = [];
    const take = async ({ partition, offset, value }: Message<Buffer, Buffer, Buffer, Buffer>): Promise<boolean> => {
      received.push({ partition, offset: Number(offset), value: String(value) });
      return received.length >= task.count;
    };
    const following = read(consumer, task.topic, take, task.timeoutMs);
    // An idempotent producer numbers its batches as they are handed over, so one waits for the one before.
    let last: Promise<unknown> = Promise.resolve();
    const sent = await paced(task, async (index) => {
      const message = { topic: task.topic, key: Buffer.from(String(index % 8)), value: Buffer.from(String(index)) };
      last = last.then(() => producer.send({ messages: [message], acks: -1 }));
      await last;
    });
    await Promise.race([following, until(() => false, 20_000)]);
    await Promise.all([producer.close(), consumer.close(true)]);
    return { ...sent, received };
  },

  async copy(task) {
    return { ...(await copy(task)), denied: await deniedTransaction(task) };
  },

  async administer(task) {
    const admin = new Admin({ ...(await optionsOf(task)), retries: 1 });
    const made = await admin.createTopics({ topics: [task.newTopic], partitions: 1, replicas: 1 });
    const listed = await admin.listTopics();
    const denied = await refusal(() => admin.createTopics({ topics: [task.deniedTopic], partitions: 1, replicas: 1 }));
    await admin.deleteTopics({ topics: [task.newTopic] });
    const deleted = !(await admin.listTopics()).includes(task.newTopic);
    await admin.close();
    return { listed, created: made.length === 1, deleted, denied };
  },
});

function groupOf(task: { readonly groupProtocol: string }): 'classic' | 'consumer' {
  return task.groupProtocol === 'consumer' ? 'consumer' : 'classic';
}

async function copy(task: Copy): Promise<{ copied: number; aborted: number }> {
  const producer = new Producer({
    ...(await optionsOf(task)),
    transactionalId: task.transactionalId,
    idempotent: true,
  });
  const consumer = await consumerOf(task, task.group);
  let copied = 0;
  let aborted = 0;
  let transactions = 0;
  let part: Message<Buffer, Buffer, Buffer, Buffer>[] = [];
  const flush = async (): Promise<void> => {
    const messages = part.map(({ key, value }) => ({
      topic: task.to,
      key,
      value: Buffer.from(`copy of ${String(value)}`),
    }));
    for (const commits of (transactions += 1) % 3 === 0 ? [false, true] : [true]) {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages, acks: -1 });
      await transaction.addConsumer(consumer);
      for (const message of lastOfEach(part)) await transaction.addOffset(message);
      if (commits) await transaction.commit();
      else await transaction.abort();
      aborted += commits ? 0 : 1;
    }
    copied += part.length;
    part = [];
  };
  const stream = await consumer.consume({
    topics: [task.from],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: false,
    maxWaitTime: waitMs,
  });
  for await (const message of stream) {
    part.push(message);
    if (part.length < task.batch) continue;
    await flush();
    if (copied >= task.count) break;
  }
  await consumer.close(true);
  await producer.close();
  return { copied, aborted };
}

function lastOfEach(
  part: readonly Message<Buffer, Buffer, Buffer, Buffer>[],
): Message<Buffer, Buffer, Buffer, Buffer>[] {
  return [...new Map(part.map((message) => [message.partition, message])).values()];
}

async function deniedTransaction(task: Copy): Promise<string> {
  const producer = new Producer({
    ...(await optionsOf(task)),
    transactionalId: task.deniedTransactionalId,
    idempotent: true,
    retries: 1,
    timeout: 10_000,
  });
  const said = await refusal(() => producer.beginTransaction());
  await producer.close().catch(() => {});
  return said;
}
