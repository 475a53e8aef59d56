/**
 * Looking at transactions. DescribeProducers (key 61): READ on each topic by partition, else 29 on it.
 * DescribeTransactions (65): DESCRIBE on each transactional id, else 53 on it; the topics within that may not be
 * described are left out. ListTransactions (66): ids that may not be described are left out.
 */
import {
  type DescribeProducersRequestTopicRequest,
  type DescribeProducersResponseTopicResponse,
  type DescribeTransactionsResponseTransactionState,
  errorCodes,
} from '../protocol/protocol.ts';
import { authorizationMessages } from './cluster-guard.ts';
import { type ApiHandler, type RequestAccess, forwardUnread } from './handler.ts';

export const describeProducers: ApiHandler<'DescribeProducers'> = {
  name: 'DescribeProducers',
  versions: { min: 0, max: 0 },
  handle({ request, access }) {
    const refused: DescribeProducersResponseTopicResponse[] = [];
    const allowed = request.topics.flatMap((topic) => {
      const no: number[] = [];
      const yes = topic.partitionIndexes.filter((partition) => {
        const permitted = access.may('read', 'topic', topic.name, partition);
        if (!permitted) no.push(partition);
        return permitted;
      });
      if (no.length === 0) return [topic];
      refused.push(refusedProducers(topic, no, errorCodes.TOPIC_AUTHORIZATION_FAILED, authorizationMessages.topic));
      return yes.length === 0 ? [] : [{ ...topic, partitionIndexes: yes }];
    });
    if (refused.length === 0) return forwardUnread;
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
    topics: request.topics.map((topic) => refusedProducers(topic, topic.partitionIndexes, code, null)),
  }),
};

function refusedProducers(
  { name }: DescribeProducersRequestTopicRequest,
  partitions: readonly number[],
  errorCode: number,
  errorMessage: string | null,
): DescribeProducersResponseTopicResponse {
  return {
    name,
    partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode, errorMessage, activeProducers: [] })),
  };
}

export const describeTransactions: ApiHandler<'DescribeTransactions'> = {
  name: 'DescribeTransactions',
  versions: { min: 0, max: 0 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle({ request, access }) {
    const refused: DescribeTransactionsResponseTransactionState[] = [];
    const allowed = request.transactionalIds.filter((id) => {
      const permitted = access.may('describe', 'transactional-id', id);
      if (!permitted) refused.push(unknownTransaction(id, errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
      return permitted;
    });
    if (allowed.length === 0 && refused.length > 0) return { kind: 'answer', response: { transactionStates: refused } };
    return {
      kind: 'forward',
      ...(refused.length === 0 ? {} : { request: { ...request, transactionalIds: allowed } }),
      onResponse(response) {
        for (const state of response.transactionStates) leaveOutHiddenPartitions(state, access);
        response.transactionStates.push(...refused);
        return true;
      },
    };
  },
  refuse: (request, code) => ({
    transactionStates: request.transactionalIds.map((id) => unknownTransaction(id, code)),
  }),
};

function leaveOutHiddenPartitions(state: DescribeTransactionsResponseTransactionState, access: RequestAccess): void {
  state.topics = state.topics.filter((topic) => {
    topic.partitions = topic.partitions.filter((partition) => access.sees('describe', 'topic', topic.topic, partition));
    return topic.partitions.length > 0;
  });
}

function unknownTransaction(transactionalId: string, errorCode: number): DescribeTransactionsResponseTransactionState {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0n,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  };
}

export const listTransactions: ApiHandler<'ListTransactions'> = {
  name: 'ListTransactions',
  versions: { min: 0, max: 2 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle: ({ access }) => ({
    kind: 'forward',
    onResponse(response) {
      const before = response.transactionStates.length;
      response.transactionStates = response.transactionStates.filter(({ transactionalId }) =>
        access.sees('describe', 'transactional-id', transactionalId),
      );
      return response.transactionStates.length !== before;
    },
  }),
  refuse: (_request, errorCode) => ({ errorCode }),
};
