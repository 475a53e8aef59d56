/** Drives units into a topic through the gateway, as the caller: in order, each once, and from where it was left. */
import { SluiceError } from '../../../lib/errors.ts';
import { type BatchHeaderDraft, buildBatch, errorCodes } from '../protocol/protocol.ts';
import { type ClusterClient, named, versions } from './cluster-client.ts';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import type { Unit } from './plan.ts';

export interface IntoOptions {
  readonly cluster: ClusterClient;
  readonly topic: string;
  readonly cursorPath: string;
  readonly planDigest: string;
  /** Records per second; `null`: as fast as the broker takes them. */
  readonly recordsPerSecond: number | null;
  readonly onProgress: (done: { readonly units: number; readonly records: number }) => void;
}

export interface IntoResult {
  /** Now, and by an earlier run that was resumed. */
  readonly units: number;
  readonly records: number;
  readonly resumedAt: number;
}

const produceTimeoutMs = 30_000;
const triesMax = 20;
const retryMs = 500;
const codecs: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
/** Sequence numbers start over behind it (KIP-98). */
const sequenceMax = 2_147_483_648;

/** @throws SluiceError `replay-refused`, `replay-connection`, `replay-cursor`; run again, it goes on where it was */
export async function driveInto(units: AsyncIterable<Unit>, options: IntoOptions): Promise<IntoResult> {
  const { cursorPath, planDigest, topic } = options;
  let cursor: Cursor | null = await readCursor(cursorPath, planDigest);
  if (cursor === null) {
    cursor = await begin(options);
    await writeCursor(cursorPath, cursor);
  }
  const resumedAt = cursor.done;
  const pace = new Pace(options.recordsPerSecond);
  for await (const unit of units) {
    if (unit.number < cursor.done) continue;
    await pace.wait(unit.records.length);
    const sequence = cursor.sequences[unit.partition] ?? 0;
    await write(unit, sequence, cursor, options);
    const sequences: Cursor['sequences'] = {
      ...cursor.sequences,
      [unit.partition]: (sequence + unit.records.length) % sequenceMax,
    };
    cursor = { ...cursor, done: cursor.done + 1, records: cursor.records + unit.records.length, sequences };
    await writeCursor(cursorPath, cursor);
    options.onProgress({ units: cursor.done, records: cursor.records });
  }
  if (cursor.topic !== topic) throw new SluiceError('replay-cursor', `The cursor ${cursorPath} is of another topic.`);
  return { units: cursor.done, records: cursor.records, resumedAt };
}

async function begin({ cluster, planDigest, topic }: IntoOptions): Promise<Cursor> {
  const link = await cluster.link();
  const ask = () =>
    link.ask('InitProducerId', versions.InitProducerId, {
      transactionalId: null,
      transactionTimeoutMs: 0x7fffffff,
      producerId: -1n,
      producerEpoch: -1,
    });
  let answer = await ask();
  // A broker that never gave an id before has to fetch a block of them first.
  for (let tries = 1; answer.errorCode === errorCodes.COORDINATOR_LOAD_IN_PROGRESS && tries < triesMax; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    answer = await ask();
  }
  if (answer.errorCode !== 0) throw refused(topic, answer.errorCode, 'no producer id was given');
  const { producerId, producerEpoch } = answer;
  return {
    format: 'sluice-replay-cursor/1',
    plan: planDigest,
    topic,
    producerId: String(producerId),
    producerEpoch,
    done: 0,
    records: 0,
    sequences: {},
  };
}

async function write(unit: Unit, sequence: number, cursor: Cursor, { cluster, topic }: IntoOptions): Promise<void> {
  const records = batchOf(unit, sequence, cursor);
  for (let tries = 1; ; tries += 1) {
    const code = await tryToWrite(cluster, topic, unit.partition, records);
    // The broker has it already: the run before this one was cut off between its answer and the cursor.
    if (code === 0 || code === errorCodes.DUPLICATE_SEQUENCE_NUMBER) return;
    if (code !== null && !retriable.has(code)) throw refused(topic, code, `unit ${unit.number} was not written`);
    if (tries >= triesMax)
      throw new SluiceError(
        'replay-connection',
        `${topic} could not be written to for a while; run it again to go on.`,
      );
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** @returns the error code; `null` where there was no answer, and the same is to be sent again */
async function tryToWrite(
  cluster: ClusterClient,
  topic: string,
  index: number,
  records: Buffer,
): Promise<number | null> {
  try {
    const answer = await cluster.ofLeader(topic, index, async (link) => {
      const { responses } = await link.ask('Produce', versions.Produce, {
        transactionalId: null,
        acks: -1,
        timeoutMs: produceTimeoutMs,
        topicData: [{ name: topic, partitionData: [{ index, records }] }],
      });
      return { code: responses[0]?.partitionResponses[0]?.errorCode ?? -1, answer: null };
    });
    return answer === null ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION : answer.code;
  } catch (error) {
    if (error instanceof SluiceError && error.retriable) return null;
    throw error;
  }
}

function batchOf({ records, codec }: Unit, sequence: number, { producerId, producerEpoch }: Cursor): Buffer {
  const [first] = records;
  const baseTimestamp = first?.timestampMs ?? 0n;
  const header: BatchHeaderDraft = {
    baseOffset: 0n,
    partitionLeaderEpoch: -1,
    attributes: Math.max(0, codecs.indexOf(codec)),
    lastOffsetDelta: records.length - 1,
    baseTimestamp,
    maxTimestamp: records.reduce((max, { timestampMs }) => (timestampMs > max ? timestampMs : max), baseTimestamp),
    producerId: BigInt(producerId),
    producerEpoch,
    baseSequence: sequence,
  };
  return buildBatch(
    header,
    records.map(({ timestampMs, key, value, headers }, offsetDelta) => ({
      attributes: 0,
      timestampDelta: timestampMs - baseTimestamp,
      offsetDelta,
      key,
      value,
      headers: [...headers],
    })),
  );
}

const retriable: ReadonlySet<number> = new Set([
  errorCodes.NOT_LEADER_OR_FOLLOWER,
  errorCodes.REQUEST_TIMED_OUT,
  errorCodes.NOT_ENOUGH_REPLICAS,
  errorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  errorCodes.COORDINATOR_LOAD_IN_PROGRESS,
  errorCodes.KAFKA_STORAGE_ERROR,
  errorCodes.CONCURRENT_TRANSACTIONS,
]);

function refused(topic: string, code: number, what: string): SluiceError<'replay-refused'> {
  const why =
    code === errorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER || code === errorCodes.UNKNOWN_PRODUCER_ID
      ? ' The topic no longer has what the cursor says was written: begin anew with another cursor, into an empty topic.'
      : '';
  return new SluiceError('replay-refused', `${topic}: ${named(code)}, ${what}.${why}`);
}

/** Holds the records to a rate, evened out over what one second may have. */
class Pace {
  readonly #perSecond: number | null;
  #ownedAtMs = 0;

  constructor(perSecond: number | null) {
    this.#perSecond = perSecond;
  }

  async wait(records: number): Promise<void> {
    if (this.#perSecond === null) return;
    const nowMs = performance.now();
    const startMs = Math.max(this.#ownedAtMs, nowMs);
    this.#ownedAtMs = startMs + (records / this.#perSecond) * 1_000;
    if (startMs > nowMs) await new Promise((resolve) => setTimeout(resolve, startMs - nowMs));
  }
}
