/**
 * DeleteTopics (20). By name: DESCRIBE and DELETE on the topic; by id (from version 6 on): DELETE. Denied: 29, while
 * the others go on; by id without a name where the topic may not be described. A topic that may be described but not
 * deleted is told to be missing where it is. What a request names twice, or by name and id at once, is the broker's to
 * refuse before anybody's rights are looked at.
 */
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponseDeletableTopicResult,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { authorizationMessages } from './cluster-guard.ts';
import { type ApiHandler, type Exchange, type Verdict, forwardUnread } from './handler.ts';
import { namedTwice } from './named-twice.ts';

/** From here on topics are named by name or id. */
const idVersion = 6;

interface AskedTopic {
  readonly name: string | null;
  readonly topicId: string;
}

export const deleteTopics: ApiHandler<'DeleteTopics'> = {
  name: 'DeleteTopics',
  versions: { min: 1, max: 6 },
  handle,
  refuse: (request, errorCode, version) => ({
    responses: askedTopics(request, version).map((topic) => ({ ...topic, errorCode, errorMessage: null })),
  }),
};

function askedTopics(request: DeleteTopicsRequest, version: number): readonly AskedTopic[] {
  if (version < idVersion) return request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
  return request.topics.map(({ name, topicId }) => ({ name, topicId }));
}

async function handle(exchange: Exchange<'DeleteTopics'>): Promise<Verdict<'DeleteTopics'>> {
  const { request, version, cluster } = exchange;
  const asked = askedTopics(request, version);
  await cluster.resolveTopics(asked.flatMap(({ name, topicId }) => (name === null ? [topicId] : [])));
  const malformed = malformedTopics(asked);
  const missing = await missingWhereUndeletable(exchange, asked, malformed);
  const refused: DeleteTopicsResponseDeletableTopicResult[] = [];
  const rest = asked.filter((topic) => {
    if (malformed.has(topic)) return true;
    const refusal =
      topic.name === null ? refusalById(exchange, topic.topicId) : refusalByName(exchange, topic.name, missing);
    if (refusal !== null) refused.push(refusal);
    return refusal === null;
  });
  if (refused.length === 0) return forwardUnread;
  if (rest.length === 0) return { kind: 'answer', response: { responses: refused } };
  const named = { ...request, topicNames: rest.flatMap(({ name }) => (name === null ? [] : [name])) };
  return {
    kind: 'forward',
    request: version >= idVersion ? { ...request, topics: rest } : named,
    onResponse(response) {
      response.responses.push(...refused);
      return true;
    },
  };
}

function malformedTopics(asked: readonly AskedTopic[]): ReadonlySet<AskedTopic> {
  const names = namedTwice(asked.flatMap(({ name, topicId }) => (name !== null && topicId === zeroUuid ? [name] : [])));
  const ids = namedTwice(asked.flatMap(({ name, topicId }) => (name === null ? [topicId] : [])));
  return new Set(
    asked.filter(({ name, topicId }) => {
      if (name === null) return topicId === zeroUuid || ids.has(topicId);
      return topicId !== zeroUuid || names.has(name);
    }),
  );
}

/** Only of topics that the principal may describe: of others it is not told whether they are there. */
async function missingWhereUndeletable(
  { access, cluster }: Exchange<'DeleteTopics'>,
  asked: readonly AskedTopic[],
  malformed: ReadonlySet<AskedTopic>,
): Promise<ReadonlySet<string>> {
  const undeletable = asked.flatMap((topic) => {
    if (topic.name === null || malformed.has(topic)) return [];
    const told = access.sees('describe', 'topic', topic.name) && !access.sees('delete', 'topic', topic.name);
    return told ? [topic.name] : [];
  });
  return cluster.missingTopics(undeletable);
}

function refusalById(
  { access, cluster }: Exchange<'DeleteTopics'>,
  topicId: string,
): DeleteTopicsResponseDeletableTopicResult | null {
  const name = cluster.topicName(topicId);
  if (name === undefined) {
    access.unknownTopic(topicId);
    return {
      name: null,
      topicId,
      errorCode: errorCodes.UNKNOWN_TOPIC_ID,
      errorMessage: authorizationMessages.unknownTopicId,
    };
  }
  if (access.may('delete', 'topic', name)) return null;
  const shown = access.sees('describe', 'topic', name) ? name : null;
  return {
    name: shown,
    topicId,
    errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
    errorMessage: authorizationMessages.topic,
  };
}

function refusalByName(
  { access }: Exchange<'DeleteTopics'>,
  name: string,
  missing: ReadonlySet<string>,
): DeleteTopicsResponseDeletableTopicResult | null {
  const visible = access.sees('describe', 'topic', name);
  if (access.may('delete', 'topic', name) && visible) return null;
  if (missing.has(name)) {
    return {
      name,
      topicId: zeroUuid,
      errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      errorMessage: authorizationMessages.unknownTopic,
    };
  }
  return {
    name,
    topicId: zeroUuid,
    errorCode: errorCodes.TOPIC_AUTHORIZATION_FAILED,
    errorMessage: authorizationMessages.topic,
  };
}
