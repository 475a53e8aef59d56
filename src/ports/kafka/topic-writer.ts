/** Writes records of the gateway's own into a topic, on the gateway's own credentials: checkpoints and exported entries. */
import { createHash } from 'node:crypto';
import { SluiceError } from '../../lib/errors.ts';
import type { UpstreamSettings } from '../../model/settings.ts';
import { type ResponseMessages, buildBatch, errorName, zeroUuid } from './protocol/protocol.ts';
import { UpstreamConnection } from './upstream.ts';

export interface TopicRecord {
  /** Records of one key keep their order. */
  readonly key: string;
  readonly value: Uint8Array;
}

export interface TopicWriter {
  /**
   * Resolves when all in-sync replicas have the records.
   * @throws SluiceError `upstream-unreachable`, `upstream-authentication-failed`, `secret-unreadable`, `topic-unwritable`:
   *   some of the records may have been written
   */
  write(topic: string, records: readonly TopicRecord[]): Promise<void>;
  close(): void;
}

/** By topic id from 13 on; a name is what the operator gives. */
const produceVersionMax = 12;
const metadataVersionMax = 12;
const timeoutMs = 20_000;
const allInSync = -1;

interface Leader {
  readonly partition: number;
  readonly nodeId: number;
}

export function createTopicWriter(settings: UpstreamSettings): TopicWriter {
  const connections = new Map<number, UpstreamConnection>();
  let routes: { readonly topic: string; readonly leaders: readonly Leader[]; readonly brokers: Brokers } | null = null;

  const forget = (): void => {
    for (const connection of connections.values()) connection.close('it is opened anew when it is needed');
    connections.clear();
    routes = null;
  };
  const connectionTo = async (nodeId: number, brokers: Brokers): Promise<UpstreamConnection> => {
    const known = connections.get(nodeId);
    if (known !== undefined && !known.closed) return known;
    const address = brokers.get(nodeId);
    if (address === undefined) throw unwritable('a partition has no leader now', true);
    const connection = await UpstreamConnection.open(address, settings);
    connections.set(nodeId, connection);
    return connection;
  };

  return {
    async write(topic, records) {
      try {
        if (routes?.topic !== topic) routes = { topic, ...(await findLeaders(settings, topic)) };
        const { leaders, brokers } = routes;
        const byPartition = Map.groupBy(records, ({ key }) => leaderFor(key, leaders));
        for (const [leader, part] of byPartition) {
          const connection = await connectionTo(leader.nodeId, brokers);
          await produce(connection, topic, leader.partition, part);
        }
      } catch (error) {
        // Leaders move, and connections end: the next attempt begins from the start.
        forget();
        throw error;
      }
    },
    close: forget,
  };
}

type Brokers = ReadonlyMap<number, { readonly host: string; readonly port: number }>;

async function findLeaders(
  settings: UpstreamSettings,
  topic: string,
): Promise<{ readonly leaders: readonly Leader[]; readonly brokers: Brokers }> {
  const connection = await openAny(settings);
  try {
    const version = Math.min(metadataVersionMax, connection.versions.maxOf('Metadata') ?? 0);
    const answer = await connection.request('Metadata', version, {
      topics: [{ topicId: zeroUuid, name: topic }],
      allowAutoTopicCreation: false,
    });
    const [found] = answer.topics;
    if (found === undefined || found.errorCode !== 0)
      throw unwritable(`the topic ${topic} cannot be used: ${errorName(found?.errorCode ?? 0)}`, true);
    return { leaders: leadersOf(found), brokers: new Map(answer.brokers.map((each) => [each.nodeId, each])) };
  } finally {
    connection.close('leaders are known now');
  }
}

function leadersOf({ partitions }: ResponseMessages['Metadata']['topics'][number]): Leader[] {
  return partitions
    .map(({ partitionIndex: partition, leaderId: nodeId }) => ({ partition, nodeId }))
    .sort((a, b) => a.partition - b.partition);
}

async function openAny(settings: UpstreamSettings): Promise<UpstreamConnection> {
  let last: unknown = null;
  for (const address of settings.bootstrap) {
    try {
      return await UpstreamConnection.open(address, settings);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function leaderFor(key: string, leaders: readonly Leader[]): Leader {
  const [first] = leaders;
  if (first === undefined) throw unwritable('the topic has no partitions', true);
  return leaders[createHash('sha256').update(key).digest().readUInt32BE(0) % leaders.length] ?? first;
}

async function produce(
  connection: UpstreamConnection,
  topic: string,
  index: number,
  records: readonly TopicRecord[],
): Promise<void> {
  const version = Math.min(produceVersionMax, connection.versions.maxOf('Produce') ?? 0);
  const answer = await connection.request('Produce', version, {
    transactionalId: null,
    acks: allInSync,
    timeoutMs,
    topicData: [{ name: topic, partitionData: [{ index, records: batchOf(records) }] }],
  });
  const result = answer.responses[0]?.partitionResponses[0];
  if (result === undefined) throw unwritable('the broker did not say whether it took the records', true);
  if (result.errorCode !== 0)
    throw unwritable(`the broker refused records for ${topic}-${index}: ${errorName(result.errorCode)}`, true);
}

function batchOf(records: readonly TopicRecord[]): Buffer {
  const nowMs = BigInt(Date.now());
  return buildBatch(
    {
      baseOffset: 0n,
      partitionLeaderEpoch: -1,
      attributes: 0,
      lastOffsetDelta: records.length - 1,
      baseTimestamp: nowMs,
      maxTimestamp: nowMs,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
    },
    records.map(({ key, value }, offsetDelta) => ({
      attributes: 0,
      timestampDelta: 0n,
      offsetDelta,
      key: Buffer.from(key),
      value: Buffer.from(value),
      headers: [],
    })),
  );
}

function unwritable(detail: string, retriable: boolean): SluiceError<'topic-unwritable'> {
  return new SluiceError('topic-unwritable', `Nothing could be written: ${detail}.`, { retriable });
}
