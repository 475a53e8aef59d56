/**
 * Metadata (key 3). Names topics by name or id: DESCRIBE on each; auto-creation asks CREATE on the topic or the
 * cluster. Named and denied: error 29, without an id. By id and denied: 29, without a name. All topics: what may not
 * be described is left out. Broker addresses become the gateway's.
 */
import { clusterName } from '../../../model/operation.ts';
import {
  type MetadataRequest,
  type MetadataRequestMetadataRequestTopic,
  type MetadataResponse,
  type MetadataResponseMetadataResponseTopic,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { authorizedOperations, clusterAuthorizedOperations, operationsNotAsked } from './authorized-operations.ts';
import { brokersCreateTopics } from './auto-creation.ts';
import { rewriteBrokers } from './broker-addresses.ts';
import type { ApiHandler, Exchange, RequestAccess, Verdict } from './handler.ts';

/** From here on a request says itself whether topics may be created by asking for them; before, it always did. */
const explicitAutoCreationVersion = 4;

export const metadata: ApiHandler<'Metadata'> = {
  name: 'Metadata',
  versions: { min: 0, max: 13 },
  handle,
  refuse: (request, code) => ({
    topics: (request.topics ?? []).map(({ name, topicId }) => refusedTopic(name, topicId, code)),
  }),
};

async function handle(exchange: Exchange<'Metadata'>): Promise<Verdict<'Metadata'>> {
  const { request, version } = exchange;
  // Version 0 has no null: an empty list asks for all topics there, and for none from version 1 on.
  const all = request.topics === null || (version === 0 && request.topics.length === 0);
  const refused: MetadataResponseMetadataResponseTopic[] = [];
  const topics = all ? null : await permittedTopics(exchange, request.topics ?? [], refused);
  const creation = topics === null ? noCreation : await creationOf(exchange, topics, refused);
  const upstream: MetadataRequest = {
    ...request,
    topics:
      topics?.filter((topic) => !refused.some((other) => other.name !== null && other.name === topic.name)) ?? null,
    allowAutoTopicCreation: creation.allowed,
  };
  return {
    kind: 'forward',
    request: upstream,
    ...(version < explicitAutoCreationVersion ? { upstreamVersion: explicitAutoCreationVersion } : {}),
    onResponse: (response) => rewrite(exchange, response, refused, creation.forbidden),
  };
}

async function permittedTopics(
  exchange: Exchange<'Metadata'>,
  asked: readonly MetadataRequestMetadataRequestTopic[],
  refused: MetadataResponseMetadataResponseTopic[],
): Promise<MetadataRequestMetadataRequestTopic[]> {
  const { access, cluster } = exchange;
  const unresolved = await cluster.resolveTopics(
    asked.flatMap(({ name, topicId }) => (name === null ? [topicId] : [])),
  );
  return asked.filter((topic) => {
    if (topic.name === null && unresolved.has(topic.topicId)) {
      access.unknownTopic(topic.topicId);
      refused.push(refusedTopic(null, topic.topicId, errorCodes.UNKNOWN_TOPIC_ID));
      return false;
    }
    const name = topic.name ?? cluster.topicName(topic.topicId) ?? '';
    if (access.may('describe', 'topic', name)) return true;
    refused.push(
      refusedTopic(topic.name, topic.name === null ? topic.topicId : zeroUuid, errorCodes.TOPIC_AUTHORIZATION_FAILED),
    );
    return false;
  });
}

interface Creation {
  /** Whether the broker may create what is missing. */
  readonly allowed: boolean;
  /** Topics that are answered with 29 where they are missing: to ask for them would create them. */
  readonly forbidden: ReadonlySet<string>;
}

const noCreation: Creation = { allowed: false, forbidden: new Set() };

/**
 * The request has one flag for all its topics, so where only some may be created the others are looked up first: a
 * missing one is refused here, as the broker would refuse it.
 */
async function creationOf(
  exchange: Exchange<'Metadata'>,
  topics: readonly MetadataRequestMetadataRequestTopic[],
  refused: MetadataResponseMetadataResponseTopic[],
): Promise<Creation> {
  const { request, version, access, cluster } = exchange;
  const asked = version < explicitAutoCreationVersion || request.allowAutoTopicCreation;
  if (!asked || topics.length === 0) return noCreation;
  if (access.sees('create', 'cluster', clusterName)) return { allowed: true, forbidden: noCreation.forbidden };
  const names = topics.flatMap(({ name }) => (name === null ? [] : [name]));
  const forbidden = new Set(names.filter((name) => !access.sees('create', 'topic', name)));
  if (forbidden.size === 0) return { allowed: true, forbidden };
  if (forbidden.size === new Set(names).size) return { allowed: false, forbidden };
  const missing = await cluster.missingTopics([...forbidden]);
  if (missing.size > 0 && !(await brokersCreateTopics(cluster))) return noCreation;
  for (const name of missing) refused.push(notCreated(name, access));
  return { allowed: true, forbidden: noCreation.forbidden };
}

function notCreated(name: string, access: RequestAccess): MetadataResponseMetadataResponseTopic {
  access.may('create', 'topic', name);
  return refusedTopic(name, zeroUuid, errorCodes.TOPIC_AUTHORIZATION_FAILED);
}

async function rewrite(
  exchange: Exchange<'Metadata'>,
  response: MetadataResponse,
  refused: readonly MetadataResponseMetadataResponseTopic[],
  forbidden: ReadonlySet<string>,
): Promise<boolean> {
  const { access, cluster, request } = exchange;
  cluster.learnBrokers(response.brokers);
  response.brokers = rewriteBrokers(response.brokers, exchange.addresses);
  const named = request.topics !== null;
  response.topics = response.topics.filter(({ name, topicId }) => {
    if (name === null) return named;
    cluster.learnTopic(topicId, name);
    return access.sees('describe', 'topic', name);
  });
  for (const topic of response.topics) {
    topic.topicAuthorizedOperations =
      request.includeTopicAuthorizedOperations && topic.name !== null
        ? authorizedOperations(access, 'topic', topic.name)
        : operationsNotAsked;
  }
  response.clusterAuthorizedOperations = request.includeClusterAuthorizedOperations
    ? clusterAuthorizedOperations(access)
    : operationsNotAsked;
  await refuseCreation(exchange, response, forbidden);
  response.topics.push(...refused);
  return true;
}

async function refuseCreation(
  { access, cluster }: Exchange<'Metadata'>,
  response: MetadataResponse,
  forbidden: ReadonlySet<string>,
): Promise<void> {
  const isRefused = ({ name, errorCode }: MetadataResponseMetadataResponseTopic): boolean =>
    name !== null && errorCode === errorCodes.UNKNOWN_TOPIC_OR_PARTITION && forbidden.has(name);
  if (!response.topics.some(isRefused) || !(await brokersCreateTopics(cluster))) return;
  response.topics = response.topics.map((topic) =>
    topic.name !== null && isRefused(topic) ? notCreated(topic.name, access) : topic,
  );
}

function refusedTopic(name: string | null, topicId: string, errorCode: number): MetadataResponseMetadataResponseTopic {
  return { errorCode, name, topicId, isInternal: false, partitions: [], topicAuthorizedOperations: operationsNotAsked };
}
