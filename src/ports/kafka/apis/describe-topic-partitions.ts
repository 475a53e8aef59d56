/**
 * DescribeTopicPartitions (75, KIP-966): DESCRIBE on each topic; named and denied: 29. All topics: what may not be
 * described is left out. The answer comes in pages whose cursor names the next topic, so the gateway asks for the
 * visible topics by name: the broker's own pages would count hidden topics and name them.
 */
import { type DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic, errorCodes, zeroUuid } from '../protocol/protocol.ts';
import { authorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import type { ApiHandler, Exchange, Verdict } from './handler.ts';

export const describeTopicPartitions: ApiHandler<'DescribeTopicPartitions'> = {
  name: 'DescribeTopicPartitions',
  versions: { min: 0, max: 0 },
  handle,
  refuse: (request, code) => ({ topics: request.topics.map(({ name }) => refusedTopic(name, code)), nextCursor: null }),
};

async function handle(exchange: Exchange<'DescribeTopicPartitions'>): Promise<Verdict<'DescribeTopicPartitions'>> {
  const { request, access, cluster } = exchange;
  const refused: DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic[] = [];
  const visible = request.topics.filter(({ name }) => {
    if (access.may('describe', 'topic', name)) return true;
    refused.push(refusedTopic(name, errorCodes.TOPIC_AUTHORIZATION_FAILED));
    return false;
  });
  if (request.topics.length === 0) {
    const from = request.cursor?.topicName ?? '';
    for (const { name } of await cluster.allTopics()) if (name >= from && access.sees('describe', 'topic', name)) visible.push({ name });
    visible.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  if (visible.length === 0) return { kind: 'answer', response: { topics: refused, nextCursor: null } };
  return {
    kind: 'forward',
    request: { ...request, topics: visible },
    onResponse(response) {
      for (const topic of response.topics) {
        topic.topicAuthorizedOperations = topic.name === null ? operationsNotAsked : authorizedOperations(access, 'topic', topic.name);
        if (topic.name !== null) cluster.learnTopic(topic.topicId, topic.name);
      }
      response.topics.push(...refused);
      return true;
    },
  };
}

function refusedTopic(name: string, errorCode: number): DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic {
  return { errorCode, name, topicId: zeroUuid, isInternal: false, partitions: [], topicAuthorizedOperations: operationsNotAsked };
}
