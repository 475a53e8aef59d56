/**
 * OffsetFetch (key 9). DESCRIBE on each group, else 30 on it (version 1: on each of its partitions); DESCRIBE on each
 * topic by partition (by id from version 10 on), else 29 on it while the others go on; an id that no topic has, 100.
 * All topics (null): what may not be described is left out.
 */
import {
  type Draft,
  type OffsetFetchRequestOffsetFetchRequestGroup,
  type OffsetFetchRequestOffsetFetchRequestTopics,
  type OffsetFetchResponse,
  type OffsetFetchResponseOffsetFetchResponseGroup,
  type OffsetFetchResponseOffsetFetchResponseTopics,
  errorCodes,
  zeroUuid,
} from '../protocol/protocol.ts';
import { type ApiHandler, type Exchange, type Verdict, forwardUnread } from './handler.ts';

/** From here on a response has an error for the group as a whole; before, only partitions have one. */
const groupErrorVersion = 2;
/** From here on a request names any number of groups. */
const groupsVersion = 8;
/** From here on topics are named by id. */
const topicIdVersion = 10;

type Group = OffsetFetchRequestOffsetFetchRequestGroup;
type Topic = OffsetFetchRequestOffsetFetchRequestTopics;
type GroupAnswer = OffsetFetchResponseOffsetFetchResponseGroup;
type TopicAnswer = OffsetFetchResponseOffsetFetchResponseTopics;

/** One group of the request after every question about it was asked. */
interface GroupPlan {
  /** What the broker is asked of it; `null`: nothing. */
  readonly forward: Group | null;
  /** What the gateway answers itself: an error of the whole group, or its denied topics; `null`: nothing. */
  readonly own: GroupAnswer | null;
}

export const offsetFetch: ApiHandler<'OffsetFetch'> = {
  name: 'OffsetFetch',
  versions: { min: 1, max: 10 },
  unavailableCode: errorCodes.COORDINATOR_NOT_AVAILABLE,
  handle(exchange) {
    const { request, version, cluster } = exchange;
    if (version < topicIdVersion) return decide(exchange);
    const ids = request.groups.flatMap(({ topics }) => (topics ?? []).map(({ topicId }) => topicId));
    return cluster.resolveTopics(ids).then(() => decide(exchange));
  },
  refuse(request, code, version) {
    const groups = version < groupsVersion ? [onlyGroup(request)] : request.groups;
    return inVersion(
      groups.map((group) => refusedGroup(group, code, version)),
      version,
    );
  },
};

function decide(exchange: Exchange<'OffsetFetch'>): Verdict<'OffsetFetch'> {
  const { request, version } = exchange;
  const groups = version < groupsVersion ? [onlyGroup(request)] : request.groups;
  const plans = groups.map((group) => planOf(exchange, group));
  const forward = plans.flatMap((plan) => (plan.forward === null ? [] : [plan.forward]));
  const own = plans.flatMap((plan) => (plan.own === null ? [] : [plan.own]));
  const filtered = forward.some(({ topics }) => topics === null);
  if (own.length === 0 && !filtered) return forwardUnread;
  if (forward.length === 0) return { kind: 'answer', response: inVersion(own, version) };
  return {
    kind: 'forward',
    ...(own.length === 0 ? {} : { request: requestOf(exchange, forward) }),
    async onResponse(response) {
      if (filtered) await leaveOutHidden(exchange, response);
      merge(response, own, version);
      return true;
    },
  };
}

/** A request of before groups could be several, as the one group it names. */
function onlyGroup({ groupId, topics }: Exchange<'OffsetFetch'>['request']): Group {
  return {
    groupId,
    memberId: null,
    memberEpoch: -1,
    topics: topics?.map(({ name, partitionIndexes }) => ({ name, topicId: zeroUuid, partitionIndexes })) ?? null,
  };
}

function requestOf(
  { request, version }: Exchange<'OffsetFetch'>,
  groups: readonly Group[],
): Draft<Exchange<'OffsetFetch'>['request']> {
  if (version >= groupsVersion) return { ...request, groups };
  const topics = groups[0]?.topics ?? null;
  return { ...request, topics: topics?.map(({ name, partitionIndexes }) => ({ name, partitionIndexes })) ?? null };
}

function planOf(exchange: Exchange<'OffsetFetch'>, group: Group): GroupPlan {
  const { access, version } = exchange;
  if (!access.may('describe', 'group', group.groupId)) {
    return { forward: null, own: refusedGroup(group, errorCodes.GROUP_AUTHORIZATION_FAILED, version) };
  }
  if (group.topics === null) return { forward: group, own: null };
  const denied: TopicAnswer[] = [];
  const allowed = group.topics.flatMap((topic) => permittedPartitions(exchange, topic, denied));
  if (denied.length === 0) return { forward: group, own: null };
  return {
    forward: allowed.length === 0 ? null : { ...group, topics: allowed },
    own: { groupId: group.groupId, topics: denied, errorCode: errorCodes.NONE },
  };
}

function permittedPartitions(
  { access, cluster, version }: Exchange<'OffsetFetch'>,
  topic: Topic,
  denied: TopicAnswer[],
): Topic[] {
  const name = version >= topicIdVersion ? cluster.topicName(topic.topicId) : topic.name;
  if (name === undefined) {
    access.unknownTopic(topic.topicId);
    denied.push(refusedTopic(topic, topic.partitionIndexes, errorCodes.UNKNOWN_TOPIC_ID));
    return [];
  }
  const no: number[] = [];
  const yes = topic.partitionIndexes.filter((partition) => {
    const permitted = access.may('describe', 'topic', name, partition);
    if (!permitted) no.push(partition);
    return permitted;
  });
  if (no.length === 0) return [topic];
  denied.push(refusedTopic(topic, no, errorCodes.TOPIC_AUTHORIZATION_FAILED));
  return yes.length === 0 ? [] : [{ ...topic, partitionIndexes: yes }];
}

/** For the form that asks for all topics of a group: what the principal may not know of goes out in silence. */
async function leaveOutHidden(
  { access, cluster, version }: Exchange<'OffsetFetch'>,
  response: OffsetFetchResponse,
): Promise<void> {
  if (version < groupsVersion) {
    response.topics = response.topics.filter((topic) => {
      topic.partitions = topic.partitions.filter(({ partitionIndex }) =>
        access.sees('describe', 'topic', topic.name, partitionIndex),
      );
      return topic.partitions.length > 0;
    });
    return;
  }
  const byId = version >= topicIdVersion;
  if (byId) await cluster.resolveTopics(response.groups.flatMap(({ topics }) => topics.map(({ topicId }) => topicId)));
  for (const group of response.groups) {
    group.topics = group.topics.filter((topic) => {
      const name = byId ? cluster.topicName(topic.topicId) : topic.name;
      if (name === undefined) return false;
      topic.partitions = topic.partitions.filter(({ partitionIndex }) =>
        access.sees('describe', 'topic', name, partitionIndex),
      );
      return topic.partitions.length > 0;
    });
  }
}

function merge(response: OffsetFetchResponse, own: readonly GroupAnswer[], version: number): void {
  if (version < groupsVersion) {
    const denied = own.flatMap(({ topics }) => topics);
    if (response.errorCode === 0) response.topics.push(...denied.map(({ name, partitions }) => ({ name, partitions })));
    return;
  }
  const answered = new Map(response.groups.map((group) => [group.groupId, group]));
  for (const group of own) {
    const other = group.errorCode === 0 ? answered.get(group.groupId) : undefined;
    if (other === undefined) response.groups.push(group);
    // An error of the whole group stands alone, as brokers have it.
    else if (other.errorCode === 0) other.topics.push(...group.topics);
  }
}

function inVersion(groups: readonly GroupAnswer[], version: number): Draft<OffsetFetchResponse> {
  if (version >= groupsVersion) return { groups };
  const [group] = groups;
  return {
    topics: group?.topics.map(({ name, partitions }) => ({ name, partitions })) ?? [],
    ...(version >= groupErrorVersion ? { errorCode: group?.errorCode ?? 0 } : {}),
  };
}

function refusedGroup({ groupId, topics }: Group, code: number, version: number): GroupAnswer {
  if (version >= groupErrorVersion) return { groupId, topics: [], errorCode: code };
  return {
    groupId,
    topics: (topics ?? []).map((topic) => refusedTopic(topic, topic.partitionIndexes, code)),
    errorCode: code,
  };
}

function refusedTopic({ name, topicId }: Topic, partitions: readonly number[], errorCode: number): TopicAnswer {
  return {
    name,
    topicId,
    partitions: partitions.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1n,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode,
    })),
  };
}
