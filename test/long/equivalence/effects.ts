/** Side effects: what an admin, straight at the broker, sees of a case's names after it. */
import type { At } from './at.ts';

export type Effect = 'topics' | 'records' | 'configs' | 'groups' | 'offsets' | 'transactions' | 'acls' | 'quotas';

const look: Readonly<Record<Effect, (at: At) => Promise<unknown>>> = {
  async topics(at) {
    const { topics } = await at.side.admin('Metadata', 12, {
      topics: [...at.topics].map((name) => ({ name })),
      allowAutoTopicCreation: false,
    });
    for (const { topicId, name, errorCode } of topics)
      if (errorCode === 0 && name !== null) at.side.learn(topicId, name);
    return topics.map(({ name, errorCode, partitions }) => ({ name, errorCode, partitions: partitions.length }));
  },
  async records(at) {
    const bounds = async (timestamp: bigint): Promise<unknown> => {
      const topics = [...at.topics].map((name) => ({
        name,
        partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp })),
      }));
      return (await at.side.admin('ListOffsets', 7, { replicaId: -1, topics })).topics;
    };
    return { earliest: await bounds(-2n), latest: await bounds(-1n) };
  },
  async configs(at) {
    const resources = [...at.topics].map((resourceName) => ({
      resourceType: 2,
      resourceName,
      configurationKeys: null,
    }));
    const groups = [...at.groups].map((resourceName) => ({ resourceType: 32, resourceName, configurationKeys: null }));
    const { results } = await at.side.admin('DescribeConfigs', 4, { resources: [...resources, ...groups] });
    return results.map(({ resourceName, resourceType, errorCode, configs }) => ({
      resourceName,
      resourceType,
      errorCode,
      // Sources 1 and 8: set on the topic or the group itself.
      configs: configs
        .filter(({ configSource }) => configSource === 1 || configSource === 8)
        .map(({ name, value }) => ({ name, value })),
    }));
  },
  async groups(at) {
    const { groups } = await at.side.admin('ListGroups', 5, {});
    return groups.filter(({ groupId }) => at.groups.has(groupId));
  },
  async offsets(at) {
    const groups = [...at.groups].map((groupId) => ({ groupId, memberId: null, memberEpoch: -1, topics: null }));
    return (await at.side.admin('OffsetFetch', 9, { groups })).groups;
  },
  async transactions(at) {
    return (await at.side.admin('DescribeTransactions', 0, { transactionalIds: [...at.transactions] }))
      .transactionStates;
  },
  async acls(at) {
    const { resources } = await at.side.admin('DescribeAcls', 3, {
      resourceTypeFilter: 1,
      resourceNameFilter: null,
      patternTypeFilter: 1,
      principalFilter: null,
      hostFilter: null,
      operation: 1,
      permissionType: 1,
    });
    return resources.filter(({ resourceName }) => resourceName.includes(at.token));
  },
  async quotas(at) {
    const { entries } = await at.side.admin('DescribeClientQuotas', 1, { components: [], strict: false });
    return (entries ?? []).filter(({ entity }) => entity.some(({ entityName }) => entityName?.includes(at.token)));
  },
};

export async function observe(at: At, effects: readonly Effect[]): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  for (const effect of effects) seen[effect] = await look[effect](at);
  return seen;
}
