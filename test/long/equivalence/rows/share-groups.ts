/** Share groups (KIP-932) as they read, and their offsets. */
import { type At, unknownTopicId } from '../at.ts';
import { member, sharing } from '../members.ts';
import { type AnyRow, row } from '../row.ts';

export const shareRows: readonly AnyRow[] = [
  row('ShareFetch', {
    names: 'fresh',
    prepare: share,
    cases: [
      { name: 'allowed', request: (at) => fetching(at, 'read', ['read']) },
      { name: 'denied: group', request: (at) => fetching(at, 'describe', ['read']) },
      { name: 'denied: topics', request: (at) => fetching(at, 'read', ['none', 'describe']) },
      { name: 'partly allowed', request: (at) => fetching(at, 'read', ['read', 'none']) },
      {
        name: 'unknown id',
        request: (at) => ({
          ...fetching(at, 'read', ['read']),
          topics: [{ topicId: unknownTopicId, partitions: [{ partitionIndex: 0 }] }],
        }),
      },
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
      {
        name: 'partly allowed: groups',
        request: (at) => ({
          groups: [
            offsetsOf(at, 'read', ['read']),
            offsetsOf(at, 'none', ['read']),
            offsetsOf(at, 'describe', ['none']),
          ],
        }),
      },
      {
        name: 'all',
        request: (at) => ({
          groups: [
            { groupId: at.group('read'), topics: null },
            { groupId: at.group('none'), topics: null },
          ],
        }),
      },
      {
        name: 'nonexistent: group',
        request: (at) => ({
          groups: [
            { groupId: at.group('read', '-not'), topics: null },
            { groupId: at.group('none', '-not'), topics: null },
          ],
        }),
      },
      {
        name: 'nonexistent: topics',
        request: (at) => ({
          groups: [
            {
              groupId: at.group('read'),
              topics: [
                { topicName: at.topic('read', '-not'), partitions: [0] },
                { topicName: at.topic('none', '-not'), partitions: [0] },
              ],
            },
          ],
        }),
      },
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
      {
        name: 'nonexistent: group',
        request: (at) => ({ ...altering(at, 'read', ['read', 'none']), groupId: at.group('full', '-not') }),
      },
      {
        name: 'nonexistent: topics',
        request: (at) => ({
          groupId: at.group('read'),
          topics: ['read', 'none'].map((kind) => ({
            topicName: at.topic(kind, '-not'),
            partitions: [{ partitionIndex: 0, startOffset: 1n }],
          })),
        }),
      },
    ],
  }),
  row('DeleteShareGroupOffsets', {
    names: 'fresh',
    prepare: shareOffsets,
    cases: [
      { name: 'allowed', request: (at) => ({ groupId: at.group('full'), topics: [{ topicName: at.topic('read') }] }) },
      {
        name: 'denied: group',
        request: (at) => ({ groupId: at.group('read'), topics: [{ topicName: at.topic('read') }] }),
      },
      {
        name: 'denied: topics',
        request: (at) => ({ groupId: at.group('full'), topics: [{ topicName: at.topic('none') }] }),
      },
      {
        name: 'partly allowed',
        request: (at) => ({
          groupId: at.group('full'),
          topics: ['read', 'none', 'describe'].map((kind) => ({ topicName: at.topic(kind) })),
        }),
      },
      {
        name: 'nonexistent: group',
        request: (at) => ({
          groupId: at.group('delete', '-not'),
          topics: ['read', 'none'].map((kind) => ({ topicName: at.topic(kind) })),
        }),
      },
      {
        name: 'nonexistent: topics',
        request: (at) => ({
          groupId: at.group('full'),
          topics: ['read', 'none'].map((kind) => ({ topicName: at.topic(kind, '-not') })),
        }),
      },
    ],
  }),
];

async function share(at: At): Promise<void> {
  const names = ['read', 'describe', 'none'].map((kind) => at.topic(kind));
  await at.side.createTopics(names, 1);
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  const group = { resourceType: 32, resourceName: at.group('read') };
  await at.side.admin('IncrementalAlterConfigs', 1, { resources: [{ ...group, configs }] });
  await at.side.until('a share group that begins at the start', async () => {
    const { results } = await at.side.admin('DescribeConfigs', 4, {
      resources: [{ ...group, configurationKeys: ['share.auto.offset.reset'] }],
    });
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
  const partitions = [
    { partitionIndex: 0, acknowledgementBatches: [{ firstOffset: 0n, lastOffset: 0n, acknowledgeTypes: [1] }] },
  ];
  return {
    groupId: at.group(group),
    memberId: member,
    shareSessionEpoch: 1,
    topics: kinds.map((kind) => ({ topicId: at.id(kind), partitions })),
  };
}

/** Share groups of every kind without members, that have read. */
async function shareOffsets(at: At): Promise<void> {
  await at.side.createTopics(
    ['read', 'describe', 'none'].map((kind) => at.topic(kind)),
    1,
  );
  for (const kind of ['read', 'describe', 'full', 'none']) {
    await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, kind, ['read', 'none']));
    await at.side.until('a share group with offsets', async () => {
      const topics = ['read', 'none'].map((topic) => ({
        topicName: at.topic(topic),
        partitions: [{ partitionIndex: 0, startOffset: 0n }],
      }));
      await at.side.admin('ShareGroupHeartbeat', 1, { groupId: at.group(kind), memberId: member, memberEpoch: -1 });
      const { errorCode, responses } = await at.side.admin('AlterShareGroupOffsets', 0, {
        groupId: at.group(kind),
        topics,
      });
      return (
        errorCode === 0 &&
        responses.every(({ partitions }) => partitions.every((partition) => partition.errorCode === 0))
      );
    });
  }
}

function offsetsOf(at: At, group: string, kinds: readonly string[]) {
  return { groupId: at.group(group), topics: kinds.map((kind) => ({ topicName: at.topic(kind), partitions: [0] })) };
}

function altering(at: At, group: string, kinds: readonly string[]) {
  return {
    groupId: at.group(group),
    topics: kinds.map((kind) => ({ topicName: at.topic(kind), partitions: [{ partitionIndex: 0, startOffset: 1n }] })),
  };
}
