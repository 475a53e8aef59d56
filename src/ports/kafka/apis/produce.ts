/**
 * Produce (key 0). Transactional batches: WRITE on the transactional id, else 53 on everything. Each partition: WRITE
 * on its topic (by id from version 13 on), else 29 on it while the others go on. With acks=0 there is no answer to say
 * no in: nothing is forwarded and the connection is closed, as a broker does.
 */
import {
  type ProduceRequest,
  type ProduceRequestPartitionProduceData,
  type ProduceResponse,
  type ProduceResponseTopicProduceResponse,
  batches,
  errorCodes,
  isTransactional,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, Verdict } from './handler.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;

export const produce: ApiHandler<'Produce'> = {
  name: 'Produce',
  versions: { min: 3, max: 13 },
  handle,
  refuse: (request, code) => (request.acks === 0 ? null : { responses: everyPartition(request, code) }),
};

async function handle(exchange: Exchange<'Produce'>): Promise<Verdict<'Produce'>> {
  const { request, version, access, cluster } = exchange;
  if (carriesTransaction(request)) {
    const id = request.transactionalId;
    if (id === null || !access.may('write', 'transactional-id', id)) {
      return refused(request, everyPartition(request, errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    }
  }
  if (version >= topicIdVersion) await cluster.resolveTopics(request.topicData.map(({ topicId }) => topicId));
  const denied: ProduceResponseTopicProduceResponse[] = [];
  const allowed = request.topicData.flatMap((topic) => {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.name;
    const no: number[] = [];
    const yes = topic.partitionData.filter(({ index }) => {
      const permitted = name !== undefined && access.may('write', 'topic', name, index);
      if (!permitted) no.push(index);
      return permitted;
    });
    const code = name === undefined ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.TOPIC_AUTHORIZATION_FAILED;
    if (no.length > 0) denied.push(refusedTopic(topic, no, code));
    return yes.length > 0 ? [{ ...topic, partitionData: yes }] : [];
  });
  if (denied.length > 0 && (request.acks === 0 || allowed.length === 0)) return refused(request, denied);
  const sent: ProduceRequest = denied.length === 0 ? request : { ...request, topicData: allowed };
  if (request.acks === 0) {
    account(exchange, sent, null);
    return { kind: 'forward', noResponse: true };
  }
  return {
    kind: 'forward',
    ...(denied.length === 0 ? {} : { request: sent }),
    onResponse: (response) => {
      account(exchange, sent, response);
      response.responses.push(...denied);
      const carriesAddresses = response.nodeEndpoints.length > 0;
      if (carriesAddresses) {
        cluster.learnBrokers(response.nodeEndpoints);
        response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, exchange.addresses);
      }
      return denied.length > 0 || carriesAddresses;
    },
  };
}

function refused(request: ProduceRequest, responses: ProduceResponseTopicProduceResponse[]): Verdict<'Produce'> {
  if (request.acks === 0) return { kind: 'close', reason: 'a produce request with acks=0 was denied' };
  return { kind: 'answer', response: { responses } };
}

function everyPartition(request: ProduceRequest, code: number): ProduceResponseTopicProduceResponse[] {
  return request.topicData.map((topic) => refusedTopic(topic, topic.partitionData.map(({ index }) => index), code));
}

function refusedTopic(
  topic: { readonly name: string; readonly topicId: string },
  partitions: readonly number[],
  errorCode: number,
): ProduceResponseTopicProduceResponse {
  return {
    name: topic.name,
    topicId: topic.topicId,
    partitionResponses: partitions.map((index) => ({
      index,
      errorCode,
      baseOffset: -1n,
      logAppendTimeMs: -1n,
      logStartOffset: -1n,
      recordErrors: [],
      errorMessage: null,
      currentLeader: { leaderId: -1, leaderEpoch: -1 },
    })),
  };
}

function carriesTransaction(request: ProduceRequest): boolean {
  return request.topicData.some((topic) =>
    topic.partitionData.some(({ records }) => {
      if (records === null) return false;
      for (const batch of batches(records)) if (isTransactional(batch.attributes)) return true;
      return false;
    }),
  );
}

/** Enters what the broker took, with the offsets it gave; `null` where it gives none (acks=0). */
function account(exchange: Exchange<'Produce'>, sent: ProduceRequest, response: ProduceResponse | null): void {
  const given = new Map<string, Map<number, bigint>>();
  for (const topic of response?.responses ?? []) {
    const offsets = new Map<number, bigint>();
    for (const { index, errorCode, baseOffset } of topic.partitionResponses) if (errorCode === 0) offsets.set(index, baseOffset);
    given.set(topicKey(exchange.version, topic), offsets);
  }
  for (const topic of sent.topicData) {
    const name = exchange.version >= topicIdVersion ? exchange.cluster.topicName(topic.topicId) : topic.name;
    if (name === undefined) continue;
    for (const partition of topic.partitionData) {
      const base = response === null ? -1n : given.get(topicKey(exchange.version, topic))?.get(partition.index);
      if (base !== undefined) accountPartition(exchange, name, partition, base);
    }
  }
}

function topicKey(version: number, topic: { readonly name: string; readonly topicId: string }): string {
  return version >= topicIdVersion ? topic.topicId : topic.name;
}

function accountPartition(exchange: Exchange<'Produce'>, topic: string, partition: ProduceRequestPartitionProduceData, base: bigint): void {
  if (partition.records === null) return;
  let records = 0;
  for (const batch of batches(partition.records)) records += batch.recordsCount;
  exchange.access.session.account({
    action: 'write',
    topic,
    partition: partition.index,
    firstOffset: base,
    lastOffset: base < 0n ? -1n : base + BigInt(Math.max(records, 1) - 1),
    records,
    bytes: partition.records.length,
  });
}
