/** What one fetch may ask the broker, and what the gateway answers to the rest of it. */
import {
  type Draft,
  type FetchRequest,
  type FetchRequestFetchPartition,
  type FetchRequestFetchTopic,
  type FetchResponseFetchableTopicResponse,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { refusedPartition } from './fetch-refusal.ts';
import { FetchSession, topicIdVersion } from './fetch-session.ts';
import type { Exchange } from './handler.ts';
import { PartitionSet } from './partition-set.ts';

export interface FetchPlan {
  /** False where topics and forgotten topics may go on as the client named them. */
  readonly changed: boolean;
  readonly topics: readonly Draft<FetchRequestFetchTopic>[];
  readonly forgotten: Draft<FetchRequest>['forgottenTopicsData'];
  /** What the gateway answers itself. */
  readonly refusals: readonly FetchResponseFetchableTopicResponse[];
}

/** Plans a request that names all it wants, and fills the session that it may begin. */
export function planFull(exchange: Exchange<'Fetch'>, session: FetchSession): FetchPlan {
  const planning = new Planning(exchange, session);
  for (const topic of exchange.request.topics) planning.named(topic);
  session.decided(exchange.access.session);
  return planning.result();
}

/**
 * Plans a request that goes on with a session: brings the session in line with the request and the policy.
 *
 * @returns `null` where the client has to begin anew: it may have back what was taken away while it did not ask for it
 */
export function planIncremental(exchange: Exchange<'Fetch'>, session: FetchSession): FetchPlan | null {
  const planning = new Planning(exchange, session);
  planning.forgotten();
  for (const topic of exchange.request.topics) planning.named(topic);
  if (session.mustDecide(exchange.access.session)) planning.grantedAgain();
  if (!planning.withheldAgain()) return null;
  planning.forget();
  return planning.result();
}

class Planning {
  readonly #exchange: Exchange<'Fetch'>;
  readonly #session: FetchSession;
  /** Partitions already decided by this request, or to leave the session with it. */
  readonly #settled = new PartitionSet();
  readonly #forgotten = new PartitionSet();
  readonly #topics: Draft<FetchRequestFetchTopic>[] = [];
  readonly #revoked = new PartitionSet();
  #changed = false;

  constructor(exchange: Exchange<'Fetch'>, session: FetchSession) {
    this.#exchange = exchange;
    this.#session = session;
  }

  forgotten(): void {
    const { forgottenTopicsData } = this.#exchange.request;
    for (const topic of forgottenTopicsData) {
      for (const partition of topic.partitions) {
        this.#forgotten.add(this.#keyOf(topic), partition);
        this.#settled.add(this.#keyOf(topic), partition);
      }
    }
  }

  /** A topic that the request names: new in the session, or asked for in another way. */
  named(topic: FetchRequestFetchTopic): void {
    const key = this.#keyOf(topic);
    const allowed = topic.partitions.filter((partition) => {
      const code = this.#codeFor(key, partition.partition);
      this.#settled.add(key, partition.partition);
      if (code === 0) this.#session.grant(key, partition.partition);
      else this.#withhold(key, partition.partition, code, partition);
      return code === 0;
    });
    if (allowed.length < topic.partitions.length) this.#changed = true;
    if (allowed.length > 0) this.#topics.push({ ...topic, partitions: allowed });
  }

  /** What the broker fetches without being asked for it again, as the policy has it now. */
  grantedAgain(): void {
    const denied: { readonly topic: string; readonly partition: number; readonly code: number }[] = [];
    this.#session.granted.forEach((topic, partition) => {
      if (this.#settled.has(topic, partition)) return;
      const code = this.#codeFor(topic, partition);
      if (code !== 0) denied.push({ topic, partition, code });
    });
    for (const { topic, partition, code } of denied) this.#withhold(topic, partition, code, null);
    this.#session.decided(this.#exchange.access.session);
  }

  /** What the client waits for in vain, each time: as a broker decides about it. @returns false as `planIncremental` null */
  withheldAgain(): boolean {
    for (const [topic, partitions] of this.#session.withheld) {
      const restored: FetchRequestFetchPartition[] = [];
      for (const [partition, { wanted }] of partitions) {
        if (this.#settled.has(topic, partition)) continue;
        const code = this.#codeFor(topic, partition);
        if (code !== 0) {
          this.#session.withhold(topic, partition, { code, wanted });
          continue;
        }
        if (wanted === null) return false;
        this.#session.grant(topic, partition);
        restored.push(wanted);
      }
      if (restored.length > 0) this.#topics.push({ ...this.#nameOf(topic), partitions: restored });
      this.#changed ||= restored.length > 0;
    }
    return true;
  }

  /** Last, as a broker does it: a partition both named and forgotten is not in the session afterwards. */
  forget(): void {
    this.#forgotten.forEach((topic, partition) => this.#session.forget(topic, partition));
  }

  result(): FetchPlan {
    const { request } = this.#exchange;
    const revoked = this.#revoked.byTopic().map(({ topic, partitions }) => ({ ...this.#nameOf(topic), partitions }));
    return {
      changed: this.#changed,
      topics: this.#changed ? this.#topics : request.topics,
      forgotten: [...request.forgottenTopicsData, ...revoked],
      refusals: refusalsOf(this.#session),
    };
  }

  #codeFor(topic: string, partition: number): number {
    const { access, cluster } = this.#exchange;
    const name = this.#session.byId ? cluster.topicName(topic) : topic;
    if (name === undefined) {
      access.unknownTopic(topic);
      return errorCodes.UNKNOWN_TOPIC_ID;
    }
    return access.may('read', 'topic', name, partition) ? 0 : errorCodes.TOPIC_AUTHORIZATION_FAILED;
  }

  #withhold(topic: string, partition: number, code: number, wanted: FetchRequestFetchPartition | null): void {
    if (!this.#session.withhold(topic, partition, { code, wanted })) return;
    this.#revoked.add(topic, partition);
    this.#changed = true;
  }

  #keyOf(topic: { readonly topic: string; readonly topicId: string }): string {
    return this.#session.byId ? topic.topicId : topic.topic;
  }

  #nameOf(topic: string): { topic: string; topicId: string } {
    return nameOf(this.#session, topic);
  }
}

function nameOf(session: FetchSession, topic: string): { topic: string; topicId: string } {
  return session.byId ? { topic: '', topicId: topic } : { topic, topicId: zeroUuid };
}

/** The answer to all that a session withholds: brokers repeat errors in every answer of a session. */
function refusalsOf(session: FetchSession): FetchResponseFetchableTopicResponse[] {
  return Array.from(session.withheld, ([topic, partitions]) => ({
    ...nameOf(session, topic),
    partitions: Array.from(partitions, ([partition, { code }]) => refusedPartition(partition, code)),
  }));
}

/** A session for what a request in this version names. */
export function sessionFor(version: number): FetchSession {
  return new FetchSession(version >= topicIdVersion);
}
