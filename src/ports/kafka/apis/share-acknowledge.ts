/**
 * ShareAcknowledge (key 79, KIP-932). READ on the group, else 30 for the whole; READ on each topic by partition (always
 * by id), else 29 on it while the others go on; an id that no topic has, 100. The share session must be one that this
 * connection began. Leaders' addresses become the gateway's.
 *
 * Where all partitions are denied the request still goes on, without them: it counts in the session's epochs.
 */
import {
  type ShareAcknowledgeResponse,
  type ShareAcknowledgeResponsePartitionData,
  errorCodes,
} from '../protocol/protocol.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, Verdict } from './handler.ts';
import { endShareSession, shareSession } from './share-sessions.ts';
import { splitPartitions } from './split-partitions.ts';

const finalEpoch = -1;

type TopicAnswer = ShareAcknowledgeResponse['responses'][number];

export const shareAcknowledge: ApiHandler<'ShareAcknowledge'> = {
  name: 'ShareAcknowledge',
  versions: { min: 1, max: 2 },
  handle,
  refuse: (_request, errorCode) => ({ errorCode }),
};

async function handle(exchange: Exchange<'ShareAcknowledge'>): Promise<Verdict<'ShareAcknowledge'>> {
  const { request, access, cluster, connection } = exchange;
  const groupId = request.groupId ?? '';
  const { memberId } = request;
  if (!access.may('read', 'group', groupId)) return refusedWhole(errorCodes.GROUP_AUTHORIZATION_FAILED, null);
  if (memberId === null) return refusedWhole(errorCodes.INVALID_REQUEST, 'Invalid member id in the request.');
  const session = shareSession(connection, groupId, memberId);
  if (session === undefined) {
    access.refused('share-session-unknown', 'a share session that this connection did not begin');
    return refusedWhole(errorCodes.SHARE_SESSION_NOT_FOUND, null);
  }
  if (request.shareSessionEpoch === finalEpoch) endShareSession(connection, groupId, memberId);
  await cluster.resolveTopics(request.topics.map(({ topicId }) => topicId));
  const { allowed, denied } = splitPartitions(
    request.topics,
    ({ topicId }) => cluster.topicName(topicId) ?? '',
    ({ partitionIndex }) => partitionIndex,
    (topic, partition) => topic !== '' && access.may('read', 'topic', topic, partition),
  );
  const refused = denied.map(({ topicId, partitions }): TopicAnswer => {
    const known = cluster.topicName(topicId) !== undefined;
    if (!known) access.unknownTopic(topicId);
    const code = known ? errorCodes.TOPIC_AUTHORIZATION_FAILED : errorCodes.UNKNOWN_TOPIC_ID;
    return { topicId, partitions: partitions.map(({ partitionIndex }) => refusedPartition(partitionIndex, code)) };
  });
  return {
    kind: 'forward',
    ...(refused.length === 0 ? {} : { request: { ...request, topics: allowed } }),
    onResponse(response) {
      if (response.errorCode !== 0) {
        if (response.errorCode !== errorCodes.INVALID_SHARE_SESSION_EPOCH)
          endShareSession(connection, groupId, memberId, session);
        return false;
      }
      response.responses.push(...refused);
      return rewriteLeaders(exchange, response) || refused.length > 0;
    },
  };
}

function rewriteLeaders(
  { cluster, addresses }: Exchange<'ShareAcknowledge'>,
  response: ShareAcknowledgeResponse,
): boolean {
  if (response.nodeEndpoints.length === 0) return false;
  cluster.learnBrokers(response.nodeEndpoints);
  response.nodeEndpoints = rewriteBrokers(response.nodeEndpoints, addresses);
  return true;
}

function refusedWhole(errorCode: number, errorMessage: string | null): Verdict<'ShareAcknowledge'> {
  return { kind: 'answer', response: { errorCode, errorMessage } };
}

function refusedPartition(partitionIndex: number, errorCode: number): ShareAcknowledgeResponsePartitionData {
  return { partitionIndex, errorCode, errorMessage: null, currentLeader: { leaderId: 0, leaderEpoch: 0 } };
}
