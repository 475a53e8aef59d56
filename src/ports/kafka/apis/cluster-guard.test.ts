/** APIs that one operation on the cluster opens as a whole, and those that nothing opens. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ApiName, type RequestMessages, apiByName, errorCodes } from '../protocol/protocol.ts';
import { handlerFor } from './catalogue.ts';
import { createDelegationToken, describeUserScramCredentials } from './credentials.ts';
import { describeCluster } from './describe-cluster.ts';
import { listPartitionReassignments } from './partition-placement.ts';
import { describeQuorum } from './quorum.ts';
import { ask, requestOnTheWire, worldOf } from './testing.ts';

const guards = {
  DescribeAcls: 'describe',
  CreateAcls: 'alter',
  DeleteAcls: 'alter',
  AlterReplicaLogDirs: 'alter',
  DescribeLogDirs: 'describe',
  ElectLeaders: 'alter',
  AlterPartitionReassignments: 'alter',
  ListPartitionReassignments: 'describe',
  DescribeClientQuotas: 'describe-configs',
  AlterClientQuotas: 'alter-configs',
  DescribeQuorum: 'describe',
  UpdateFeatures: 'alter',
  UnregisterBroker: 'alter',
  AddRaftVoter: 'alter',
  RemoveRaftVoter: 'alter',
  ListConfigResources: 'describe-configs',
} as const;

describe('an API that the cluster guards', () => {
  for (const [name, action] of Object.entries(guards)) {
    const { key, minVersion, maxVersion } = apiByName(name as keyof typeof guards);
    it(`${name} asks ${action} and nothing else, in every version`, async () => {
      const handler = handlerFor(key);
      assert.ok(handler);
      for (let version = minVersion; version <= maxVersion; version += 1) {
        const request: RequestMessages[ApiName] = requestOnTheWire(handler.name, version, {});
        const world = worldOf();
        assert.equal((await ask(world, handler, version, request)).kind, 'answer');
        assert.deepEqual(world.asked, [`${action} cluster kafka-cluster`]);
        assert.equal(
          (await ask(worldOf([`${action} cluster kafka-cluster`]), handler, version, request)).kind,
          'forward',
        );
      }
    });
  }

  it('echoes the partitions that were asked for, as brokers do', async () => {
    const asked = { topics: [{ name: 'a', partitionIndexes: [0, 1] }] };
    const { answer } = await ask(worldOf(), listPartitionReassignments, 0, asked);
    assert.equal(answer?.errorCode, errorCodes.CLUSTER_AUTHORIZATION_FAILED);
    assert.deepEqual(
      answer?.topics[0]?.partitions.map(({ partitionIndex }) => partitionIndex),
      [0, 1],
    );
  });
});

describe('the cluster itself', () => {
  it('DescribeCluster shows brokers at the gateway, and operations by the policy', async () => {
    const outcome = await ask(worldOf(), describeCluster, 2, { includeClusterAuthorizedOperations: true });
    const answer = await outcome.deliver({
      brokers: [
        { brokerId: 1, host: 'broker-1', port: 1 },
        { brokerId: 9, host: 'broker-9', port: 1 },
      ],
      clusterAuthorizedOperations: 8191,
    });
    assert.deepEqual(
      answer.brokers.map(({ brokerId, host }) => [brokerId, host]),
      [[1, 'gateway']],
    );
    assert.equal(answer.clusterAuthorizedOperations, 0);
    const controllers = await ask(worldOf(), describeCluster, 1, { endpointType: 2 });
    assert.equal(controllers.answer?.errorCode, errorCodes.MISMATCHED_ENDPOINT_TYPE);
    const neither = await ask(worldOf(), describeCluster, 1, { endpointType: 3 });
    assert.equal(neither.answer?.errorCode, errorCodes.UNSUPPORTED_ENDPOINT_TYPE);
  });

  it('DescribeQuorum tells no address of a controller', async () => {
    const outcome = await ask(worldOf(['describe cluster kafka-cluster']), describeQuorum, 2, {});
    const answer = await outcome.deliver({
      nodes: [{ nodeId: 1, listeners: [{ name: 'C', host: 'controller-1', port: 1 }] }],
    });
    assert.deepEqual(
      answer.nodes.map(({ nodeId, listeners }) => [nodeId, listeners]),
      [[1, []]],
    );
  });

  it('nobody gets at the upstream’s credentials, and every attempt is entered', async () => {
    const world = worldOf(['describe cluster kafka-cluster', 'alter cluster kafka-cluster']);
    const token = await ask(world, createDelegationToken, 3, {});
    assert.equal(token.answer?.errorCode, errorCodes.DELEGATION_TOKEN_AUTH_DISABLED);
    const scram = await ask(world, describeUserScramCredentials, 0, { users: null });
    assert.equal(scram.answer?.errorCode, errorCodes.CLUSTER_AUTHORIZATION_FAILED);
    assert.deepEqual(world.refusals, ['upstream-credentials', 'upstream-credentials']);
  });
});
