/** How a member of each newer kind of group joins, and when the group has come to rest. */
import type { Draft, RequestMessages } from '../../../src/ports/kafka/protocol/protocol.ts';
import type { At } from './at.ts';

/** A member's own id, as newer clients choose it. */
export const member: string = 'AAAAAAAAAAAAAAAAAAAABQ';

export type DescribeApi = 'ConsumerGroupDescribe' | 'ShareGroupDescribe' | 'StreamsGroupDescribe';

export function joining(
  at: At,
  group: string,
  kinds: readonly string[],
): Draft<RequestMessages['ConsumerGroupHeartbeat']> {
  return {
    groupId: at.group(group),
    memberId: member,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: kinds.map((kind) => at.topic(kind)),
    topicPartitions: [],
  };
}

export function sharing(
  at: At,
  group: string,
  kinds: readonly string[],
): Draft<RequestMessages['ShareGroupHeartbeat']> {
  return {
    groupId: at.group(group),
    memberId: member,
    memberEpoch: 0,
    subscribedTopicNames: kinds.map((kind) => at.topic(kind)),
  };
}

/** Topics as `kind:suffix`, for names that nothing has. */
export function streaming(
  at: At,
  group: string,
  sources: readonly string[],
  changelogs: readonly string[] = [],
): Draft<RequestMessages['StreamsGroupHeartbeat']> {
  const name = (kind: string): string => {
    const [own = '', suffix = ''] = kind.split(':');
    return at.topic(own, suffix);
  };
  const stateChangelogTopics = changelogs.map((kind) => ({
    name: name(kind),
    partitions: 0,
    replicationFactor: 1,
    topicConfigs: [],
  }));
  return {
    groupId: at.group(group),
    memberId: member,
    memberEpoch: 0,
    endpointInformationEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    processId: 'process',
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
    clientTags: [],
    topology: {
      epoch: 1,
      subtopologies: [{ subtopologyId: '0', sourceTopics: sources.map(name), stateChangelogTopics }],
    },
  };
}

const rejoinMs = 500;

/** A group assigns some time after its members joined; one that had not heard of its topics yet, when they join again. */
export async function settled(at: At, api: DescribeApi, rejoin?: () => Promise<unknown>): Promise<void> {
  const groupIds = ['read', 'describe', 'none', 'full'].map((kind) => at.group(kind));
  let last = '';
  let sinceMs = performance.now();
  await at.side.until('groups at rest', async () => {
    const { groups } = await at.side.admin(api, api === 'ShareGroupDescribe' ? 1 : 0, { groupIds });
    const seen = JSON.stringify(groups);
    const same =
      seen === last && groups.every(({ groupState }) => groupState === 'Stable' || groupState === 'Reconciling');
    last = seen;
    if (!same && rejoin !== undefined && performance.now() - sinceMs > rejoinMs) {
      sinceMs = performance.now();
      await rejoin();
    }
    return same;
  });
}
