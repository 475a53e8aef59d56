/** Consumer groups whose coordinator assigns (KIP-848), share groups (KIP-932) and streams groups (KIP-1071). */
import { type At, unknownTopicId } from '../at.ts';
import { type AnyRow, type Case, row } from '../row.ts';

/** A member's own id, as newer clients choose it. */
const member = 'AAAAAAAAAAAAAAAAAAAABQ';
const groupKinds = ['read', 'describe', 'delete', 'full', 'barred', 'blind', 'none'];

export const newerGroupRows: readonly AnyRow[] = [
  row('ConsumerGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups'],
    prepare: async (at) => at.side.createTopics(['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)), 1),
    cases: [
      { name: 'allowed', request: (at) => joining(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => joining(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => joining(at, 'read', ['none']) },
      { name: 'denied: topic whose DESCRIBE is denied', request: (at) => joining(at, 'read', ['blind']) },
      { name: 'partly allowed: one denied topic', request: (at) => joining(at, 'read', ['read', 'none']) },
      { name: 'denied: group and topic', request: (at) => joining(at, 'none', ['none']) },
      { name: 'nonexistent: topics', request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: [at.topic('read', '-not')] }) },
      { name: 'nonexistent: denied topic', request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: [at.topic('none', '-not')] }) },
      { name: 'nonexistent: member', request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4 }) },
      { name: 'allowed: heartbeat of a member', prepare: consumer, request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 1 }) },
      { name: 'allowed: leave', prepare: consumer, request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: -1 }) },
      { name: 'denied: later subscription', prepare: consumer, request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 1, subscribedTopicNames: [at.topic('none')] }) },
      { name: 'denied: heartbeat', prepare: async (at) => void (await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'none', ['none']))), request: (at) => ({ groupId: at.group('none'), memberId: member, memberEpoch: 1 }) },
      { name: 'expression', from: 1, request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: null, subscribedTopicRegex: `(read|none)-${at.token}.*` }) },
      { name: 'expression: nothing visible', from: 1, request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: null, subscribedTopicRegex: `none-${at.token}.*` }) },
      { name: 'expression: malformed', from: 1, request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: null, subscribedTopicRegex: '(' }) },
      { name: 'expression: group denied', from: 1, request: (at) => ({ ...joining(at, 'none', []), subscribedTopicNames: null, subscribedTopicRegex: '.*' }) },
    ],
  }),
  row('ConsumerGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(['read', 'none'].map((kind) => at.topic(kind)), 1);
      for (const kind of ['read', 'describe', 'none']) await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, kind, ['read']));
      await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'full', ['read', 'none']));
      await settled(at, 'ConsumerGroupDescribe');
    },
    cases: describing(),
  }),
  row('ShareGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups'],
    prepare: async (at) => at.side.createTopics(['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)), 1),
    cases: [
      { name: 'allowed', request: (at) => sharing(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => sharing(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => sharing(at, 'read', ['none']) },
      { name: 'denied: topic whose DESCRIBE is denied', request: (at) => sharing(at, 'read', ['blind']) },
      { name: 'partly allowed: one denied topic', request: (at) => sharing(at, 'read', ['read', 'none']) },
      { name: 'nonexistent: topics', request: (at) => ({ ...sharing(at, 'read', []), subscribedTopicNames: [at.topic('read', '-not'), at.topic('none', '-not')] }) },
      { name: 'nonexistent: member', request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4 }) },
      { name: 'nonexistent: denied', request: (at) => ({ groupId: at.group('none'), memberId: member, memberEpoch: 4 }) },
    ],
  }),
  row('ShareGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(['read', 'none'].map((kind) => at.topic(kind)), 1);
      for (const kind of ['read', 'describe', 'none']) await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, kind, ['read']));
      await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, 'full', ['read', 'none']));
      await settled(at, 'ShareGroupDescribe');
    },
    cases: describing(),
  }),
  row('StreamsGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups', 'topics'],
    prepare: async (at) => at.side.createTopics(['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)), 1),
    cases: [
      { name: 'allowed', request: (at) => streaming(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => streaming(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => streaming(at, 'read', ['none']) },
      { name: 'partly allowed: one denied topic', request: (at) => streaming(at, 'read', ['read', 'none', 'blind']) },
      { name: 'nonexistent: source topic', request: (at) => streaming(at, 'read', ['read:-not']) },
      { name: 'allowed: internal topics created', request: (at) => streaming(at, 'read', ['read'], ['make']) },
      { name: 'allowed: internal topics created, as oscar', as: 'oscar', request: (at) => streaming(at, 'none', ['none'], ['none:-log']) },
      { name: 'denied: internal topics not created', request: (at) => streaming(at, 'read', ['read'], ['describe:-log']) },
      { name: 'denied: internal topics not describable', request: (at) => streaming(at, 'read', ['read'], ['none:-log']) },
      { name: 'nonexistent: member', request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4, endpointInformationEpoch: 0 }) },
    ],
  }),
  row('StreamsGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(['read', 'none'].map((kind) => at.topic(kind)), 1);
      for (const kind of ['read', 'describe', 'none']) await at.side.admin('StreamsGroupHeartbeat', 0, streaming(at, kind, ['read']));
      await at.side.admin('StreamsGroupHeartbeat', 0, streaming(at, 'full', ['read', 'none']));
      await settled(at, 'StreamsGroupDescribe');
    },
    cases: describing(),
  }),
  row('ShareFetch', {
    names: 'fresh',
    prepare: share,
    cases: [
      { name: 'allowed', request: (at) => fetching(at, 'read', ['read']) },
      { name: 'denied: group', request: (at) => fetching(at, 'describe', ['read']) },
      { name: 'denied: topics', request: (at) => fetching(at, 'read', ['none', 'describe']) },
      { name: 'partly allowed', request: (at) => fetching(at, 'read', ['read', 'none']) },
      { name: 'unknown id', request: (at) => ({ ...fetching(at, 'read', ['read']), topics: [{ topicId: unknownTopicId, partitions: [{ partitionIndex: 0 }] }] }) },
      { name: 'unknown session', request: (at) => ({ ...fetching(at, 'read', ['read']), shareSessionEpoch: 5 }) },
      { name: 'nothing', request: (at) => fetching(at, 'read', []) },
      { name: 'invalid: no member', request: (at) => ({ ...fetching(at, 'read', ['read']), memberId: null }) },
      { name: 'denied: no member', request: (at) => ({ ...fetching(at, 'none', ['read']), memberId: null }) },
    ],
  }),
  row('ShareAcknowledge', {
    names: 'fresh',
    prepare: share,
    cases: [
      { name: 'unknown session', request: (at) => acknowledging(at, 'read', ['read']) },
      { name: 'unknown session: topics denied', request: (at) => acknowledging(at, 'read', ['none']) },
      { name: 'denied: group', request: (at) => acknowledging(at, 'describe', ['read']) },
      { name: 'invalid: no member', request: (at) => ({ ...acknowledging(at, 'read', ['read']), memberId: null }) },
    ],
  }),
  row('DescribeShareGroupOffsets', {
    names: 'fresh',
    prepare: shareOffsets,
    cases: [
      { name: 'allowed', request: (at) => ({ groups: [offsetsOf(at, 'read', ['read'])] }) },
      { name: 'denied: group', request: (at) => ({ groups: [offsetsOf(at, 'none', ['read'])] }) },
      { name: 'denied: topics', request: (at) => ({ groups: [offsetsOf(at, 'read', ['none'])] }) },
      { name: 'partly allowed: topics', request: (at) => ({ groups: [offsetsOf(at, 'read', ['read', 'none'])] }) },
      { name: 'partly allowed: groups', request: (at) => ({ groups: [offsetsOf(at, 'read', ['read']), offsetsOf(at, 'none', ['read']), offsetsOf(at, 'describe', ['none'])] }) },
      { name: 'all', request: (at) => ({ groups: [{ groupId: at.group('read'), topics: null }, { groupId: at.group('none'), topics: null }] }) },
      { name: 'nonexistent: group', request: (at) => ({ groups: [{ groupId: at.group('read', '-not'), topics: null }, { groupId: at.group('none', '-not'), topics: null }] }) },
      { name: 'nonexistent: topics', request: (at) => ({ groups: [{ groupId: at.group('read'), topics: [{ topicName: at.topic('read', '-not'), partitions: [0] }, { topicName: at.topic('none', '-not'), partitions: [0] }] }] }) },
    ],
  }),
  row('AlterShareGroupOffsets', {
    names: 'fresh',
    prepare: shareOffsets,
    cases: [
      { name: 'allowed', request: (at) => altering(at, 'read', ['read']) },
      { name: 'denied: group', request: (at) => altering(at, 'describe', ['read']) },
      { name: 'denied: topics', request: (at) => altering(at, 'read', ['none', 'describe']) },
      { name: 'partly allowed', request: (at) => altering(at, 'read', ['read', 'none', 'describe']) },
      { name: 'nonexistent: group', request: (at) => ({ ...altering(at, 'read', ['read', 'none']), groupId: at.group('full', '-not') }) },
      { name: 'nonexistent: topics', request: (at) => ({ groupId: at.group('read'), topics: ['read', 'none'].map((kind) => ({ topicName: at.topic(kind, '-not'), partitions: [{ partitionIndex: 0, startOffset: 1n }] })) }) },
    ],
  }),
  row('DeleteShareGroupOffsets', {
    names: 'fresh',
    prepare: shareOffsets,
    cases: [
      { name: 'allowed', request: (at) => ({ groupId: at.group('full'), topics: [{ topicName: at.topic('read') }] }) },
      { name: 'denied: group', request: (at) => ({ groupId: at.group('read'), topics: [{ topicName: at.topic('read') }] }) },
      { name: 'denied: topics', request: (at) => ({ groupId: at.group('full'), topics: [{ topicName: at.topic('none') }] }) },
      { name: 'partly allowed', request: (at) => ({ groupId: at.group('full'), topics: ['read', 'none', 'describe'].map((kind) => ({ topicName: at.topic(kind) })) }) },
      { name: 'nonexistent: group', request: (at) => ({ groupId: at.group('delete', '-not'), topics: ['read', 'none'].map((kind) => ({ topicName: at.topic(kind) })) }) },
      { name: 'nonexistent: topics', request: (at) => ({ groupId: at.group('full'), topics: ['read', 'none'].map((kind) => ({ topicName: at.topic(kind, '-not') })) }) },
    ],
  }),
];

function joining(at: At, group: string, kinds: readonly string[]) {
  return {
    groupId: at.group(group),
    memberId: member,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: kinds.map((kind) => at.topic(kind)),
    topicPartitions: [],
  };
}

async function consumer(at: At): Promise<void> {
  await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'read', ['read']));
}

function sharing(at: At, group: string, kinds: readonly string[]) {
  return { groupId: at.group(group), memberId: member, memberEpoch: 0, subscribedTopicNames: kinds.map((kind) => at.topic(kind)) };
}

/** Topics as `kind:suffix`, for names that nothing has. */
function streaming(at: At, group: string, sources: readonly string[], changelogs: readonly string[] = []) {
  const name = (kind: string): string => {
    const [own = '', suffix = ''] = kind.split(':');
    return at.topic(own, suffix);
  };
  const stateChangelogTopics = changelogs.map((kind) => ({ name: name(kind), partitions: 0, replicationFactor: 1, topicConfigs: [] }));
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
    topology: { epoch: 1, subtopologies: [{ subtopologyId: '0', sourceTopics: sources.map(name), stateChangelogTopics }] },
  };
}

type DescribeApi = 'ConsumerGroupDescribe' | 'ShareGroupDescribe' | 'StreamsGroupDescribe';

/** The same for all three kinds of groups. */
function describing(): readonly Case<DescribeApi>[] {
  return [
    { name: 'allowed', request: (at) => ({ groupIds: [at.group('read'), at.group('describe')] }) },
    { name: 'denied', request: (at) => ({ groupIds: [at.group('none'), at.group('blind')] }) },
    { name: 'partly allowed: every kind', request: (at) => ({ groupIds: groupKinds.map((kind) => at.group(kind)) }) },
    { name: 'partly allowed: operations', request: (at) => ({ groupIds: groupKinds.map((kind) => at.group(kind)), includeAuthorizedOperations: true }) },
    { name: 'denied: a topic of the group', request: (at) => ({ groupIds: [at.group('full')], includeAuthorizedOperations: true }) },
    { name: 'allowed: oscar', as: 'oscar', request: (at) => ({ groupIds: [at.group('full'), at.group('none')], includeAuthorizedOperations: true }) },
    { name: 'nonexistent', request: (at) => ({ groupIds: [at.group('read', '-not'), at.group('none', '-not')], includeAuthorizedOperations: true }) },
    { name: 'invalid: of another kind', request: () => ({ groupIds: ['read-q0', 'none-q0'] }) },
  ];
}

/** A group assigns some time after its members joined. */
async function settled(at: At, api: DescribeApi): Promise<void> {
  const groupIds = ['read', 'describe', 'none', 'full'].map((kind) => at.group(kind));
  let last = '';
  await at.side.until('groups at rest', async () => {
    const { groups } = await at.side.admin(api, api === 'ShareGroupDescribe' ? 1 : 0, { groupIds });
    const seen = JSON.stringify(groups);
    const same = seen === last && groups.every(({ groupState }) => groupState === 'Stable' || groupState === 'Reconciling');
    last = seen;
    return same;
  });
}

async function share(at: At): Promise<void> {
  const names = ['read', 'describe', 'none'].map((kind) => at.topic(kind));
  await at.side.createTopics(names, 1);
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const group = { resourceType: 32, resourceName: at.group('read') };
  await at.side.admin('IncrementalAlterConfigs', 1, { resources: [{ ...group, configs }] });
  await at.side.until('a share group that begins at the start', async () => {
    const { results } = await at.side.admin('DescribeConfigs', 4, { resources: [{ ...group, configurationKeys: ['share.auto.offset.reset'] }] });
    return results[0]?.configs[0]?.value === 'earliest';
  });
  await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, 'read', ['read', 'none', 'describe']));
  for (const name of names) await at.side.produce(name, ['a', 'b']);
}

function fetching(at: At, group: string, kinds: readonly string[]) {
  return {
    groupId: at.group(group),
    memberId: member,
    shareSessionEpoch: 0,
    maxWaitMs: 2_000,
    minBytes: 1,
    maxRecords: 10,
    batchSize: 10,
    topics: kinds.map((kind) => ({ topicId: at.id(kind), partitions: [{ partitionIndex: 0 }] })),
  };
}

function acknowledging(at: At, group: string, kinds: readonly string[]) {
  const partitions = [{ partitionIndex: 0, acknowledgementBatches: [{ firstOffset: 0n, lastOffset: 0n, acknowledgeTypes: [1] }] }];
  return { groupId: at.group(group), memberId: member, shareSessionEpoch: 1, topics: kinds.map((kind) => ({ topicId: at.id(kind), partitions })) };
}

/** Share groups of every kind without members, that have read. */
async function shareOffsets(at: At): Promise<void> {
  await at.side.createTopics(['read', 'describe', 'none'].map((kind) => at.topic(kind)), 1);
  for (const kind of ['read', 'describe', 'full', 'none']) {
    await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, kind, ['read', 'none']));
    await at.side.until('a share group with offsets', async () => {
      const topics = ['read', 'none'].map((topic) => ({ topicName: at.topic(topic), partitions: [{ partitionIndex: 0, startOffset: 0n }] }));
      await at.side.admin('ShareGroupHeartbeat', 1, { groupId: at.group(kind), memberId: member, memberEpoch: -1 });
      const { errorCode, responses } = await at.side.admin('AlterShareGroupOffsets', 0, { groupId: at.group(kind), topics });
      return errorCode === 0 && responses.every(({ partitions }) => partitions.every((partition) => partition.errorCode === 0));
    });
  }
}

function offsetsOf(at: At, group: string, kinds: readonly string[]) {
  return { groupId: at.group(group), topics: kinds.map((kind) => ({ topicName: at.topic(kind), partitions: [0] })) };
}

function altering(at: At, group: string, kinds: readonly string[]) {
  return { groupId: at.group(group), topics: kinds.map((kind) => ({ topicName: at.topic(kind), partitions: [{ partitionIndex: 0, startOffset: 1n }] })) };
}
