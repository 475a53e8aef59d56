/**
 * DescribeTopicPartitions (75, KIP-966): DESCRIBE on each topic; named and denied: 29. All topics: what may not be
 * described is left out. The answer comes in pages whose cursor names the next topic, so the gateway asks for the
 * visible topics by name: the broker's own pages would count hidden topics and name them.
 */
import {
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { authorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import type { ApiHandler, Exchange, RequestAccess, Verdict } from './handler.ts';

type TopicAnswer = DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic;

export const describeTopicPartitions: ApiHandler<'DescribeTopicPartitions'> = {
  name: 'DescribeTopicPartitions',
  versions: { min: 0, max: 0 },
  handle,
  refuse: (request, code) => ({ topics: request.topics.map(({ name }) => refusedTopic(name, code)), nextCursor: null }),
};

async function handle(exchange: Exchange<'DescribeTopicPartitions'>): Promise<Verdict<'DescribeTopicPartitions'>> {
  const { request, access, cluster } = exchange;
  if (!cursorMakesSense(request, access)) {
    const topics = request.topics.map(({ name }) => refusedTopic(name, errorCodes.INVALID_REQUEST));
    return { kind: 'answer', response: { topics, nextCursor: null } };
  }
  const refused: TopicAnswer[] = [];
  const visible = request.topics.length === 0 ? await allVisible(exchange) : namedVisible(exchange, refused);
  if (visible.length === 0) return { kind: 'answer', response: { topics: refused, nextCursor: null } };
  // A cursor at a topic that is hidden, or gone, means the first of those after it.
  const cursor = visible.some(({ name }) => name === request.cursor?.topicName) ? request.cursor : null;
  return {
    kind: 'forward',
    request: { ...request, topics: visible, cursor },
    onResponse(response) {
      for (const topic of response.topics) {
        if (topic.name === null) continue;
        topic.topicAuthorizedOperations = authorizedOperations(access, 'topic', topic.name);
        cluster.learnTopic(topic.topicId, topic.name);
      }
      response.topics.push(...refused);
      return true;
    },
  };
}

/** Among topics that are named the cursor must be at one of them. */
function cursorMakesSense({ cursor, topics }: DescribeTopicPartitionsRequest, access: RequestAccess): boolean {
  if (cursor === null) return true;
  if (topics.length > 0 && !topics.some(({ name }) => name === cursor.topicName)) return false;
  return cursor.partitionIndex >= 0 || !access.sees('describe', 'topic', cursor.topicName);
}

function namedVisible(
  { request, access }: Exchange<'DescribeTopicPartitions'>,
  refused: TopicAnswer[],
): { name: string }[] {
  const from = request.cursor?.topicName ?? '';
  return request.topics.filter(({ name }) => {
    if (name < from) return false;
    if (access.may('describe', 'topic', name)) return true;
    refused.push(refusedTopic(name, errorCodes.TOPIC_AUTHORIZATION_FAILED));
    return false;
  });
}

async function allVisible({
  request,
  access,
  cluster,
}: Exchange<'DescribeTopicPartitions'>): Promise<{ name: string }[]> {
  const from = request.cursor?.topicName ?? '';
  const topics = await cluster.allTopics();
  return topics
    .filter(({ name }) => name >= from && access.sees('describe', 'topic', name))
    .map(({ name }) => ({ name }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function refusedTopic(name: string, errorCode: number): TopicAnswer {
  return {
    errorCode,
    name,
    topicId: zeroUuid,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: operationsNotAsked,
  };
}
