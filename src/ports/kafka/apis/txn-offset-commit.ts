/**
 * TxnOffsetCommit (key 28): offsets that become committed with a transaction. WRITE on the transactional id, else 53
 * on every partition; READ on the group, else 30 on every partition; READ on each topic by partition, else 29 on it
 * while the others go on.
 */
import {
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitRequestTxnOffsetCommitRequestTopic,
  type TxnOffsetCommitResponseTxnOffsetCommitResponseTopic,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

type Topic = TxnOffsetCommitRequestTxnOffsetCommitRequestTopic;
type TopicAnswer = TxnOffsetCommitResponseTxnOffsetCommitResponseTopic;

export const txnOffsetCommit: ApiHandler<'TxnOffsetCommit'> = {
  name: 'TxnOffsetCommit',
  versions: { min: 0, max: 5 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    const wholeCode = refusalOfWhole(request, access);
    if (wholeCode !== null) return { kind: 'answer', response: { topics: refusedTopics(request.topics, wholeCode) } };
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ name }) => name,
      ({ partitionIndex }) => partitionIndex,
      (topic, partition) => access.may('read', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const refused = refusedTopics(denied, errorCodes.TOPIC_AUTHORIZATION_FAILED);
    if (allowed.length === 0) return { kind: 'answer', response: { topics: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: allowed },
      onResponse(response) {
        response.topics.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ topics: refusedTopics(request.topics, code) }),
};

function refusalOfWhole({ transactionalId, groupId }: TxnOffsetCommitRequest, access: RequestAccess): number | null {
  if (!access.may('write', 'transactional-id', transactionalId))
    return errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  if (!access.may('read', 'group', groupId)) return errorCodes.GROUP_AUTHORIZATION_FAILED;
  return null;
}

function refusedTopics(topics: readonly Topic[], errorCode: number): TopicAnswer[] {
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
}
