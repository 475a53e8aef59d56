/**
 * Fetch (key 1). Each partition: READ on its topic (by id from version 13 on), else 29 on it while the others go on.
 * Followers (replica id ≥ 0) are brokers, and none comes through a gateway: 29 on everything.
 *
 * Fetch sessions (KIP-227) are switched off between client and broker: a broker knows them by id only, and behind one
 * upstream principal any client could take over another's. Clients then ask for everything each time. A session id
 * that a client does bring is one it cannot have from here: 70, and the client starts anew.
 */
import {
  type FetchRequest,
  type FetchRequestFetchPartition,
  type FetchResponse,
  type FetchResponseFetchableTopicResponse,
  type FetchResponsePartitionData,
  FetchScan,
  ProtocolError,
  batches,
  errorCodes,
  isControl,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, ResponseScan, Verdict } from './handler.ts';

/** From here on topics are named by id. */
const topicIdVersion = 13;
/** From here on there are fetch sessions. */
const sessionVersion = 7;
/** KIP-227: "no session, and make none". */
const finalEpoch = -1;
const nothing: Buffer = Buffer.alloc(0);

export const fetch: ApiHandler<'Fetch'> = {
  name: 'Fetch',
  versions: { min: 4, max: 18 },
  handle,
  refuse: (request, code, version) =>
    version >= sessionVersion ? { errorCode: code, responses: [] } : { responses: everyPartition(request, code) },
};

/** Within the turn where every topic id is known, so that nothing has to wait on the hot path. */
function handle(exchange: Exchange<'Fetch'>): Verdict<'Fetch'> | Promise<Verdict<'Fetch'>> {
  const { request, version, access, cluster } = exchange;
  if (version >= sessionVersion && request.sessionId !== 0) {
    access.refused('fetch-session-unknown', `fetch session ${request.sessionId} was not made by this gateway`);
    return { kind: 'answer', response: { errorCode: errorCodes.FETCH_SESSION_ID_NOT_FOUND, responses: [] } };
  }
  if (request.replicaId >= 0 || request.replicaState.replicaId >= 0) {
    access.refused('follower-fetch', 'a fetch as a replica: brokers do not come through the gateway');
    return { kind: 'answer', response: { responses: everyPartition(request, errorCodes.TOPIC_AUTHORIZATION_FAILED) } };
  }
  if (version < topicIdVersion || request.topics.every(({ topicId }) => cluster.topicName(topicId) !== undefined))
    return decide(exchange);
  return cluster.resolveTopics(request.topics.map(({ topicId }) => topicId)).then(() => decide(exchange));
}

function decide(exchange: Exchange<'Fetch'>): Verdict<'Fetch'> {
  const { request, version, access, cluster } = exchange;
  const denied: FetchResponseFetchableTopicResponse[] = [];
  const allowed = request.topics.flatMap((topic) => {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.topic;
    const no: FetchRequestFetchPartition[] = [];
    const yes = topic.partitions.filter((partition) => {
      const permitted = name !== undefined && access.may('read', 'topic', name, partition.partition);
      if (!permitted) no.push(partition);
      return permitted;
    });
    const code = name === undefined ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.TOPIC_AUTHORIZATION_FAILED;
    if (no.length > 0) denied.push(refusedTopic(topic, no, code));
    return yes.length > 0 ? [{ ...topic, partitions: yes }] : [];
  });
  // A fetch of nothing may wait its full time at the broker: what is all denied is answered at once, as a broker does.
  if (allowed.length === 0 && denied.length > 0) return { kind: 'answer', response: { responses: denied } };
  const unchanged = denied.length === 0 && (version < sessionVersion || request.sessionEpoch === finalEpoch);
  const { revision } = access.session;
  return {
    kind: 'forward',
    ...(unchanged
      ? {}
      : { request: { ...request, topics: allowed, sessionEpoch: finalEpoch, forgottenTopicsData: [] } }),
    onResponse: (response) => deliver(exchange, response, denied, revision),
    // What is denied has to be added to the answer, and a policy that changed meanwhile to be held against it, and what is
    // recorded to be kept: whole.
    ...(denied.length > 0 || access.recorder !== null
      ? {}
      : { streams: (payloadBytes) => (access.session.revision === revision ? scanOf(exchange, payloadBytes) : null) }),
  };
}

function deliver(
  exchange: Exchange<'Fetch'>,
  response: FetchResponse,
  denied: readonly FetchResponseFetchableTopicResponse[],
  revision: string,
): boolean {
  const { access, cluster, version } = exchange;
  let changed = denied.length > 0;
  const policyChanged = access.session.revision !== revision;
  for (const topic of response.responses) {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.topic;
    for (const partition of topic.partitions) {
      // A long poll may outlive the grant it began under: what was taken away meanwhile is not delivered.
      if (policyChanged && (name === undefined || !access.may('read', 'topic', name, partition.partitionIndex))) {
        Object.assign(partition, refusedPartition(partition.partitionIndex, errorCodes.TOPIC_AUTHORIZATION_FAILED));
        changed = true;
      } else if (name !== undefined) {
        account(exchange, name, partition);
        record(exchange, name, topic.topicId, partition);
      }
    }
  }
  response.responses.push(...denied);
  if (response.nodeEndpoints.length > 0) {
    cluster.learnBrokers(response.nodeEndpoints);
    response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, exchange.addresses);
    changed = true;
  }
  return changed;
}

/** Counts what passes; brokers' addresses are blanked by the scan. */
function scanOf({ version, access, cluster }: Exchange<'Fetch'>, payloadBytes: number): ResponseScan {
  let topic: string | undefined;
  const scan = new FetchScan(payloadBytes, version, {
    topic(name, topicId) {
      topic = version >= topicIdVersion ? cluster.topicName(topicId) : name;
    },
    partition() {},
    records(partition, firstOffset, lastOffset, records, bytes) {
      if (topic !== undefined)
        access.session.account({ action: 'read', topic, partition, firstOffset, lastOffset, records, bytes });
    },
    brokers: (brokers) => cluster.learnBrokers(brokers),
    end() {},
  });
  return {
    push: (bytes) => scan.push(bytes),
    end() {
      if (!scan.ended) throw new ProtocolError('truncated', payloadBytes, 'The answer to a fetch ends too soon');
    },
    cut: () => scan.cut(),
  };
}

function account(exchange: Exchange<'Fetch'>, topic: string, partition: FetchResponsePartitionData): void {
  if (partition.records === null || partition.records.length === 0) return;
  let first = -1n;
  let last = -1n;
  let records = 0;
  for (const batch of batches(partition.records)) {
    if (first < 0n) first = batch.baseOffset;
    last = batch.baseOffset + BigInt(batch.lastOffsetDelta);
    if (!isControl(batch.attributes)) records += batch.recordsCount;
  }
  if (first < 0n) return;
  exchange.access.session.account({
    action: 'read',
    topic,
    partition: partition.partitionIndex,
    firstOffset: first,
    lastOffset: last,
    records,
    bytes: partition.records.length,
  });
}

/** After masking: what the client gets. */
function record(
  { request, version, access }: Exchange<'Fetch'>,
  name: string,
  topicId: string,
  { partitionIndex: partition, records, abortedTransactions: aborted }: FetchResponsePartitionData,
): void {
  if (access.recorder === null || records === null) return;
  const asked = request.topics.find((topic) =>
    version >= topicIdVersion ? topic.topicId === topicId : topic.topic === name,
  );
  const fetchOffset = asked?.partitions.find((one) => one.partition === partition)?.fetchOffset ?? -1n;
  access.recorder.delivered({ topic: name, partition, records, fetchOffset, aborted });
}

function everyPartition(request: FetchRequest, code: number): FetchResponseFetchableTopicResponse[] {
  return request.topics.map((topic) => refusedTopic(topic, topic.partitions, code));
}

function refusedTopic(
  topic: { readonly topic: string; readonly topicId: string },
  partitions: readonly FetchRequestFetchPartition[],
  code: number,
): FetchResponseFetchableTopicResponse {
  return {
    topic: topic.topic,
    topicId: topic.topicId,
    partitions: partitions.map(({ partition }) => refusedPartition(partition, code)),
  };
}

function refusedPartition(partitionIndex: number, errorCode: number): FetchResponsePartitionData {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1n,
    lastStableOffset: -1n,
    logStartOffset: -1n,
    divergingEpoch: { epoch: -1, endOffset: -1n },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1n, epoch: -1 },
    abortedTransactions: [],
    preferredReadReplica: -1,
    records: nothing,
  };
}
