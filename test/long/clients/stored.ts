/** What stands in topics, past the gateway: as the broker takes it and hands it out. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaCluster } from '../../../harness/kafka.ts';

/** After the records that are due, for those that are not. */
const quietMs = 1_500;

export interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
}

export async function write(
  kafka: KafkaCluster,
  topic: string,
  messages: readonly { readonly key: string; readonly value: string }[],
): Promise<void> {
  // One that is not idempotent writes some partitions twice where another one makes it try again.
  const producer = directly(kafka).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}

/** Past the gateway, on the broker's own listener. */
function directly(kafka: KafkaCluster): Kafka {
  return new Kafka({ brokers: kafka.bootstrap('plaintext').split(','), logLevel: logLevel.NOTHING });
}

/** Waits for `count` records, and for more that should not come. */
export async function readTopic(
  kafka: KafkaCluster,
  topic: string,
  count: number,
  timeoutMs: number,
): Promise<Stored[]> {
  const consumer = directly(kafka).consumer({ groupId: `reader-${randomUUID()}`, maxWaitTimeInMs: 200 });
  // By their places: a reader that has to join its group again begins anew.
  const stored = new Map<string, Stored>();
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const { offset, key, value } = message;
        const record = { partition, offset: Number(offset), key: String(key ?? ''), value: String(value ?? '') };
        stored.set(`${partition}/${offset}`, record);
      },
    });
    const deadline = performance.now() + timeoutMs;
    while (stored.size < count && performance.now() < deadline) await sleep(100);
    await sleep(quietMs);
  } finally {
    await consumer.disconnect();
  }
  return [...stored.values()].toSorted((left, right) => left.offset - right.offset);
}

/** How many records and transaction markers stand in a topic. */
export async function endOf(kafka: KafkaCluster, topic: string): Promise<number> {
  const admin = await kafka.admin.client();
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return (await admin.fetchTopicOffsets(topic)).reduce((sum, { offset }) => sum + Number(offset), 0);
    } catch (error) {
      // A topic that has just been made is not led yet.
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
