/** The cluster and what belongs to it: brokers, controllers, placement, log directories, quotas, credentials, telemetry. */
import type { ApiName, Draft, RequestMessages } from '../../../../src/ports/kafka/protocol/protocol.ts';
import type { At } from '../at.ts';
import { type AnyRow, type Case, row } from '../row.ts';
import type { User } from '../rules.ts';

/** The same request as each of the users: some may, some may not. */
function asEach<N extends ApiName>(
  as: readonly User[],
  request: (at: At) => Draft<RequestMessages[N]>,
  name = 'asked',
  more: Partial<Case<N>> = {},
): Case<N>[] {
  return as.map((user) => ({ ...more, name: `${name} as ${user}`, as: user, request }));
}

export const clusterRows: readonly AnyRow[] = [
  row('DescribeCluster', {
    names: 'shared',
    cases: [
      ...asEach<'DescribeCluster'>(['alice', 'nobody', 'describer', 'oscar', 'alterer'], () => ({
        includeClusterAuthorizedOperations: true,
      })),
      { name: 'allowed: without operations', request: () => ({}) },
      { name: 'allowed: with fenced brokers', from: 2, request: () => ({ includeFencedBrokers: true }) },
      { name: 'controllers', from: 1, request: () => ({ endpointType: 2 }) },
      { name: 'invalid: endpoint type', from: 1, request: () => ({ endpointType: 7 }) },
    ],
  }),
  row('DescribeQuorum', {
    names: 'shared',
    cases: asEach<'DescribeQuorum'>(['describer', 'alice', 'oscar'], () => ({
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    })),
  }),
  row('UpdateFeatures', {
    names: 'shared',
    cases: asEach<'UpdateFeatures'>(['alterer', 'alice', 'describer'], (at) => ({
      ...(at.version >= 1 ? { validateOnly: true } : {}),
      featureUpdates: [{ feature: 'no.such.feature', maxVersionLevel: 1 }],
    })),
  }),
  row('UnregisterBroker', {
    names: 'shared',
    cases: asEach<'UnregisterBroker'>(['alterer', 'alice', 'describer'], () => ({ brokerId: 99 })),
  }),
  row('AddRaftVoter', {
    names: 'shared',
    cases: asEach<'AddRaftVoter'>(['alterer', 'alice', 'describer'], () => ({
      clusterId: 'another',
      timeoutMs: 1_000,
      voterId: 99,
      voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      listeners: [],
    })),
  }),
  row('RemoveRaftVoter', {
    names: 'shared',
    cases: asEach<'RemoveRaftVoter'>(['alterer', 'alice', 'describer'], () => ({
      clusterId: 'another',
      voterId: 99,
      voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    })),
  }),
  row('ElectLeaders', {
    names: 'shared',
    cases: [
      ...asEach<'ElectLeaders'>(['alterer', 'alice'], (at) => ({
        topicPartitions: [
          { topic: at.topic('read'), partitions: [0, 1] },
          { topic: at.topic('none'), partitions: [0] },
        ],
        timeoutMs: 3_000,
      })),
      {
        name: 'nonexistent',
        as: 'alterer',
        request: (at) => ({
          topicPartitions: [{ topic: at.topic('read', '-not'), partitions: [0] }],
          timeoutMs: 3_000,
        }),
      },
      { name: 'all: denied', request: () => ({ topicPartitions: null, timeoutMs: 3_000 }) },
    ],
  }),
  row('AlterPartitionReassignments', {
    names: 'shared',
    cases: [
      ...asEach<'AlterPartitionReassignments'>(['alterer', 'alice'], (at) => ({
        topics: [
          { name: at.topic('read'), partitions: [{ partitionIndex: 0, replicas: [0] }] },
          { name: at.topic('none'), partitions: [{ partitionIndex: 1, replicas: null }] },
        ],
        timeoutMs: 3_000,
      })),
      {
        name: 'nonexistent',
        as: 'alterer',
        request: (at) => ({
          topics: [{ name: at.topic('none', '-not'), partitions: [{ partitionIndex: 0, replicas: [0] }] }],
          timeoutMs: 3_000,
        }),
      },
      {
        name: 'invalid: replicas',
        as: 'alterer',
        request: (at) => ({
          topics: [{ name: at.topic('read'), partitions: [{ partitionIndex: 0, replicas: [99] }] }],
          timeoutMs: 3_000,
        }),
      },
    ],
  }),
  row('ListPartitionReassignments', {
    names: 'shared',
    cases: [
      ...asEach<'ListPartitionReassignments'>(['describer', 'alice', 'alterer'], (at) => ({
        topics: [{ name: at.topic('none'), partitionIndexes: [0] }],
        timeoutMs: 3_000,
      })),
      ...asEach<'ListPartitionReassignments'>(
        ['describer', 'alice'],
        () => ({ topics: null, timeoutMs: 3_000 }),
        'all',
      ),
    ],
  }),
  row('AlterReplicaLogDirs', {
    names: 'shared',
    cases: asEach<'AlterReplicaLogDirs'>(['alterer', 'alice', 'describer'], (at) => ({
      dirs: [
        {
          path: '/no/such/folder',
          topics: [
            { name: at.topic('read'), partitions: [0, 1] },
            { name: at.topic('none'), partitions: [0] },
          ],
        },
      ],
    })),
  }),
  row('DescribeLogDirs', {
    names: 'shared',
    cases: [
      ...asEach<'DescribeLogDirs'>(['describer', 'alice', 'alterer', 'oscar'], (at) => ({
        topics: [
          { topic: at.topic('create'), partitions: [0] },
          { topic: at.topic('none'), partitions: [0] },
        ],
      })),
      { name: 'all: denied', request: () => ({ topics: null }) },
    ],
  }),
  row('DescribeClientQuotas', {
    names: 'shared',
    cases: asEach<'DescribeClientQuotas'>(['configurer', 'alice', 'oscar', 'describer'], () => ({
      components: [{ entityType: 'user', matchType: 0, match: 'someone-q0' }],
      strict: false,
    })),
  }),
  row('AlterClientQuotas', {
    names: 'fresh',
    effects: ['quotas'],
    cases: [
      ...asEach<'AlterClientQuotas'>(['configurer', 'alice', 'describer'], (at) => ({
        entries: ['a', 'b'].map((name) => ({
          entity: [{ entityType: 'user', entityName: `${name}-${at.token}` }],
          ops: [{ key: 'producer_byte_rate', value: 1_000, remove: false }],
        })),
        validateOnly: false,
      })),
      {
        name: 'invalid: key',
        as: 'configurer',
        request: (at) => ({
          entries: [
            {
              entity: [{ entityType: 'user', entityName: `a-${at.token}` }],
              ops: [{ key: 'nonsense', value: 1, remove: false }],
            },
          ],
          validateOnly: false,
        }),
      },
    ],
  }),
  row('DescribeUserScramCredentials', {
    names: 'shared',
    cases: asEach<'DescribeUserScramCredentials'>(['describer', 'alice'], () => ({ users: [{ name: 'someone' }] })),
  }),
  row('AlterUserScramCredentials', {
    names: 'shared',
    cases: asEach<'AlterUserScramCredentials'>(['alterer', 'alice'], () => ({
      deletions: [{ name: 'someone', mechanism: 1 }],
      upsertions: [],
    })),
  }),
  row('CreateDelegationToken', {
    names: 'shared',
    cases: asEach<'CreateDelegationToken'>(['oscar', 'alice'], () => ({ renewers: [], maxLifetimeMs: 1_000n })),
  }),
  row('RenewDelegationToken', {
    names: 'shared',
    cases: asEach<'RenewDelegationToken'>(['oscar', 'alice'], () => ({
      hmac: Buffer.from('x'),
      renewPeriodMs: 1_000n,
    })),
  }),
  row('ExpireDelegationToken', {
    names: 'shared',
    cases: asEach<'ExpireDelegationToken'>(['oscar', 'alice'], () => ({
      hmac: Buffer.from('x'),
      expiryTimePeriodMs: 1_000n,
    })),
  }),
  row('DescribeDelegationToken', {
    names: 'shared',
    cases: asEach<'DescribeDelegationToken'>(['oscar', 'alice'], () => ({ owners: null })),
  }),
  row('DescribeAcls', {
    names: 'fresh',
    prepare: acls,
    cases: [
      ...asEach<'DescribeAcls'>(['describer', 'alice', 'oscar'], (at) => filter(at)),
      ...asEach<'DescribeAcls'>(
        ['describer', 'alice'],
        () => ({ ...filter(), resourceNameFilter: 'no-such-name' }),
        'nonexistent',
      ),
    ],
  }),
  row('CreateAcls', {
    names: 'fresh',
    effects: ['acls'],
    cases: [
      ...asEach<'CreateAcls'>(['alterer', 'alice', 'describer', 'oscar'], (at) => ({
        creations: [acl(at), { ...acl(at), operation: 4 }],
      })),
      {
        name: 'invalid: the name of the cluster',
        as: 'alterer',
        request: (at) => ({ creations: [{ ...acl(at), resourceType: 4 }, acl(at)] }),
      },
    ],
  }),
  row('DeleteAcls', {
    names: 'fresh',
    effects: ['acls'],
    prepare: acls,
    cases: [
      ...asEach<'DeleteAcls'>(['alterer', 'alice', 'describer'], (at) => ({ filters: [filter(at)] })),
      {
        name: 'nonexistent',
        as: 'alterer',
        request: () => ({ filters: [{ ...filter(), resourceNameFilter: 'no-such-name' }] }),
      },
    ],
  }),
];

function acl(at: At) {
  return {
    resourceType: 2,
    resourceName: `acl-${at.token}`,
    resourcePatternType: 3,
    principal: 'User:someone',
    host: '*',
    operation: 3,
    permissionType: 3,
  };
}

async function acls(at: At): Promise<void> {
  await at.side.admin('CreateAcls', 3, { creations: [acl(at)] });
  await at.side.until(
    'an ACL',
    async () => (await at.side.admin('DescribeAcls', 3, filter(at))).resources.length === 1,
  );
}

function filter(at?: At) {
  return {
    resourceTypeFilter: 2,
    resourceNameFilter: `acl-${at?.token ?? ''}`,
    patternTypeFilter: 3,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  };
}
