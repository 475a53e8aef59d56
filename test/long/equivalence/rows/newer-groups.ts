/** Consumer groups whose coordinator assigns (KIP-848), share groups (KIP-932) and streams groups (KIP-1071). */
import type { At } from '../at.ts';
import { type DescribeApi, joining, member, settled, sharing, streaming } from '../members.ts';
import { type AnyRow, type Case, row } from '../row.ts';

const groupKinds = ['read', 'describe', 'delete', 'full', 'barred', 'blind', 'none'];

export const newerGroupRows: readonly AnyRow[] = [
  row('ConsumerGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups'],
    prepare: async (at) =>
      at.side.createTopics(
        ['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)),
        1,
      ),
    cases: [
      { name: 'allowed', request: (at) => joining(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => joining(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => joining(at, 'read', ['none']) },
      { name: 'denied: topic whose DESCRIBE is denied', request: (at) => joining(at, 'read', ['blind']) },
      { name: 'partly allowed: one denied topic', request: (at) => joining(at, 'read', ['read', 'none']) },
      { name: 'denied: group and topic', request: (at) => joining(at, 'none', ['none']) },
      {
        name: 'nonexistent: topics',
        request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: [at.topic('read', '-not')] }),
      },
      {
        name: 'nonexistent: denied topic',
        request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: [at.topic('none', '-not')] }),
      },
      {
        name: 'nonexistent: member',
        request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4 }),
      },
      {
        name: 'allowed: heartbeat of a member',
        prepare: consumer,
        request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 1 }),
      },
      {
        name: 'allowed: leave',
        prepare: consumer,
        request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: -1 }),
      },
      {
        name: 'denied: later subscription',
        prepare: consumer,
        request: (at) => ({
          groupId: at.group('read'),
          memberId: member,
          memberEpoch: 1,
          subscribedTopicNames: [at.topic('none')],
        }),
      },
      {
        name: 'denied: heartbeat',
        prepare: async (at) => void (await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'none', ['none']))),
        request: (at) => ({ groupId: at.group('none'), memberId: member, memberEpoch: 1 }),
      },
      {
        name: 'expression',
        from: 1,
        request: (at) => ({
          ...joining(at, 'read', []),
          subscribedTopicNames: null,
          subscribedTopicRegex: `(read|none)-${at.token}.*`,
        }),
      },
      {
        name: 'expression: nothing visible',
        from: 1,
        request: (at) => ({
          ...joining(at, 'read', []),
          subscribedTopicNames: null,
          subscribedTopicRegex: `none-${at.token}.*`,
        }),
      },
      {
        name: 'expression: malformed',
        from: 1,
        request: (at) => ({ ...joining(at, 'read', []), subscribedTopicNames: null, subscribedTopicRegex: '(' }),
      },
      {
        name: 'expression: group denied',
        from: 1,
        request: (at) => ({ ...joining(at, 'none', []), subscribedTopicNames: null, subscribedTopicRegex: '.*' }),
      },
    ],
  }),
  row('ConsumerGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(
        ['read', 'none'].map((kind) => at.topic(kind)),
        1,
      );
      for (const kind of ['read', 'describe', 'none'])
        await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, kind, ['read']));
      await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'full', ['read', 'none']));
      await settled(at, 'ConsumerGroupDescribe');
    },
    cases: describing(),
  }),
  row('ShareGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups'],
    prepare: async (at) =>
      at.side.createTopics(
        ['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)),
        1,
      ),
    cases: [
      { name: 'allowed', request: (at) => sharing(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => sharing(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => sharing(at, 'read', ['none']) },
      { name: 'denied: topic whose DESCRIBE is denied', request: (at) => sharing(at, 'read', ['blind']) },
      { name: 'partly allowed: one denied topic', request: (at) => sharing(at, 'read', ['read', 'none']) },
      {
        name: 'nonexistent: topics',
        request: (at) => ({
          ...sharing(at, 'read', []),
          subscribedTopicNames: [at.topic('read', '-not'), at.topic('none', '-not')],
        }),
      },
      {
        name: 'nonexistent: member',
        request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4 }),
      },
      {
        name: 'nonexistent: denied',
        request: (at) => ({ groupId: at.group('none'), memberId: member, memberEpoch: 4 }),
      },
    ],
  }),
  row('ShareGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(
        ['read', 'none'].map((kind) => at.topic(kind)),
        1,
      );
      for (const kind of ['read', 'describe', 'none'])
        await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, kind, ['read']));
      await at.side.admin('ShareGroupHeartbeat', 1, sharing(at, 'full', ['read', 'none']));
      await settled(at, 'ShareGroupDescribe');
    },
    cases: describing(),
  }),
  row('StreamsGroupHeartbeat', {
    names: 'fresh',
    effects: ['groups', 'topics'],
    prepare: async (at) =>
      at.side.createTopics(
        ['read', 'describe', 'blind', 'none'].map((kind) => at.topic(kind)),
        1,
      ),
    cases: [
      { name: 'allowed', request: (at) => streaming(at, 'read', ['read', 'describe']) },
      { name: 'denied: group', request: (at) => streaming(at, 'describe', ['read']) },
      { name: 'denied: topic', request: (at) => streaming(at, 'read', ['none']) },
      { name: 'partly allowed: one denied topic', request: (at) => streaming(at, 'read', ['read', 'none', 'blind']) },
      { name: 'nonexistent: source topic', request: (at) => streaming(at, 'read', ['read:-not']) },
      { name: 'allowed: internal topics created', request: (at) => streaming(at, 'read', ['read'], ['make']) },
      {
        name: 'allowed: internal topics created, as oscar',
        as: 'oscar',
        request: (at) => streaming(at, 'none', ['none'], ['none:-log']),
      },
      {
        name: 'denied: internal topics not created',
        request: (at) => streaming(at, 'read', ['read'], ['describe:-log']),
      },
      {
        name: 'denied: internal topics not describable',
        request: (at) => streaming(at, 'read', ['read'], ['none:-log']),
      },
      {
        name: 'nonexistent: member',
        request: (at) => ({ groupId: at.group('read'), memberId: member, memberEpoch: 4, endpointInformationEpoch: 0 }),
      },
    ],
  }),
  row('StreamsGroupDescribe', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.createTopics(
        ['read', 'none'].map((kind) => at.topic(kind)),
        1,
      );
      const join = async (): Promise<void> => {
        for (const kind of ['read', 'describe', 'none'])
          await at.side.admin('StreamsGroupHeartbeat', 0, streaming(at, kind, ['read']));
        await at.side.admin('StreamsGroupHeartbeat', 0, streaming(at, 'full', ['read', 'none']));
      };
      await join();
      await settled(at, 'StreamsGroupDescribe', join);
    },
    cases: describing(),
  }),
];

async function consumer(at: At): Promise<void> {
  await at.side.admin('ConsumerGroupHeartbeat', 0, joining(at, 'read', ['read']));
}

/** The same for all three kinds of groups. */
function describing(): readonly Case<DescribeApi>[] {
  return [
    { name: 'allowed', request: (at) => ({ groupIds: [at.group('read'), at.group('describe')] }) },
    { name: 'denied', request: (at) => ({ groupIds: [at.group('none'), at.group('blind')] }) },
    { name: 'partly allowed: every kind', request: (at) => ({ groupIds: groupKinds.map((kind) => at.group(kind)) }) },
    {
      name: 'partly allowed: operations',
      request: (at) => ({ groupIds: groupKinds.map((kind) => at.group(kind)), includeAuthorizedOperations: true }),
    },
    {
      name: 'denied: a topic of the group',
      request: (at) => ({ groupIds: [at.group('full')], includeAuthorizedOperations: true }),
    },
    {
      name: 'allowed: oscar',
      as: 'oscar',
      request: (at) => ({ groupIds: [at.group('full'), at.group('none')], includeAuthorizedOperations: true }),
    },
    {
      name: 'nonexistent',
      request: (at) => ({
        groupIds: [at.group('read', '-not'), at.group('none', '-not')],
        includeAuthorizedOperations: true,
      }),
    },
    { name: 'invalid: of another kind', request: () => ({ groupIds: ['read-q0', 'none-q0'] }) },
  ];
}
