/**
 * Produce (key 0). Transactional batches: WRITE on the transactional id, else 53 on everything. Each partition: WRITE
 * on its topic (by id from version 13 on), else 29 on it while the others go on. With acks=0 there is no answer to say
 * no in: nothing is forwarded and the connection is closed, as a broker does.
 */
import type { GateSession } from '../../../gate/gate.ts';
import {
  type ProduceRequest,
  type ProduceResponse,
  type ProduceResponseTopicProduceResponse,
  batches,
  errorCodes,
  isTransactional,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, ForwardVerdict, Verdict } from './handler.ts';
import type { RequestRecorder } from './request-recorder.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;

export const produce: ApiHandler<'Produce'> = {
  name: 'Produce',
  versions: { min: 3, max: 13 },
  handle,
  refuse: (request, code) => (request.acks === 0 ? null : { responses: everyPartition(request, code) }),
};

/** Within the turn where every topic id is known, so that nothing has to wait on the hot path. */
function handle(exchange: Exchange<'Produce'>): Verdict<'Produce'> | Promise<Verdict<'Produce'>> {
  const { request, version, cluster } = exchange;
  if (version < topicIdVersion || request.topicData.every(({ topicId }) => cluster.topicName(topicId) !== undefined))
    return decide(exchange);
  return cluster.resolveTopics(request.topicData.map(({ topicId }) => topicId)).then(() => decide(exchange));
}

function decide(exchange: Exchange<'Produce'>): Verdict<'Produce'> {
  const { request, version, access, cluster } = exchange;
  if (carriesTransaction(request)) {
    const id = request.transactionalId;
    if (id === null || !access.may('write', 'transactional-id', id)) {
      return refused(request, everyPartition(request, errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    }
  }
  const denied: ProduceResponseTopicProduceResponse[] = [];
  const allowed = request.topicData.flatMap((topic) => {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.name;
    const no: number[] = [];
    const yes = topic.partitionData.filter(({ index }) => {
      const permitted = name !== undefined && access.may('write', 'topic', name, index);
      if (!permitted) no.push(index);
      return permitted;
    });
    if (name === undefined) access.unknownTopic(topic.topicId);
    const code = name === undefined ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.TOPIC_AUTHORIZATION_FAILED;
    if (no.length > 0) denied.push(refusedTopic(topic, no, code));
    return yes.length > 0 ? [{ ...topic, partitionData: yes }] : [];
  });
  if (denied.length > 0 && (request.acks === 0 || allowed.length === 0)) return refused(request, denied);
  const { session, recorder } = access;
  const about = { version, session, recorder, cluster, addresses: exchange.addresses };
  const sent: ProduceRequest = denied.length === 0 ? request : { ...request, topicData: allowed };
  // Counted now: the bytes of the request are gone when its answer comes.
  const written = countWritten(exchange, sent);
  if (request.acks === 0) {
    for (const partition of written) account(about, partition, -1n);
    return { kind: 'forward', noResponse: true };
  }
  const verdict = writtenVerdict(about, written, denied);
  return denied.length === 0 ? verdict : { ...verdict, request: sent };
}

/** What the answer to a produce request is read with. */
export type ProduceContext = Pick<Exchange<'Produce'>, 'version' | 'cluster' | 'addresses'> & {
  readonly session: GateSession;
  readonly recorder: RequestRecorder | null;
};

/** Forwarded: its answer tells where what it wrote stands, and takes up what was denied. */
export function writtenVerdict(
  about: ProduceContext,
  written: readonly Written[],
  denied: readonly ProduceResponseTopicProduceResponse[],
): ForwardVerdict<'Produce'> {
  return {
    kind: 'forward',
    onResponse(response) {
      accountAll(about, written, response);
      response.responses.push(...denied);
      const carriesAddresses = response.nodeEndpoints.length > 0;
      if (carriesAddresses) {
        about.cluster.learnBrokers(response.nodeEndpoints);
        response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, about.addresses);
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
  return request.topicData.map((topic) =>
    refusedTopic(
      topic,
      topic.partitionData.map(({ index }) => index),
      code,
    ),
  );
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

/** What a request writes in one partition. */
export interface Written {
  readonly topic: string;
  readonly topicKey: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
}

function countWritten({ version, cluster, access }: Exchange<'Produce'>, sent: ProduceRequest): Written[] {
  const written: Written[] = [];
  for (const topic of sent.topicData) {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.name;
    if (name === undefined) continue;
    for (const { index, records } of topic.partitionData) {
      if (records === null) continue;
      let count = 0;
      for (const batch of batches(records)) count += batch.recordsCount;
      access.recorder?.produced(name, index, records, sent.acks !== 0);
      written.push({
        topic: name,
        topicKey: topicKey(version, topic),
        partition: index,
        records: count,
        bytes: records.length,
      });
    }
  }
  return written;
}

function topicKey(version: number, topic: { readonly name: string; readonly topicId: string }): string {
  return version >= topicIdVersion ? topic.topicId : topic.name;
}

/** Enters what the broker took, with the offsets it gave. */
function accountAll(about: ProduceContext, written: readonly Written[], response: ProduceResponse): void {
  for (const topic of response.responses) {
    const key = topicKey(about.version, topic);
    for (const { index, errorCode, baseOffset } of topic.partitionResponses) {
      const partition = written.find((other) => other.partition === index && other.topicKey === key);
      if (partition === undefined) continue;
      about.recorder?.acknowledged(partition.topic, index, errorCode, baseOffset);
      if (errorCode === 0) account(about, partition, baseOffset);
    }
  }
}

/** @param base the offset of the first record, or -1 where the broker gives none (acks=0) */
function account({ session }: ProduceContext, { topic, partition, records, bytes }: Written, base: bigint): void {
  const lastOffset = base < 0n ? -1n : base + BigInt(Math.max(records, 1) - 1);
  session.account({ action: 'write', topic, partition, firstOffset: base, lastOffset, records, bytes });
}
