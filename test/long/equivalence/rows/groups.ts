/** Classic groups, and where their coordinators are. */
import type { At } from '../at.ts';
import { type AnyRow, row } from '../row.ts';
import { subscription } from '../side.ts';

const groupKinds = ['read', 'describe', 'delete', 'full', 'barred', 'blind', 'none'];

export const groupRows: readonly AnyRow[] = [
  row('FindCoordinator', {
    names: 'shared',
    cases: [
      ...groupKinds.map((kind) => ({
        name: `${kind === 'none' || kind === 'blind' ? 'denied' : 'allowed'}: group ${kind}`,
        request: (at: At) => keys(at, 0, [at.group(kind)]),
      })),
      ...['write', 'describe', 'blind', 'none'].map((kind) => ({
        name: `transactional id ${kind}`,
        from: 1,
        request: (at: At) => keys(at, 1, [at.transaction(kind)]),
      })),
      { name: 'nonexistent', request: (at) => keys(at, 0, [at.group('read', '-not')]) },
      { name: 'nonexistent: denied', request: (at) => keys(at, 0, [at.group('none', '-not')]) },
      {
        name: 'partly allowed: groups',
        from: 4,
        request: (at) =>
          keys(
            at,
            0,
            groupKinds.map((kind) => at.group(kind)),
          ),
      },
      {
        name: 'partly allowed: transactional ids',
        from: 4,
        request: (at) =>
          keys(
            at,
            1,
            ['write', 'none', 'describe'].map((kind) => at.transaction(kind)),
          ),
      },
      {
        name: 'share partition: denied',
        from: 1,
        request: (at) => keys(at, 2, [`${at.group('read')}:AAAAAAAAAAAAAAAAAAAAAQ:0`]),
      },
      {
        name: 'share partition: CLUSTER_ACTION',
        as: 'actor',
        from: 1,
        request: (at) => keys(at, 2, [`${at.group('read')}:AAAAAAAAAAAAAAAAAAAAAQ:0`]),
      },
      { name: 'share partition: malformed', as: 'actor', from: 6, request: (at) => keys(at, 2, [at.group('read')]) },
      { name: 'invalid: key type', from: 1, request: (at) => keys(at, 9, [at.group('read')]) },
      { name: 'nothing', from: 4, request: (at) => keys(at, 0, []) },
    ],
  }),
  row('JoinGroup', {
    names: 'fresh',
    effects: ['groups'],
    cases: [
      ...['read', 'describe', 'none', 'barred', 'blind'].map((kind) => ({
        name: `${kind === 'read' || kind === 'blind' ? 'allowed' : 'denied'}: ${kind}`,
        request: (at: At) => joining(at.group(kind)),
      })),
      {
        name: 'allowed: as a static member',
        from: 5,
        request: (at) => ({ ...joining(at.group('read')), groupInstanceId: 'static' }),
      },
      {
        name: 'allowed: unknown member',
        request: (at) => ({ ...joining(at.group('read')), memberId: 'nobody-knows' }),
      },
      { name: 'denied: unknown member', request: (at) => ({ ...joining(at.group('none')), memberId: 'nobody-knows' }) },
      { name: 'allowed: empty group id', as: 'oscar', request: () => joining('') },
      { name: 'denied: empty group id', request: () => joining('') },
    ],
  }),
  ...(['Heartbeat', 'SyncGroup', 'LeaveGroup'] as const).map((api) =>
    row<'Heartbeat' | 'SyncGroup' | 'LeaveGroup'>(api, {
      names: 'fresh',
      effects: ['groups'],
      cases: ['read', 'blind', 'describe', 'none', 'barred'].flatMap((kind) => [
        {
          name: `${kind === 'read' || kind === 'blind' ? 'allowed' : 'denied'}: member of ${kind}`,
          prepare: async (at: At) => {
            at.member = await at.side.join(at.group(kind));
          },
          request: (at: At) => membership(api, at, at.group(kind), at.member),
        },
        {
          name: `nonexistent: ${kind}`,
          request: (at: At) => membership(api, at, at.group(kind), { memberId: 'x', generationId: 1 }),
        },
      ]),
    }),
  ),
  row('DescribeGroups', {
    names: 'shared',
    cases: [
      { name: 'allowed', request: (at) => ({ groups: [at.group('read'), at.group('describe'), at.group('delete')] }) },
      { name: 'denied', request: (at) => ({ groups: [at.group('none'), at.group('blind')] }) },
      { name: 'partly allowed', request: (at) => ({ groups: groupKinds.map((kind) => at.group(kind)) }) },
      {
        name: 'partly allowed: operations',
        from: 3,
        request: (at) => ({ groups: groupKinds.map((kind) => at.group(kind)), includeAuthorizedOperations: true }),
      },
      { name: 'nonexistent', request: (at) => ({ groups: [at.group('read', '-not'), at.group('none', '-not')] }) },
      {
        name: 'nonexistent: operations',
        from: 3,
        request: (at) => ({
          groups: [at.group('read', '-not'), at.group('full', '-not')],
          includeAuthorizedOperations: true,
        }),
      },
      { name: 'nothing', request: () => ({ groups: [] }) },
    ],
  }),
  row('DescribeGroups', {
    names: 'fresh',
    prepare: async (at) => {
      await at.side.join(at.group('read'));
      await at.side.join(at.group('none'));
    },
    cases: [
      { name: 'partly allowed: with members', request: (at) => ({ groups: [at.group('read'), at.group('none')] }) },
    ],
  }),
  row('ListGroups', {
    names: 'shared',
    cases: [
      ...(['alice', 'nobody', 'describer', 'oscar'] as const).map((as) => ({
        name: `all: ${as}`,
        as,
        request: () => ({}),
      })),
      { name: 'all: of a state', from: 4, request: () => ({ statesFilter: ['Empty'] }) },
      { name: 'all: of a type', from: 5, request: () => ({ typesFilter: ['classic'] }) },
      { name: 'all: of an unknown type', from: 5, request: () => ({ typesFilter: ['nonsense'] }) },
    ],
  }),
  row('DeleteGroups', {
    names: 'fresh',
    effects: ['groups'],
    prepare: async (at) => {
      for (const kind of groupKinds) await at.side.commit(at.group(kind), [`read-q0`]);
    },
    cases: [
      { name: 'allowed', request: (at) => ({ groupsNames: [at.group('delete'), at.group('full')] }) },
      { name: 'denied', request: (at) => ({ groupsNames: [at.group('read'), at.group('none')] }) },
      { name: 'partly allowed', request: (at) => ({ groupsNames: groupKinds.map((kind) => at.group(kind)) }) },
      {
        name: 'nonexistent',
        request: (at) => ({ groupsNames: [at.group('delete', '-not'), at.group('none', '-not')] }),
      },
      { name: 'allowed: oscar', as: 'oscar', request: (at) => ({ groupsNames: [at.group('none')] }) },
      {
        name: 'allowed: not empty',
        prepare: async (at) => void (await at.side.join(at.group('delete'))),
        request: (at) => ({ groupsNames: [at.group('delete'), at.group('none')] }),
      },
      {
        name: 'invalid: twice',
        request: (at) => ({
          groupsNames: [at.group('delete'), at.group('delete'), at.group('none'), at.group('none')],
        }),
      },
    ],
  }),
];

function keys(at: At, keyType: number, names: readonly string[]) {
  const type = at.version >= 1 ? { keyType } : {};
  return at.version >= 4 ? { ...type, coordinatorKeys: names } : { ...type, key: names[0] ?? '' };
}

function joining(groupId: string) {
  return {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription }],
  };
}

function membership(
  api: 'Heartbeat' | 'SyncGroup' | 'LeaveGroup',
  at: At,
  groupId: string,
  { memberId, generationId }: At['member'],
) {
  if (api === 'Heartbeat') return { groupId, memberId, generationId };
  if (api === 'SyncGroup')
    return {
      groupId,
      memberId,
      generationId,
      ...(at.version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}),
    };
  return at.version >= 3 ? { groupId, members: [{ memberId }] } : { groupId, memberId };
}
