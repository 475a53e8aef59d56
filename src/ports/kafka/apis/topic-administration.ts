/**
 * CreateTopics (19): CREATE on the cluster or the topic. DeleteTopics (20): DELETE on the cluster, else DESCRIBE and
 * DELETE on each topic (by id from version 6 on). DeleteRecords (21): DELETE. CreatePartitions (37): ALTER.
 * Denied topics get 29 while the others go on; an id whose topic may not be described keeps its name to itself.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type CreateTopicsResponseCreatableTopicResult,
  type DeleteRecordsResponseDeleteRecordsPartitionResult,
  type DeleteTopicsRequest,
  type DeleteTopicsResponseDeletableTopicResult,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { authorizationMessages } from './cluster-guard.ts';
import { type ApiHandler, type Exchange, type RequestAccess, type Verdict, forwardUnread } from './handler.ts';
import { splitPartitions } from './split-partitions.ts';

/** From here on the answer to CreateTopics describes what was made. */
const describedTopicVersion = 5;
/** From here on DeleteTopics names topics by name or id. */
const deleteByIdVersion = 6;

export const createTopics: ApiHandler<'CreateTopics'> = {
  name: 'CreateTopics',
  versions: { min: 2, max: 7 },
  handle({ request, version, access }) {
    const everywhere = access.sees('create', 'cluster', clusterName) && access.may('create', 'cluster', clusterName);
    const denied = everywhere ? [] : request.topics.filter(({ name }) => !access.may('create', 'topic', name));
    const refused = denied.map(({ name }) => refusedCreation(name, errorCodes.TOPIC_AUTHORIZATION_FAILED));
    const rest = denied.length === 0 ? request.topics : request.topics.filter((topic) => !denied.includes(topic));
    if (rest.length === 0 && refused.length > 0) return { kind: 'answer', response: { topics: refused } };
    return {
      kind: 'forward',
      ...(refused.length === 0 ? {} : { request: { ...request, topics: rest } }),
      onResponse(response) {
        let hidden = false;
        if (version >= describedTopicVersion) for (const topic of response.topics) hidden = hideConfigs(topic, access) || hidden;
        response.topics.push(...refused);
        return hidden || refused.length > 0;
      },
    };
  },
  refuse: (request, code) => ({ topics: request.topics.map(({ name }) => refusedCreation(name, code)) }),
};

/** KIP-525: whoever may not describe configurations does not see those of the topic just made. */
function hideConfigs(topic: CreateTopicsResponseCreatableTopicResult, access: RequestAccess): boolean {
  if (topic.errorCode !== 0 || access.sees('describe-configs', 'topic', topic.name)) return false;
  topic.configs = [];
  topic.numPartitions = -1;
  topic.replicationFactor = -1;
  topic.topicConfigErrorCode = errorCodes.TOPIC_AUTHORIZATION_FAILED;
  return true;
}

function refusedCreation(name: string, errorCode: number): CreateTopicsResponseCreatableTopicResult {
  return {
    name,
    topicId: zeroUuid,
    errorCode,
    errorMessage: errorCode === errorCodes.TOPIC_AUTHORIZATION_FAILED ? authorizationMessages.topic : null,
    topicConfigErrorCode: 0,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  };
}

export const deleteTopics: ApiHandler<'DeleteTopics'> = {
  name: 'DeleteTopics',
  versions: { min: 1, max: 6 },
  handle: deleteTopicsVerdict,
  refuse: (request, code, version) => ({
    responses: askedTopics(request, version).map(({ name, topicId }) => refusedDeletion(name, topicId, code)),
  }),
};

interface AskedTopic {
  readonly name: string | null;
  readonly topicId: string;
}

function askedTopics(request: DeleteTopicsRequest, version: number): readonly AskedTopic[] {
  return version >= deleteByIdVersion ? request.topics : request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
}

async function deleteTopicsVerdict(exchange: Exchange<'DeleteTopics'>): Promise<Verdict<'DeleteTopics'>> {
  const { request, version, access, cluster } = exchange;
  const asked = askedTopics(request, version);
  await cluster.resolveTopics(asked.flatMap(({ name, topicId }) => (name === null ? [topicId] : [])));
  const everywhere = access.sees('delete', 'cluster', clusterName);
  const refused: DeleteTopicsResponseDeletableTopicResult[] = [];
  const rest = asked.filter((topic) => {
    const name = topic.name ?? cluster.topicName(topic.topicId);
    if (name === undefined) {
      refused.push(refusedDeletion(null, topic.topicId, errorCodes.UNKNOWN_TOPIC_ID));
      return false;
    }
    if (everywhere) return access.may('delete', 'cluster', clusterName);
    const visible = access.sees('describe', 'topic', name);
    if (access.may('delete', 'topic', name) && visible) return true;
    const shownName = topic.name !== null || visible ? name : null;
    refused.push(refusedDeletion(shownName, topic.topicId, errorCodes.TOPIC_AUTHORIZATION_FAILED));
    return false;
  });
  if (refused.length === 0) return forwardUnread;
  if (rest.length === 0) return { kind: 'answer', response: { responses: refused } };
  return {
    kind: 'forward',
    request:
      version >= deleteByIdVersion
        ? { ...request, topics: rest }
        : { ...request, topicNames: rest.flatMap(({ name }) => (name === null ? [] : [name])) },
    onResponse(response) {
      response.responses.push(...refused);
      return true;
    },
  };
}

function refusedDeletion(name: string | null, topicId: string, errorCode: number): DeleteTopicsResponseDeletableTopicResult {
  return { name, topicId, errorCode, errorMessage: null };
}

export const deleteRecords: ApiHandler<'DeleteRecords'> = {
  name: 'DeleteRecords',
  versions: { min: 0, max: 2 },
  handle({ request, access }) {
    const { allowed, denied } = splitPartitions(
      request.topics,
      ({ name }) => name,
      ({ partitionIndex }) => partitionIndex,
      (topic, partition) => access.may('delete', 'topic', topic, partition),
    );
    if (denied.length === 0) return forwardUnread;
    const refused = denied.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => keptRecords(partitionIndex, errorCodes.TOPIC_AUTHORIZATION_FAILED)),
    }));
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
  refuse: (request, code) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => keptRecords(partitionIndex, code)),
    })),
  }),
};

function keptRecords(partitionIndex: number, errorCode: number): DeleteRecordsResponseDeleteRecordsPartitionResult {
  return { partitionIndex, errorCode, lowWatermark: -1n };
}

export const createPartitions: ApiHandler<'CreatePartitions'> = {
  name: 'CreatePartitions',
  versions: { min: 0, max: 3 },
  handle({ request, access }) {
    const denied = request.topics.filter(({ name }) => !access.may('alter', 'topic', name));
    if (denied.length === 0) return forwardUnread;
    const refused = denied.map(({ name }) => ({
      name,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: authorizationMessages.topic as string | null,
    }));
    if (denied.length === request.topics.length) return { kind: 'answer', response: { results: refused } };
    return {
      kind: 'forward',
      request: { ...request, topics: request.topics.filter((topic) => !denied.includes(topic)) },
      onResponse(response) {
        response.results.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({ results: request.topics.map(({ name }) => ({ name, errorCode: code, errorMessage: null })) }),
};
