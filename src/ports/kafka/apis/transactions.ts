/**
 * Transactions of producers: InitProducerId (key 22), AddPartitionsToTxn (24), AddOffsetsToTxn (25), EndTxn (26).
 * Each asks WRITE on the transactional id, else 53 for the whole. Besides:
 * - InitProducerId without a transactional id: IDEMPOTENT_WRITE on the cluster, or WRITE on any topic, else 31.
 * - AddPartitionsToTxn: WRITE on each topic by partition. One denied fails all: 29 on it, 3 on topics that do not
 *   exist, 55 on the rest, and nothing is forwarded. Only up to version 3: from version 4 on it is what brokers send each other (KIP-890).
 * - AddOffsetsToTxn: READ on the group, else 30.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
  type Draft,
  type InitProducerIdResponse,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ApiHandler, forwardUnread } from './handler.ts';

export const initProducerId: ApiHandler<'InitProducerId'> = {
  name: 'InitProducerId',
  versions: { min: 0, max: 5 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (request.transactionalId !== null) {
      if (access.may('write', 'transactional-id', request.transactionalId)) return forwardUnread;
      return { kind: 'answer', response: noProducerId(errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED) };
    }
    const permitted = access.sees('idempotent-write', 'cluster', clusterName)
      ? access.may('idempotent-write', 'cluster', clusterName)
      : access.mayAny('write', 'topic');
    if (permitted) return forwardUnread;
    return { kind: 'answer', response: noProducerId(errorCodes.CLUSTER_AUTHORIZATION_FAILED) };
  },
  refuse: (_request, code) => noProducerId(code),
};

function noProducerId(errorCode: number): Draft<InitProducerIdResponse> {
  return { errorCode, producerId: -1n, producerEpoch: -1 };
}

export const addPartitionsToTxn: ApiHandler<'AddPartitionsToTxn'> = {
  name: 'AddPartitionsToTxn',
  versions: { min: 0, max: 3 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  async handle({ request, access, cluster }) {
    if (!access.may('write', 'transactional-id', request.v3AndBelowTransactionalId)) {
      return {
        kind: 'answer',
        response: everyPartition(request, () => errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
      };
    }
    const denied = new Map<string, ReadonlySet<number>>();
    for (const { name, partitions } of request.v3AndBelowTopics) {
      const no = partitions.filter((partition) => !access.may('write', 'topic', name, partition));
      if (no.length > 0) denied.set(name, new Set([...(denied.get(name) ?? []), ...no]));
    }
    if (denied.size === 0) return forwardUnread;
    const missing = await cluster.missingTopics(
      request.v3AndBelowTopics.flatMap(({ name }) => (denied.has(name) ? [] : [name])),
    );
    return {
      kind: 'answer',
      response: everyPartition(request, (name, partition) => {
        if (denied.get(name)?.has(partition) === true) return errorCodes.TOPIC_AUTHORIZATION_FAILED;
        return missing.has(name) ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION : errorCodes.OPERATION_NOT_ATTEMPTED;
      }),
    };
  },
  refuse: (request, code) => everyPartition(request, () => code),
};

function everyPartition(
  { v3AndBelowTopics }: AddPartitionsToTxnRequest,
  codeOf: (topic: string, partition: number) => number,
): Draft<AddPartitionsToTxnResponse> {
  return {
    resultsByTopicV3AndBelow: v3AndBelowTopics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: codeOf(name, partitionIndex),
      })),
    })),
  };
}

export const addOffsetsToTxn: ApiHandler<'AddOffsetsToTxn'> = {
  name: 'AddOffsetsToTxn',
  versions: { min: 0, max: 4 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (!access.may('write', 'transactional-id', request.transactionalId)) {
      return { kind: 'answer', response: { errorCode: errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED } };
    }
    if (!access.may('read', 'group', request.groupId)) {
      return { kind: 'answer', response: { errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED } };
    }
    return forwardUnread;
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};

export const endTxn: ApiHandler<'EndTxn'> = {
  name: 'EndTxn',
  versions: { min: 0, max: 5 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    if (access.may('write', 'transactional-id', request.transactionalId)) return forwardUnread;
    return { kind: 'answer', response: { errorCode: errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED } };
  },
  refuse: (_request, errorCode) => ({ errorCode }),
};
