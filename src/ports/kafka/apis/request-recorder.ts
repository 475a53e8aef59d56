/**
 * One request's part of its session's recording. A handler asks `access.recorder` after it has decided: `null` where no
 * grant obliges to record, which is the common case. Bytes are lent and copied within the call; they are those that the
 * client sent, or gets: whoever masks calls `delivered` with what the mask has left.
 */
import type { RecordObligation } from '../../../model/decision.ts';
import type { JsonObject } from '../../../model/json.ts';
import type { Action, ResourceType } from '../../../model/operation.ts';
import type { SessionRecorder } from '../../../recording/recording.ts';
import { batches, codecOf, isControl } from '../protocol/protocol.ts';

interface Obliged {
  readonly action: Action;
  readonly type: ResourceType;
  readonly name: string;
  readonly partition: number;
  readonly obligation: RecordObligation;
}

/** What one partition of an answer delivers. */
export interface Delivery {
  readonly topic: string;
  readonly partition: number;
  readonly records: Buffer;
  /** What the client asked from: records below it come along and are passed over by clients; -1 where it did not say. */
  readonly fetchOffset: bigint;
  /** Of consumers that read committed records only: those of these are passed over. */
  readonly aborted?: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[] | null;
  /** Of members of share groups: the only offsets that are theirs. */
  readonly acquired?: readonly { readonly firstOffset: bigint; readonly lastOffset: bigint }[];
}

/** CRC and attributes of a batch: what stands before is the broker's to change. */
const attributesPosition = 21;
const recordsPosition = 61;

let exchanges = 0;

export class RequestRecorder {
  readonly #recorder: SessionRecorder;
  readonly #request: string;
  /** Which bytes an answer is for: clients have several requests under way, on several connections. */
  readonly #exchange: number;
  readonly #obliged: Obliged[] = [];
  /** Of topics, for the bytes that follow: by action and name, then by partition. */
  readonly #places = new Map<string, Map<number, RecordObligation>>();
  /** How many of them were told of. */
  #told = 0;

  constructor(recorder: SessionRecorder, request: string) {
    this.#recorder = recorder;
    this.#request = request;
    this.#exchange = exchanges += 1;
  }

  /** An operation was permitted and is to be recorded. The request is told of once, at the end of the turn. */
  oblige(obliged: Obliged): void {
    if (this.#told === this.#obliged.length) queueMicrotask(() => this.#tell());
    this.#obliged.push(obliged);
    if (obliged.type !== 'topic') return;
    const place = `${obliged.action} ${obliged.name}`;
    let partitions = this.#places.get(place);
    if (partitions === undefined) this.#places.set(place, (partitions = new Map<number, RecordObligation>()));
    // The last counts: an answer is held to the policy again where that has changed since the request.
    partitions.set(obliged.partition, obliged.obligation);
  }

  /** @param records as the client sent them @param answered whether the broker will say what became of them (acks other than 0) */
  produced(topic: string, partition: number, records: Buffer, answered: boolean): void {
    const obligation = this.#obligation('write', topic, partition);
    if (obligation === null) return;
    const meta = { topic, partition, exchange: this.#exchange, ...(!answered && { unanswered: true }) };
    this.#keep('produced', obligation, meta, records, recordsPosition);
  }

  /** @param baseOffset -1 where the broker gave none */
  acknowledged(topic: string, partition: number, errorCode: number, baseOffset: bigint): void {
    const obligation = this.#obligation('write', topic, partition);
    if (obligation === null) return;
    const [exchange, offset] = [this.#exchange, String(baseOffset)];
    const meta = { request: this.#request, topic, partition, exchange, error: errorCode, offset };
    this.#recorder.record(obligation, { kind: 'answered', meta, payload: null, records: 0 });
  }

  delivered({ topic, partition, records, fetchOffset, aborted, acquired }: Delivery): void {
    const obligation = records.length === 0 ? null : this.#obligation('read', topic, partition);
    if (obligation === null) return;
    const meta: JsonObject = {
      topic,
      partition,
      ...(fetchOffset >= 0n && { from: String(fetchOffset) }),
      ...((aborted ?? []).length > 0 && {
        aborted: (aborted ?? []).map(({ producerId, firstOffset }) => [String(producerId), String(firstOffset)]),
      }),
      ...(acquired !== undefined && {
        acquired: acquired.map(({ firstOffset, lastOffset }) => [String(firstOffset), String(lastOffset)]),
      }),
    };
    this.#keep('delivered', obligation, meta, records, attributesPosition);
  }

  /** @param digestFrom where, in each batch, the bytes begin that the broker keeps as they are */
  #keep(
    kind: 'produced' | 'delivered',
    obligation: RecordObligation,
    about: JsonObject,
    records: Buffer,
    digestFrom: number,
  ): void {
    let count = 0;
    const references: JsonObject[] = [];
    for (const batch of batches(records)) {
      if (!isControl(batch.attributes)) count += batch.recordsCount;
      if (obligation.level === 'full') continue;
      const reference = {
        offset: String(batch.baseOffset),
        last: batch.lastOffsetDelta,
        records: batch.recordsCount,
        ...(isControl(batch.attributes) && { control: true }),
      };
      if (obligation.level === 'metadata') {
        references.push(reference);
        continue;
      }
      const bytes = records.subarray(batch.position + digestFrom, batch.position + batch.sizeBytes);
      const digest = this.#recorder.digest(obligation, [bytes]).toString('base64url');
      references.push({ ...reference, codec: codecOf(batch.attributes), bytes: batch.sizeBytes, digest });
    }
    const meta = {
      request: this.#request,
      ...about,
      records: count,
      bytes: records.length,
      ...(obligation.level !== 'full' && { batches: references }),
    };
    const payload = obligation.level === 'full' ? records : null;
    this.#recorder.record(obligation, { kind, meta, payload, records: count });
  }

  #obligation(action: Action, topic: string, partition: number): RecordObligation | null {
    return this.#places.get(`${action} ${topic}`)?.get(partition) ?? null;
  }

  #tell(): void {
    const obliged = this.#obliged.slice(this.#told);
    this.#told = this.#obliged.length;
    for (const obligation of new Set(obliged.map((one) => one.obligation))) {
      const operations = new Map<string, { action: string; type: string; name: string; partitions: number[] }>();
      for (const { action, type, name, partition } of obliged.filter((one) => one.obligation === obligation)) {
        const key = `${action} ${type} ${name}`;
        let operation = operations.get(key);
        if (operation === undefined) operations.set(key, (operation = { action, type, name, partitions: [] }));
        if (partition >= 0) operation.partitions.push(partition);
      }
      const meta = { request: this.#request, operations: [...operations.values()] };
      this.#recorder.record(obligation, { kind: 'request', meta, payload: null, records: 0 });
    }
  }
}
