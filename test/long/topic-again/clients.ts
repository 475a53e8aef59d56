/** Clients of one topic that is deleted and made again under them: by name and by id, each recovering as stock clients do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../../harness/batches.ts';
import type { WireClient } from '../../../harness/wire-client.ts';
import { batches, errorCodes, errorName, parseBatch } from '../../../src/ports/kafka/protocol/protocol.ts';

export type Naming = 'name' | 'id';

/** What a topic that is gone, or not quite there, is answered with: clients ask for metadata and try again. */
const passing: ReadonlySet<number> = new Set([
  errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  errorCodes.LEADER_NOT_AVAILABLE,
  errorCodes.NOT_LEADER_OR_FOLLOWER,
  errorCodes.UNKNOWN_TOPIC_ID,
  errorCodes.INCONSISTENT_TOPIC_ID,
  errorCodes.KAFKA_STORAGE_ERROR,
  errorCodes.OFFSET_OUT_OF_RANGE,
  errorCodes.FETCH_SESSION_TOPIC_ID_ERROR,
  errorCodes.FETCH_SESSION_ID_NOT_FOUND,
  errorCodes.INVALID_FETCH_SESSION_EPOCH,
  errorCodes.NOT_ENOUGH_REPLICAS,
]);

export interface Stage {
  readonly topic: string;
  readonly connect: () => Promise<WireClient>;
  readonly stopped: () => boolean;
  /** A code that no honest client should see: `TOPIC_AUTHORIZATION_FAILED` above all. */
  readonly wrong: (what: string) => void;
}

/** One client at work, and how far it has come. */
abstract class Worker {
  readonly label: string;
  /** Requests that did what they should. */
  done = 0;
  /** Times it had to ask for metadata again. */
  recoveries = 0;
  protected readonly stage: Stage;
  protected readonly naming: Naming;
  protected topicId = '';

  constructor(stage: Stage, label: string, naming: Naming) {
    this.stage = stage;
    this.label = `${label} by ${naming}`;
    this.naming = naming;
  }

  async work(): Promise<void> {
    let client = await this.stage.connect();
    while (this.topicId === '' && !this.stage.stopped()) {
      // Right after its making a topic is not known to the broker yet, or has no leader.
      await this.refresh(client);
      await sleep(20);
    }
    while (!this.stage.stopped()) {
      const code = await this.once(client).catch((error: unknown) => {
        if (!client.closed) throw error;
        return null;
      });
      if (code === 0) continue;
      if (code === null) client = await this.stage.connect();
      else if (!passing.has(code)) this.stage.wrong(`${this.label}: ${errorName(code)}`);
      this.recoveries += 1;
      await sleep(20);
      await this.refresh(client);
    }
    client.close();
  }

  /** @returns the error code that came, 0 for none */
  protected abstract once(client: WireClient): Promise<number>;

  /** Another incarnation of the topic was found. */
  protected abstract renewed(): void;

  protected named(): { name?: string; topic?: string; topicId?: string } {
    return this.naming === 'id' ? { topicId: this.topicId } : { name: this.stage.topic, topic: this.stage.topic };
  }

  private async refresh(client: WireClient): Promise<void> {
    const { topics } = await client.ask('Metadata', 12, { topics: [{ name: this.stage.topic }] });
    const [topic] = topics;
    if (topic === undefined) return;
    if (topic.errorCode !== 0 && !passing.has(topic.errorCode))
      this.stage.wrong(`${this.label}, metadata: ${errorName(topic.errorCode)}`);
    if (topic.errorCode !== 0 || topic.topicId === this.topicId) return;
    this.topicId = topic.topicId;
    this.renewed();
  }
}

export class Producing extends Worker {
  #sent = 0;
  /** What the broker acknowledged, by offset, of the incarnation that is there now. */
  readonly acknowledged: Map<bigint, string> = new Map();

  constructor(stage: Stage, naming: Naming) {
    super(stage, 'producer', naming);
  }

  protected renewed(): void {
    this.acknowledged.clear();
  }

  protected async once(client: WireClient): Promise<number> {
    this.#sent += 1;
    const value = `${this.label} ${this.#sent}`;
    const topicData = [{ ...this.named(), partitionData: [{ index: 0, records: batchOf([value]) }] }];
    const id = this.topicId;
    const version = this.naming === 'id' ? 13 : 9;
    const answer = await client.ask('Produce', version, { acks: -1, timeoutMs: 5_000, topicData });
    const part = answer.responses[0]?.partitionResponses[0];
    if (part?.errorCode === 0) {
      this.done += 1;
      // By name the incarnation may have changed without a word: whoever asks next learns it.
      if (this.naming === 'id' && id === this.topicId) this.acknowledged.set(part.baseOffset, value);
    }
    return part?.errorCode ?? -1;
  }
}

export class Consuming extends Worker {
  #offset = 0n;
  #session = { sessionId: 0, sessionEpoch: 0 };
  /** Values read, of the incarnation that is there now. */
  readonly read: Map<bigint, string> = new Map();

  constructor(stage: Stage, naming: Naming) {
    super(stage, 'consumer', naming);
  }

  protected renewed(): void {
    this.#offset = 0n;
    this.#session = { sessionId: 0, sessionEpoch: 0 };
    this.read.clear();
  }

  protected async once(client: WireClient): Promise<number> {
    const partitions = [{ partition: 0, fetchOffset: this.#offset, partitionMaxBytes: 1_000_000 }];
    const answer = await client.ask('Fetch', this.naming === 'id' ? 15 : 12, {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_000_000,
      ...this.#session,
      topics: [{ ...this.named(), partitions }],
    });
    const part = answer.responses[0]?.partitions[0];
    const code = answer.errorCode === 0 ? (part?.errorCode ?? 0) : answer.errorCode;
    if (code !== 0) {
      this.#offset = code === errorCodes.OFFSET_OUT_OF_RANGE ? 0n : this.#offset;
      this.#session = { sessionId: 0, sessionEpoch: 0 };
      return code;
    }
    const { sessionId } = answer;
    this.#session = { sessionId, sessionEpoch: sessionId === 0 ? 0 : this.#session.sessionEpoch + 1 };
    this.#take(part?.records ?? null);
    return 0;
  }

  #take(records: Buffer | null): void {
    if (records === null) return;
    for (const { position, baseOffset, lastOffsetDelta } of batches(records)) {
      parseBatch(records, position).records.forEach(({ value }, index) => {
        this.read.set(baseOffset + BigInt(index), String(value));
      });
      this.#offset = baseOffset + BigInt(lastOffsetDelta) + 1n;
      this.done += 1;
    }
  }
}
