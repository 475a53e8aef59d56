/** Configuration, ACLs, quotas, users, features, delegation tokens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { since, until } from './driver.ts';
import type { Driver } from './driver.ts';
import type { Stage } from './drive-data.ts';

const topicResource = 2;
const brokerResource = 4;
const topicAcl = 2;
const literal = 3;
const anyValue = 1;
const readOperation = 3;
const allow = 3;
/** A token is known to the broker once it has replayed what the controller committed. */
const replayMs = 300;

export async function driveConfigs(driver: Driver, { topic, spare }: Stage): Promise<void> {
  const topicConfig = [{ name: 'retention.ms', value: '120000' }];
  await driver.each('DescribeConfigs', (v) => ({
    resources: [
      { resourceType: topicResource, resourceName: topic, configurationKeys: ['retention.ms', 'cleanup.policy'] },
      { resourceType: brokerResource, resourceName: '0', configurationKeys: ['log.retention.ms'] },
      { resourceType: topicResource, resourceName: 'no-such-topic', configurationKeys: null },
    ],
    includeSynonyms: true,
    ...since(v, 3, { includeDocumentation: true }),
  }));
  await driver.each('AlterConfigs', () => ({
    resources: [spare, 'no-such-topic'].map((resourceName) => ({
      resourceType: topicResource,
      resourceName,
      configs: topicConfig,
    })),
    validateOnly: true,
  }));
  await driver.each('IncrementalAlterConfigs', () => ({
    resources: [spare, 'no-such-topic'].map((resourceName) => ({
      resourceType: topicResource,
      resourceName,
      configs: topicConfig.map((entry) => ({ ...entry, configOperation: 0 })),
    })),
    validateOnly: true,
  }));
  await driver.each('ListConfigResources', (v) => since(v, 1, { resourceTypes: [topicResource] }));
  await driver.each('DescribeClientQuotas', () => ({
    components: [{ entityType: 'user', matchType: 2, match: null }],
    strict: false,
  }));
  await driver.each('AlterClientQuotas', (v) => ({
    entries: [
      {
        entity: [{ entityType: 'user', entityName: `quota-v${v}` }],
        ops: [{ key: 'producer_byte_rate', value: 1_000_000, remove: false }],
      },
    ],
    validateOnly: false,
  }));
  await driver.each('DescribeClientQuotas', () => ({
    components: [{ entityType: 'user', matchType: 2, match: null }],
    strict: false,
  }));
}

export async function driveSecurity(driver: Driver): Promise<void> {
  const filter = {
    resourceNameFilter: null,
    principalFilter: null,
    hostFilter: null,
    operation: anyValue,
    permissionType: anyValue,
  };
  const creation = (name: string): object => ({
    resourceName: name,
    principal: 'User:someone',
    host: '*',
    operation: readOperation,
    permissionType: allow,
  });
  await driver.each('CreateAcls', (v) => ({
    creations: [
      { ...creation(`acl-v${v}`), resourceType: topicAcl, resourcePatternType: literal },
      { ...creation(''), resourceType: topicAcl, resourcePatternType: literal },
    ],
  }));
  await driver.each('DescribeAcls', () => ({ ...filter, resourceTypeFilter: topicAcl, patternTypeFilter: anyValue }));
  await driver.each('DeleteAcls', (v) => ({
    filters: [{ ...filter, resourceNameFilter: `acl-v${v}`, resourceTypeFilter: topicAcl, patternTypeFilter: literal }],
  }));
  await driver.each('AlterUserScramCredentials', () => ({
    deletions: [{ name: 'nobody', mechanism: 1 }],
    upsertions: [
      {
        name: 'somebody',
        mechanism: 1,
        iterations: 4096,
        salt: Buffer.alloc(16, 1),
        saltedPassword: Buffer.alloc(32, 2),
      },
    ],
  }));
  await driver.each('DescribeUserScramCredentials', () => ({ users: [{ name: 'somebody' }, { name: 'nobody' }] }));
}

export async function driveCluster(driver: Driver): Promise<void> {
  await driver.each('UpdateFeatures', (v) => ({
    timeoutMs: 5_000,
    featureUpdates: [{ feature: 'no.such.feature', maxVersionLevel: 1, ...until(v, 0, { allowDowngrade: false }) }],
    ...since(v, 1, { validateOnly: true }),
  }));
  await driver.each('UnregisterBroker', () => ({ brokerId: 99 }));
  const voterDirectoryId = 'AAAAAAAAAAAAAAAAAAAAAQ';
  await driver.each('AddRaftVoter', () => ({
    clusterId: null,
    timeoutMs: 1_000,
    voterId: 99,
    voterDirectoryId,
    listeners: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 1 }],
  }));
  await driver.each('RemoveRaftVoter', () => ({ clusterId: null, voterId: 99, voterDirectoryId }));
  await driver.each('GetTelemetrySubscriptions', () => ({}));
}

/** On a connection that has authenticated: a broker gives no delegation tokens to others. */
export async function driveTokens(driver: Driver): Promise<void> {
  for (const version of await driver.versions('CreateDelegationToken')) {
    const made = await driver.ask('CreateDelegationToken', version, {
      ...since(version, 3, { ownerPrincipalType: null, ownerPrincipalName: null }),
      renewers: [{ principalType: 'User', principalName: 'someone' }],
      maxLifetimeMs: 600_000n,
    });
    if (made === undefined) continue;
    await sleep(replayMs);
    await driver.ask('RenewDelegationToken', await driver.atMost('RenewDelegationToken', version), {
      hmac: made.hmac,
      renewPeriodMs: 60_000n,
    });
    await driver.ask('DescribeDelegationToken', version, { owners: null });
    await driver.ask('ExpireDelegationToken', await driver.atMost('ExpireDelegationToken', version), {
      hmac: made.hmac,
      expiryTimePeriodMs: -1n,
    });
  }
}
