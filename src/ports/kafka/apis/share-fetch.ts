/**
 * ShareFetch (key 78, KIP-932). READ on the group, else 30 for the whole; READ on each topic by partition (always by
 * id), else 29 on it; an id that no topic has, 100. Leaders' addresses become the gateway's.
 *
 * A request names only what is new in its share session, while everything named before is still fetched: so each
 * request decides about the whole session. What may no longer be read is taken out of the broker's session and
 * answered with 29 each time, as a broker would; what may be read now is put in. Answers are held to the policy once
 * more, for a fetch may wait at the broker while its grant is taken away.
 */
import { shareSessionPartitionsMax } from '../../../lib/limits.ts';
import {
  type Draft,
  type ShareFetchResponse,
  type ShareFetchResponsePartitionData,
  batches,
  errorCodes,
  isControl,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, Verdict } from './handler.ts';
import { type Refusals, type SharePlan, noRefusals, planShareFetch } from './share-fetch-plan.ts';
import { type ShareSession, beginShareSession, endShareSession, shareSession } from './share-sessions.ts';

/** KIP-932: the request that begins a session, and the one that ends it. */
const initialEpoch = 0;
const finalEpoch = -1;
const nothing: Buffer = Buffer.alloc(0);

export const shareFetch: ApiHandler<'ShareFetch'> = {
  name: 'ShareFetch',
  versions: { min: 1, max: 2 },
  handle,
  refuse: (_request, errorCode) => ({ errorCode }),
};

async function handle(exchange: Exchange<'ShareFetch'>): Promise<Verdict<'ShareFetch'>> {
  const { request, access, connection } = exchange;
  const groupId = request.groupId ?? '';
  const { memberId, shareSessionEpoch: epoch } = request;
  if (!access.may('read', 'group', groupId)) return refusedWhole(errorCodes.GROUP_AUTHORIZATION_FAILED, null);
  if (memberId === null) return refusedWhole(errorCodes.INVALID_REQUEST, 'Invalid member id in the request.');
  let session = shareSession(connection, groupId, memberId);
  if (epoch === initialEpoch) {
    const begun = beginShareSession(connection, groupId, memberId);
    if (begun === null)
      return refusedWhole(errorCodes.SHARE_SESSION_LIMIT_REACHED, 'This connection has too many share sessions.');
    session = begun;
  }
  if (session === undefined) {
    access.refused('share-session-unknown', 'a share session that this connection did not begin');
    return refusedWhole(errorCodes.SHARE_SESSION_NOT_FOUND, null);
  }
  if (epoch === finalEpoch) endShareSession(connection, groupId, memberId);
  const plan = await planShareFetch(exchange, session, epoch === finalEpoch);
  if (session.granted.size + session.withheld.size > shareSessionPartitionsMax) {
    endShareSession(connection, groupId, memberId, session);
    return refusedWhole(
      errorCodes.INVALID_REQUEST,
      `A share session has at most ${shareSessionPartitionsMax} partitions.`,
    );
  }
  return forward(exchange, session, plan);
}

function forward(exchange: Exchange<'ShareFetch'>, session: ShareSession, plan: SharePlan): Verdict<'ShareFetch'> {
  const { request, connection } = exchange;
  return {
    kind: 'forward',
    ...(plan.changed ? { request: { ...request, topics: plan.topics, forgottenTopicsData: plan.forgotten } } : {}),
    onResponse(response) {
      if (response.errorCode !== 0) {
        // The broker has no such session: the client begins anew, and so does the gateway. At another epoch it is still there.
        if (response.errorCode !== errorCodes.INVALID_SHARE_SESSION_EPOCH)
          endShareSession(connection, request.groupId ?? '', request.memberId ?? '', session);
        return false;
      }
      const filtered = deliver(exchange, response);
      addRefusals(response, plan.refusals);
      return filtered || plan.refusals !== noRefusals;
    },
  };
}

function refusedWhole(errorCode: number, errorMessage: string | null): Verdict<'ShareFetch'> {
  return { kind: 'answer', response: { errorCode, errorMessage } satisfies Draft<ShareFetchResponse> };
}

/** @returns whether anything was changed */
function deliver(exchange: Exchange<'ShareFetch'>, response: ShareFetchResponse): boolean {
  const { access, cluster, addresses } = exchange;
  let changed = false;
  for (const { topicId, partitions } of response.responses) {
    const name = cluster.topicName(topicId);
    for (const partition of partitions) {
      const { partitionIndex } = partition;
      if (name !== undefined && access.sees('read', 'topic', name, partitionIndex)) {
        account(exchange, name, partition);
        continue;
      }
      if (name !== undefined) access.may('read', 'topic', name, partitionIndex);
      const code = name === undefined ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.TOPIC_AUTHORIZATION_FAILED;
      Object.assign(partition, {
        ...refusedPartition(partitionIndex, code),
        acknowledgeErrorCode: partition.acknowledgeErrorCode,
      });
      changed = true;
    }
  }
  if (response.nodeEndpoints.length === 0) return changed;
  cluster.learnBrokers(response.nodeEndpoints);
  response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, addresses);
  return true;
}

function addRefusals(response: ShareFetchResponse, refusals: Refusals): void {
  for (const [topicId, partitions] of refusals) {
    response.responses.push({
      topicId,
      partitions: Array.from(partitions, ([index, { code, acknowledgeCode }]) => ({
        ...refusedPartition(index, code),
        acknowledgeErrorCode: acknowledgeCode,
      })),
    });
  }
}

function refusedPartition(partitionIndex: number, errorCode: number): ShareFetchResponsePartitionData {
  return {
    partitionIndex,
    errorCode,
    errorMessage: null,
    acknowledgeErrorCode: 0,
    acknowledgeErrorMessage: null,
    currentLeader: { leaderId: 0, leaderEpoch: 0 },
    records: nothing,
    acquiredRecords: [],
  };
}

/** Enters each run of offsets on end: what other members of the group have acquired in between was not read here. */
function account(
  exchange: Exchange<'ShareFetch'>,
  topic: string,
  { partitionIndex, records, acquiredRecords: acquired }: ShareFetchResponsePartitionData,
): void {
  if (records === null || records.length === 0) return;
  exchange.access.recorder?.delivered({ topic, partition: partitionIndex, records, fetchOffset: -1n, acquired });
  const { session } = exchange.access;
  let run = { firstOffset: -1n, lastOffset: -1n, records: 0, bytes: 0 };
  const enter = (): void => {
    if (run.bytes > 0) session.account({ action: 'read', topic, partition: partitionIndex, ...run });
  };
  for (const batch of batches(records)) {
    if (batch.baseOffset !== run.lastOffset + 1n || run.bytes === 0) {
      enter();
      run = { firstOffset: batch.baseOffset, lastOffset: -1n, records: 0, bytes: 0 };
    }
    run.lastOffset = batch.baseOffset + BigInt(batch.lastOffsetDelta);
    run.bytes += batch.sizeBytes;
    if (!isControl(batch.attributes)) run.records += batch.recordsCount;
  }
  enter();
}
