/** The answer to a fetch on its way to the client: held against the policy where that changed meanwhile, and accounted. */
import type { GateSession } from '../../../gate/gate.ts';
import {
  type FetchRequest,
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
import { refusedPartition } from './fetch-refusal.ts';
import { type SessionAnswer, topicIdVersion } from './fetch-session.ts';
import type { Exchange, ResponseScan } from './handler.ts';

/** What is known of the request when its answer comes. */
export interface DeliveredFetch extends Pick<Exchange<'Fetch'>, 'version' | 'access' | 'cluster' | 'addresses'> {
  /** Absent where the request was never decoded; then nothing that it asks for is recorded. */
  readonly request?: FetchRequest;
  /** What it was decided by: the session, and the policy in force. */
  readonly decidedIn: GateSession;
  readonly revision: string;
  /** What the broker was not asked for. */
  readonly refusals: readonly FetchResponseFetchableTopicResponse[];
  /** Told once. `null` where no session is begun or gone on with. */
  readonly settle: SessionAnswer | null;
}

/** False where the policy changed since the request was decided, or the client's credential was renewed with other rights. */
export function stillHolds({ access: { session }, decidedIn, revision }: DeliveredFetch): boolean {
  return session === decidedIn && session.revision === revision;
}

/** Takes the whole answer, and may change it. @returns true where it did */
export function deliver(fetch: DeliveredFetch, response: FetchResponse): boolean {
  const { access, cluster, version, refusals } = fetch;
  fetch.settle?.(response.errorCode, response.sessionId);
  let changed = false;
  const held = stillHolds(fetch);
  for (const topic of response.responses) {
    const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.topic;
    for (const partition of topic.partitions) {
      // A long poll may outlive the grant it began under: what was taken away meanwhile is not delivered.
      if (!held && (name === undefined || !access.may('read', 'topic', name, partition.partitionIndex))) {
        Object.assign(partition, refusedPartition(partition.partitionIndex, errorCodes.TOPIC_AUTHORIZATION_FAILED));
        changed = true;
      } else if (name !== undefined) {
        account(fetch, name, partition);
        record(fetch, name, topic.topicId, partition);
      }
    }
  }
  if (refusals.length > 0 && takesRefusals(response)) {
    response.responses.push(...refusals);
    changed = true;
  }
  if (response.nodeEndpoints.length > 0) {
    cluster.learnBrokers(response.nodeEndpoints);
    response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, fetch.addresses);
    changed = true;
  }
  return changed;
}

/** An error stands for all of the request; and a broker that throttles answers nothing of it (KIP-219). */
function takesRefusals({ errorCode, throttleTimeMs, responses }: FetchResponse): boolean {
  return errorCode === 0 && !(throttleTimeMs > 0 && responses.length === 0);
}

/** Counts what passes; brokers' addresses are blanked by the scan. */
export function scanOf({ version, access, cluster, settle }: DeliveredFetch, payloadBytes: number): ResponseScan {
  let topic: string | undefined;
  const scan = new FetchScan(payloadBytes, version, {
    head: (errorCode, sessionId) => settle?.(errorCode, sessionId),
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

function account({ access }: DeliveredFetch, topic: string, partition: FetchResponsePartitionData): void {
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
  access.session.account({
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
  { request, version, access }: DeliveredFetch,
  name: string,
  topicId: string,
  { partitionIndex: partition, records, abortedTransactions: aborted }: FetchResponsePartitionData,
): void {
  if (access.recorder === null || records === null) return;
  const asked = request?.topics.find((topic) =>
    version >= topicIdVersion ? topic.topicId === topicId : topic.topic === name,
  );
  const fetchOffset = asked?.partitions.find((one) => one.partition === partition)?.fetchOffset ?? -1n;
  access.recorder.delivered({ topic: name, partition, records, fetchOffset, aborted });
}
