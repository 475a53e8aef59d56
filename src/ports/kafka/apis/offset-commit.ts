/**
 * OffsetCommit (key 8) and OffsetDelete (key 47). Commit: READ on the group, else 30 on every partition; READ on each
 * topic by partition (by id from version 10 on), else 29 on it while the others go on; an id that no topic has, 100.
 * Delete: DELETE on the group, else 30 for the whole; READ on each topic by partition, else 29 on it.
 */
import {
  type OffsetCommitRequest,
  type OffsetCommitRequestOffsetCommitRequestTopic,
  type OffsetCommitResponseOffsetCommitResponseTopic,
  type OffsetDeleteResponseOffsetDeleteResponseTopic,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, type Exchange, type Verdict, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

/** From here on topics are named by id. */
const topicIdVersion = 10;

export const offsetCommit: ApiHandler<'OffsetCommit'> = {
  name: 'OffsetCommit',
  versions: { min: 2, max: 10 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle(exchange) {
    const { request, version, access, cluster } = exchange;
    if (!access.may('read', 'group', request.groupId)) {
      return { kind: 'answer', response: { topics: everyTopic(request, errorCodes.GROUP_AUTHORIZATION_FAILED) } };
    }
    if (version < topicIdVersion) return commitByTopic(exchange, ({ name }) => name);
    const ids = request.topics.map(({ topicId }) => topicId);
    return cluster.resolveTopics(ids).then(() => commitByTopic(exchange, ({ topicId }) => cluster.topicName(topicId)));
  },
  refuse: (request, code) => ({ topics: everyTopic(request, code) }),
};

function commitByTopic(
  { request, access }: Exchange<'OffsetCommit'>,
  nameOf: (topic: OffsetCommitRequestOffsetCommitRequestTopic) => string | undefined,
): Verdict<'OffsetCommit'> {
  const { allowed, denied } = splitPartitions(
    request.topics,
    (topic) => nameOf(topic) ?? '',
    ({ partitionIndex }) => partitionIndex,
    (topic, partition) => topic !== '' && access.may('read', 'topic', topic, partition),
  );
  if (denied.length === 0) return forwardUnread;
  const refused = denied.map((topic) => {
    const known = nameOf(topic) !== undefined;
    if (!known) access.unknownTopic(topic.topicId);
    return refusedTopic(topic, known ? errorCodes.TOPIC_AUTHORIZATION_FAILED : errorCodes.UNKNOWN_TOPIC_ID);
  });
  if (allowed.length === 0) return { kind: 'answer', response: { topics: refused } };
  return {
    kind: 'forward',
    request: { ...request, topics: allowed },
    onResponse(response) {
      response.topics.push(...refused);
      return true;
    },
  };
}

function everyTopic(request: OffsetCommitRequest, code: number): OffsetCommitResponseOffsetCommitResponseTopic[] {
  return request.topics.map((topic) => refusedTopic(topic, code));
}

function refusedTopic(
  { name, topicId, partitions }: OffsetCommitRequestOffsetCommitRequestTopic,
  errorCode: number,
): OffsetCommitResponseOffsetCommitResponseTopic {
  return { name, topicId, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) };
}

export const offsetDelete: ApiHandler<'OffsetDelete'> = {
  name: 'OffsetDelete',
  versions: { min: 0, max: 0 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (!access.may('delete', 'group', request.groupId)) {
      return { kind: 'answer', response: { errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED } };
    }
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ name }) => name,
      ({ partitionIndex }) => partitionIndex,
      (topic, partition) => access.may('read', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const refused: OffsetDeleteResponseOffsetDeleteResponseTopic[] = denied.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      })),
    }));
    // Also where nothing is left to delete: the broker says first whether there is such a group.
    return {
      kind: 'forward',
      request: { ...request, topics: allowed },
      onResponse(response) {
        // An error of the whole request stands alone, as brokers have it.
        if (response.errorCode !== 0) return false;
        response.topics.push(...refused);
        return true;
      },
    };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};
