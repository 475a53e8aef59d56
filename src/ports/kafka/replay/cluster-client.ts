/** The cluster behind the gateway, as a caller with an identity of its own sees it. */
import { SluiceError } from '../../../lib/errors.ts';
import { errorCodes, errorName } from '../protocol/protocol.ts';
import { Link } from './link.ts';
import type { LinkOptions } from './link.ts';

/** Versions that brokers from 2.8 on have, and in which topics have names. */
export const versions = { Metadata: 9, Fetch: 12, ListOffsets: 7, Produce: 9, InitProducerId: 4 } as const;

export interface TopicView {
  readonly partitions: number;
  /** By partition: which node leads it. */
  readonly leaders: ReadonlyMap<number, number>;
  /** Whether the caller may write, as far as the gateway says. */
  readonly mayWrite: boolean;
}

/** Bit of WRITE among a topic's authorized operations (KIP-430). */
const writeBit = 1 << 4;
const retriesMax = 20;
const retryMs = 250;

export class ClusterClient {
  readonly #bootstrap: readonly { readonly host: string; readonly port: number }[];
  readonly #options: LinkOptions;
  readonly #links = new Map<string, Link>();
  readonly #brokers = new Map<number, { host: string; port: number }>();

  constructor(bootstrap: readonly { readonly host: string; readonly port: number }[], options: LinkOptions) {
    this.#bootstrap = bootstrap;
    this.#options = options;
  }

  /** @returns `null` where there is no such topic, or the caller may not know of it @throws SluiceError `replay-connection` */
  async topic(name: string): Promise<TopicView | null> {
    const link = await this.#any();
    const answer = await link.ask('Metadata', versions.Metadata, {
      topics: [{ name }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
    });
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port });
    const topic = answer.topics.find((one) => one.name === name);
    if (topic === undefined || topic.errorCode !== 0) return null;
    const leaders = new Map(topic.partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId]));
    const { topicAuthorizedOperations: may } = topic;
    return { partitions: topic.partitions.length, leaders, mayWrite: (may & writeBit) !== 0 };
  }

  /** Asks whoever leads the partition, again where that changes. @throws SluiceError `replay-connection` */
  async ofLeader<Answer>(
    topic: string,
    partition: number,
    ask: (link: Link) => Promise<{ readonly code: number; readonly answer: Answer }>,
  ): Promise<{ readonly code: number; readonly answer: Answer } | null> {
    for (let tries = 0; ; tries += 1) {
      const view = await this.topic(topic);
      const leader = view?.leaders.get(partition);
      if (view === null || leader === undefined) return null;
      const found = await this.#leaderSays(leader, ask);
      if (found !== null && !leaderless.has(found.code)) return found;
      if (tries >= retriesMax)
        throw new SluiceError('replay-connection', `${topic}-${partition} has had no leader for a while.`);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async link(): Promise<Link> {
    return await this.#any();
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  async #leaderSays<Answer>(leader: number, ask: (link: Link) => Promise<Answer>): Promise<Answer | null> {
    const broker = this.#brokers.get(leader);
    if (broker === undefined) return null;
    const link = await this.#to(broker.host, broker.port);
    try {
      return await ask(link);
    } catch (error) {
      this.#forget(link);
      throw error;
    }
  }

  async #any(): Promise<Link> {
    let failure: unknown = new SluiceError('replay-connection', 'There is no broker to ask.');
    for (const { host, port } of this.#bootstrap) {
      try {
        return await this.#to(host, port);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #to(host: string, port: number): Promise<Link> {
    const address = `${host}:${port}`;
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const link = await Link.open(host, port, this.#options);
    this.#links.set(address, link);
    return link;
  }

  #forget(link: Link): void {
    link.close();
    this.#links.delete(link.address);
  }
}

const leaderless: ReadonlySet<number> = new Set([
  errorCodes.NOT_LEADER_OR_FOLLOWER,
  errorCodes.LEADER_NOT_AVAILABLE,
  errorCodes.FENCED_LEADER_EPOCH,
  errorCodes.UNKNOWN_LEADER_EPOCH,
  errorCodes.KAFKA_STORAGE_ERROR,
  errorCodes.REPLICA_NOT_AVAILABLE,
]);

export function named(code: number): string {
  return `${errorName(code)} (${code})`;
}
