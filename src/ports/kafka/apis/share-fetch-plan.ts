/** What one ShareFetch may ask the broker, given what its session already holds. Decides about every partition of the session. */
import {
  type Draft,
  type ShareFetchRequest,
  type ShareFetchRequestFetchPartition,
  type ShareFetchRequestFetchTopic,
  errorCodes,
} from '../protocol/protocol.ts';
import type { Exchange } from './handler.ts';
import { PartitionSet } from './partition-set.ts';
import type { ShareSession } from './share-sessions.ts';

export interface Refusal {
  /** Of fetching; 0 in the request that ends its session, which fetches nothing. */
  readonly code: number;
  /** Of acknowledging records of the partition; 0 where the request does not. */
  readonly acknowledgeCode: number;
}

/** By topic id, then partition. */
export type Refusals = ReadonlyMap<string, ReadonlyMap<number, Refusal>>;
export const noRefusals: Refusals = new Map();

export interface SharePlan {
  /** False where the client's own bytes may go on. */
  readonly changed: boolean;
  readonly topics: readonly Draft<ShareFetchRequestFetchTopic>[];
  readonly forgotten: Draft<ShareFetchRequest>['forgottenTopicsData'];
  /** What the gateway answers itself; `noRefusals` where there is nothing. */
  readonly refusals: Refusals;
}

/**
 * Brings the session in line with the request and the policy.
 *
 * @param final the request ends its session: it acknowledges, and fetches nothing
 */
export async function planShareFetch(
  exchange: Exchange<'ShareFetch'>,
  session: ShareSession,
  final: boolean,
): Promise<SharePlan> {
  const { request, cluster } = exchange;
  const named = request.topics.map(({ topicId }) => topicId);
  await cluster.resolveTopics([...named, ...session.withheld.topics(), ...session.granted.topics()]);
  const planning = new Planning(exchange, session, final);
  for (const topic of request.topics) planning.named(topic);
  if (!final) {
    planning.sessionAgain();
    planning.forgottenByClient();
  }
  return planning.result();
}

class Planning {
  readonly #exchange: Exchange<'ShareFetch'>;
  readonly #session: ShareSession;
  readonly #final: boolean;
  /** Partitions already decided by this request. */
  readonly #decided = new PartitionSet();
  readonly #forgottenByClient = new PartitionSet();
  readonly #topics: Draft<ShareFetchRequestFetchTopic>[] = [];
  readonly #revoked = new PartitionSet();
  readonly #restored = new PartitionSet();
  readonly #refusals = new Map<string, Map<number, Refusal>>();

  constructor(exchange: Exchange<'ShareFetch'>, session: ShareSession, final: boolean) {
    this.#exchange = exchange;
    this.#session = session;
    this.#final = final;
    for (const { topicId, partitions } of exchange.request.forgottenTopicsData) {
      for (const partition of partitions) this.#forgottenByClient.add(topicId, partition);
    }
  }

  /** A topic that the request names: new in the session, or with acknowledgements. */
  named(topic: ShareFetchRequestFetchTopic): void {
    const { topicId } = topic;
    const allowed = topic.partitions.filter((partition) => {
      const { partitionIndex } = partition;
      const code = this.#codeFor(topicId, partitionIndex);
      this.#decided.add(topicId, partitionIndex);
      if (code === 0) this.#grant(topicId, partitionIndex);
      else this.#withhold(topicId, partition, code);
      return code === 0;
    });
    if (allowed.length > 0) this.#topics.push({ ...topic, partitions: allowed });
  }

  /** Everything that the session holds from before, as the policy has it now. */
  sessionAgain(): void {
    const { granted, withheld } = this.#session;
    const before = [...granted.entries(), ...withheld.entries()];
    for (const { topic: topicId, partition } of before) {
      if (this.#decided.has(topicId, partition) || this.#forgottenByClient.has(topicId, partition)) continue;
      const code = this.#codeFor(topicId, partition);
      if (code !== 0) this.#withhold(topicId, { partitionIndex: partition, acknowledgementBatches: [] }, code);
      else if (withheld.has(topicId, partition)) {
        this.#grant(topicId, partition);
        this.#restored.add(topicId, partition);
      }
    }
  }

  /** Last, as a broker does it: a partition both named and forgotten is not in the session afterwards. */
  forgottenByClient(): void {
    for (const { topic: topicId, partition } of this.#forgottenByClient.entries()) {
      this.#session.granted.delete(topicId, partition);
      this.#session.withheld.delete(topicId, partition);
    }
  }

  result(): SharePlan {
    const { topics, forgottenTopicsData } = this.#exchange.request;
    const restored = this.#restored.byTopic().map(({ topic: topicId, partitions }) => ({
      topicId,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
    }));
    const revoked = this.#revoked.byTopic().map(({ topic: topicId, partitions }) => ({ topicId, partitions }));
    const refused = this.#refusals.size > 0;
    return {
      changed: refused || restored.length > 0,
      topics: refused || restored.length > 0 ? mergedByTopic([...this.#topics, ...restored]) : topics,
      forgotten: [...forgottenTopicsData, ...revoked],
      refusals: refused ? this.#refusals : noRefusals,
    };
  }

  #codeFor(topicId: string, partition: number): number {
    const { access, cluster } = this.#exchange;
    const name = cluster.topicName(topicId);
    if (name === undefined) {
      access.unknownTopic(topicId);
      return errorCodes.UNKNOWN_TOPIC_ID;
    }
    return access.may('read', 'topic', name, partition) ? 0 : errorCodes.TOPIC_AUTHORIZATION_FAILED;
  }

  #grant(topicId: string, partition: number): void {
    if (this.#final) return;
    this.#session.withheld.delete(topicId, partition);
    this.#session.granted.add(topicId, partition);
  }

  #withhold(
    topicId: string,
    {
      partitionIndex,
      acknowledgementBatches,
    }: Pick<ShareFetchRequestFetchPartition, 'partitionIndex' | 'acknowledgementBatches'>,
    code: number,
  ): void {
    if (this.#session.granted.delete(topicId, partitionIndex)) this.#revoked.add(topicId, partitionIndex);
    if (!this.#final) this.#session.withheld.add(topicId, partitionIndex);
    const partitions = this.#refusals.get(topicId) ?? new Map<number, Refusal>();
    partitions.set(partitionIndex, {
      code: this.#final ? 0 : code,
      acknowledgeCode: acknowledgementBatches.length > 0 ? code : 0,
    });
    this.#refusals.set(topicId, partitions);
  }
}

/** Topics of a request are a set to brokers: one that stands there twice would lose one of its entries. */
function mergedByTopic(topics: readonly Draft<ShareFetchRequestFetchTopic>[]): Draft<ShareFetchRequestFetchTopic>[] {
  const merged = new Map<string | undefined, Draft<ShareFetchRequestFetchTopic>>();
  for (const topic of topics) {
    const other = merged.get(topic.topicId);
    const partitions = [...(other?.partitions ?? []), ...(topic.partitions ?? [])];
    merged.set(topic.topicId, { ...topic, partitions });
  }
  return [...merged.values()];
}
