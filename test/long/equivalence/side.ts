/** One of the two clusters under comparison, as one lane of cases uses it: connections by user, and what an admin does and sees. */
import { batchOf } from '../../../harness/batches.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  errorCodes,
  errorName,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import type { User } from './rules.ts';

export type SideName = 'broker' | 'gateway';

/** What a lane needs to open connections of its own. */
export interface SideAddresses {
  readonly name: SideName;
  /** Plaintext address of the broker itself, where an anonymous client may do everything. */
  readonly admin: string;
  /** Opens and authenticates a connection of a user. */
  readonly open: (user: User) => Promise<WireClient>;
  /** Forbids the user to read a topic, or takes that back. */
  readonly bar: (user: User, topic: string, barred: boolean) => Promise<void>;
}

/** What a Java consumer of one topic would send; brokers read it. */
export const subscription: Buffer = Buffer.from([0, 0, 0, 0, 0, 1, 0, 1, 0x74, 0xff, 0xff, 0xff, 0xff]);

const settleMs = 10_000;
const pollMs = 15;

export class Side {
  readonly name: SideName;
  readonly #addresses: SideAddresses;
  readonly #clients = new Map<User, WireClient>();
  /** Shared by all lanes of a side: a listing shows every lane's topics. */
  readonly #topicIds: Map<string, string>;
  #admin: WireClient | null = null;

  constructor(addresses: SideAddresses, topicIds: Map<string, string>) {
    this.name = addresses.name;
    this.#addresses = addresses;
    this.#topicIds = topicIds;
  }

  /** The user's connection, opened anew where the last one was closed. */
  async as(user: User): Promise<WireClient> {
    const known = this.#clients.get(user);
    if (known !== undefined && !known.closed) return known;
    const client = await this.#addresses.open(user);
    this.#clients.set(user, client);
    return client;
  }

  /** One more connection of the user; whoever opens it closes it. */
  open(user: User): Promise<WireClient> {
    return this.#addresses.open(user);
  }

  /** Drops a user's connection, so that nothing late reaches the next case. */
  drop(user: User): void {
    this.#clients.get(user)?.close();
    this.#clients.delete(user);
  }

  /** Forbids the user to read a topic, or takes that back; returns when it is in force. */
  async bar(user: User, topic: string, barred: boolean): Promise<void> {
    await this.#addresses.bar(user, topic, barred);
    const probe = await this.#addresses.open(user);
    const topics = [{ topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000 }] }];
    await this.until(`${topic} ${barred ? 'barred' : 'free'} for ${user}`, async () => {
      const { responses } = await probe.ask('Fetch', 4, { maxWaitMs: 1, minBytes: 0, topics });
      return (responses[0]?.partitions[0]?.errorCode === errorCodes.TOPIC_AUTHORIZATION_FAILED) === barred;
    });
    probe.close();
  }

  async admin<N extends ApiName>(
    api: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    if (this.#admin === null || this.#admin.closed) this.#admin = await WireClient.connect(this.#addresses.admin);
    return this.#admin.ask(api, version, message);
  }

  close(): void {
    this.#admin?.close();
    for (const client of this.#clients.values()) client.close();
  }

  /** @throws where the topic was not made by this suite */
  idOf(topic: string): string {
    for (const [id, name] of this.#topicIds) if (name === topic) return id;
    throw new Error(`no id of topic ${topic} is known on the side of the ${this.name}`);
  }

  nameOf(topicId: string): string | undefined {
    return this.#topicIds.get(topicId);
  }

  async createTopics(names: readonly string[], partitions = 2): Promise<void> {
    const answer = await this.admin('CreateTopics', 7, {
      topics: names.map((name) => ({ name, numPartitions: partitions, replicationFactor: 1 })),
      timeoutMs: settleMs,
    });
    for (const { name, errorCode, topicId } of answer.topics) {
      if (errorCode !== 0) throw new Error(`topic ${name}: ${errorName(errorCode)}`);
      this.#topicIds.set(topicId, name);
    }
    const asked = names.map((name) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n })),
    }));
    // A partition is listed before its broker has taken it over.
    await this.until(`topics ${names.join(', ')}`, async () => {
      const { topics } = await this.admin('ListOffsets', 7, { replicaId: -1, topics: asked });
      return topics.every((topic) => topic.partitions.every(({ errorCode }) => errorCode === 0));
    });
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.admin('DeleteTopics', 5, { topicNames: names, timeoutMs: settleMs });
  }

  /** Learns of topics that a case made. */
  learn(topicId: string, name: string): void {
    this.#topicIds.set(topicId, name);
  }

  async produce(topic: string, values: readonly string[]): Promise<void> {
    const topicData = [{ name: topic, partitionData: [{ index: 0, records: batchOf(values) }] }];
    const answer = await this.admin('Produce', 9, { acks: -1, timeoutMs: settleMs, topicData });
    const code = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (code !== 0) throw new Error(`produce to ${topic}: ${errorName(code)}`);
  }

  /** A simple commit, without a member: the group is there from now on, and empty. */
  async commit(groupId: string, topics: readonly string[], offset = 1n): Promise<void> {
    await this.until(`commit of ${groupId}`, async () => {
      const answer = await this.admin('OffsetCommit', 9, {
        groupId,
        generationIdOrMemberEpoch: -1,
        topics: topics.map((name) => ({
          name,
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }],
        })),
      });
      return answer.topics.every(({ partitions }) => partitions.every(({ errorCode }) => errorCode === 0));
    });
  }

  /** A classic member on its own, stable, with an assignment. */
  async join(groupId: string): Promise<{ memberId: string; generationId: number }> {
    const protocols = [{ name: 'range', metadata: subscription }];
    const request = {
      groupId,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: 'consumer',
      protocols,
    };
    const { memberId } = await this.admin('JoinGroup', 5, request);
    const { generationId, errorCode } = await this.admin('JoinGroup', 5, { ...request, memberId });
    if (errorCode !== 0) throw new Error(`join of ${groupId}: ${errorName(errorCode)}`);
    const assignments = [{ memberId, assignment: Buffer.from('assignment') }];
    await this.admin('SyncGroup', 5, {
      groupId,
      generationId,
      memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments,
    });
    return { memberId, generationId };
  }

  async initProducer(transactionalId: string | null): Promise<{ producerId: bigint; producerEpoch: number }> {
    let producer = { producerId: -1n, producerEpoch: -1 };
    await this.until(`producer id of ${transactionalId}`, async () => {
      const answer = await this.admin('InitProducerId', 4, { transactionalId, transactionTimeoutMs: 7_000_000 });
      producer = answer;
      return answer.errorCode === 0;
    });
    return { producerId: producer.producerId, producerEpoch: producer.producerEpoch };
  }

  /** Puts partition 0 of topics into the producer's transaction. */
  async addPartitions(
    transactionalId: string,
    producer: { producerId: bigint; producerEpoch: number },
    topics: readonly string[],
  ): Promise<void> {
    await this.until(`partitions of ${transactionalId}`, async () => {
      const answer = await this.admin('AddPartitionsToTxn', 3, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producer.producerId,
        v3AndBelowProducerEpoch: producer.producerEpoch,
        v3AndBelowTopics: topics.map((name) => ({ name, partitions: [0] })),
      });
      return answer.resultsByTopicV3AndBelow.every(({ resultsByPartition }) =>
        resultsByPartition.every(({ partitionErrorCode }) => partitionErrorCode === 0),
      );
    });
  }

  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + settleMs;
    while (!(await condition())) {
      if (performance.now() > giveUpAt)
        throw new Error(`${what} on the side of the ${this.name}: not within ${settleMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}
