/**
 * CreateTopics (19): CREATE on the cluster or the topic. DeleteRecords (21): DELETE. CreatePartitions (37): ALTER.
 * Denied topics get 29 while the others go on. A topic that a request names twice is the broker's to refuse, before
 * anybody's rights are looked at.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type CreateTopicsResponseCreatableTopicResult,
  type DeleteRecordsResponseDeleteRecordsPartitionResult,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';
import { namedTwice } from './named-twice.ts';
import { splitPartitions } from './split-partitions.ts';

/** From here on the answer to CreateTopics describes what was made. */
const describedTopicVersion = 5;
/** The controllers' own log, which no request creates: the broker says so to everybody. */
const controllerLog = '__cluster_metadata';

export const createTopics: ApiHandler<'CreateTopics'> = {
  name: 'CreateTopics',
  versions: { min: 2, max: 7 },
  handle({ request, version, access }) {
    const everywhere = access.sees('create', 'cluster', clusterName) && access.may('create', 'cluster', clusterName);
    const twice = namedTwice(request.topics.map(({ name }) => name));
    const mayCreate = (name: string): boolean =>
      twice.has(name) || name === controllerLog || access.may('create', 'topic', name);
    const denied = everywhere ? [] : request.topics.filter(({ name }) => !mayCreate(name));
    const refused = denied.map(({ name }) => refusedCreation(name, errorCodes.TOPIC_AUTHORIZATION_FAILED));
    const rest = denied.length === 0 ? request.topics : request.topics.filter((topic) => !denied.includes(topic));
    if (rest.length === 0 && refused.length > 0) return { kind: 'answer', response: { topics: refused } };
    return {
      kind: 'forward',
      ...(refused.length === 0 ? {} : { request: { ...request, topics: rest } }),
      onResponse(response) {
        let hidden = false;
        if (version >= describedTopicVersion)
          for (const topic of response.topics) hidden = hideConfigs(topic, access) || hidden;
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
    errorMessage: errorCode === errorCodes.TOPIC_AUTHORIZATION_FAILED ? 'Authorization failed.' : null,
    topicConfigErrorCode: 0,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  };
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
      partitions: partitions.map(({ partitionIndex }) =>
        keptRecords(partitionIndex, errorCodes.TOPIC_AUTHORIZATION_FAILED),
      ),
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
    const twice = namedTwice(request.topics.map(({ name }) => name));
    const denied = request.topics.filter(({ name }) => !twice.has(name) && !access.may('alter', 'topic', name));
    if (denied.length === 0) return forwardUnread;
    const refused = denied.map(({ name }) => ({
      name,
      errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
      errorMessage: null as string | null,
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
  refuse: (request, code) => ({
    results: request.topics.map(({ name }) => ({ name, errorCode: code, errorMessage: null })),
  }),
};
