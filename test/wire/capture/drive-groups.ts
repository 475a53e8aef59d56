/** Groups of every kind, and transactions. */
import { eventually, newUuid, since, until } from './driver.ts';
import type { Driver } from './driver.ts';
import type { Stage } from './drive-data.ts';

const highestVersion = 10;
const memberIdRequired = 79;
const topicIdFrom = 10;

/** One classic group per version: joined, synced, committed, described, left and deleted. */
export async function driveClassicGroups(driver: Driver, stage: Stage): Promise<void> {
  await eventually(
    async () => await driver.ask('FindCoordinator', 3, { key: 'driver-0', keyType: 0 }),
    (answer) => answer?.errorCode === 0,
  );
  for (let version = 0; version <= highestVersion; version += 1) await driveClassicGroup(driver, stage, version);
  await driver.each('ListGroups', () => ({}));
}

async function driveClassicGroup(driver: Driver, stage: Stage, version: number): Promise<void> {
  const groupId = `driver-${version}`;
  const { memberId, generationId } = await join(driver, groupId, version);
  const at = { groupId, memberId, generationId };
  const v = async (api: Parameters<Driver['atMost']>[0]): Promise<number> => await driver.atMost(api, version);
  const sync = await v('SyncGroup');
  await driver.ask('SyncGroup', sync, {
    ...at,
    ...since(sync, 5, { protocolType: 'consumer', protocolName: 'range' }),
    assignments: [{ memberId, assignment: assignmentOf(stage.topic) }],
  });
  await driver.ask('Heartbeat', await v('Heartbeat'), at);
  const commit = await v('OffsetCommit');
  await driver.ask('OffsetCommit', commit, {
    groupId,
    generationIdOrMemberEpoch: generationId,
    memberId,
    topics: [
      {
        ...topicOf(stage, commit),
        partitions: [0, 1].map((partitionIndex) => ({
          partitionIndex,
          committedOffset: 1n,
          committedMetadata: 'kept',
        })),
      },
    ],
  });
  const fetch = await v('OffsetFetch');
  await driver.ask('OffsetFetch', fetch, {
    ...until(fetch, 7, { groupId, topics: [{ name: stage.topic, partitionIndexes: [0, 1] }] }),
    ...since(fetch, 8, { groups: [{ groupId, topics: [{ ...topicOf(stage, fetch), partitionIndexes: [0, 1] }] }] }),
  });
  const describe = await v('DescribeGroups');
  await driver.ask('DescribeGroups', describe, {
    groups: [groupId, 'no-such-group'],
    ...since(describe, 3, { includeAuthorizedOperations: true }),
  });
  await driver.ask('ListGroups', await v('ListGroups'), {});
  const leave = await v('LeaveGroup');
  await driver.ask('LeaveGroup', leave, {
    groupId,
    ...until(leave, 2, { memberId }),
    ...since(leave, 3, { members: [{ memberId }] }),
  });
  await driver.ask('OffsetDelete', await v('OffsetDelete'), {
    groupId,
    topics: [{ name: stage.topic, partitions: [{ partitionIndex: 0 }] }],
  });
  await driver.ask('DeleteGroups', await v('DeleteGroups'), { groupsNames: [groupId, 'no-such-group'] });
}

async function join(
  driver: Driver,
  groupId: string,
  upTo: number,
): Promise<{ memberId: string; generationId: number }> {
  const version = await driver.atMost('JoinGroup', upTo);
  let memberId = '';
  const ask = async (): ReturnType<typeof driver.ask<'JoinGroup'>> =>
    await driver.ask('JoinGroup', version, {
      groupId,
      sessionTimeoutMs: 30_000,
      ...since(version, 1, { rebalanceTimeoutMs: 30_000 }),
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('000100000001000177ffffffff00000000', 'hex') }],
    });
  const answer = await eventually(ask, (joined) => {
    if (joined?.errorCode === memberIdRequired) memberId = joined.memberId;
    return joined?.errorCode === 0;
  });
  return { memberId: answer?.memberId ?? '', generationId: answer?.generationId ?? -1 };
}

/** ConsumerProtocolAssignment v1: one topic, partitions 0 and 1, no user data. */
function assignmentOf(topic: string): Buffer {
  const name = Buffer.from(topic);
  const bytes = Buffer.alloc(2 + 4 + 2 + name.length + 12 + 4);
  bytes.writeInt16BE(1, 0);
  bytes.writeInt32BE(1, 2);
  bytes.writeInt16BE(name.length, 6);
  name.copy(bytes, 8);
  bytes.writeInt32BE(2, 8 + name.length);
  bytes.writeInt32BE(1, 16 + name.length);
  bytes.writeInt32BE(-1, 20 + name.length);
  return bytes;
}

function topicOf(stage: Stage, version: number): { name?: string; topicId?: string } {
  return version >= topicIdFrom ? { topicId: stage.topicId } : { name: stage.topic };
}

export async function driveConsumerGroups(driver: Driver, { topic }: Stage): Promise<void> {
  for (const version of await driver.versions('ConsumerGroupHeartbeat')) {
    const groupId = `driver-consumer-${version}`;
    const at = { groupId, memberId: newUuid() };
    const joining = {
      ...at,
      memberEpoch: 0,
      rebalanceTimeoutMs: 30_000,
      subscribedTopicNames: [topic],
      topicPartitions: [],
    };
    const joined = await eventually(
      async () => await driver.ask('ConsumerGroupHeartbeat', version, joining),
      (answer) => (answer?.assignment?.topicPartitions.length ?? 0) > 0,
      3,
    );
    await driver.each('ConsumerGroupDescribe', () => ({
      groupIds: [groupId, 'no-such-group'],
      includeAuthorizedOperations: true,
    }));
    await driver.ask('ConsumerGroupHeartbeat', version, {
      ...at,
      memberId: joined?.memberId ?? at.memberId,
      memberEpoch: -1,
    });
  }
}

/** KIP-932: a member that acquires two records and gives them back. */
export async function driveShareGroups(driver: Driver, stage: Stage): Promise<void> {
  const groupId = 'driver-share';
  const memberId = newUuid();
  if ((await driver.versions('ShareGroupHeartbeat')).length === 0) return;
  await driver.ask('IncrementalAlterConfigs', 1, {
    resources: [
      {
        resourceType: 32,
        resourceName: groupId,
        configs: [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }],
      },
    ],
  });
  const joining = { groupId, memberId, memberEpoch: 0, subscribedTopicNames: [stage.topic] };
  await eventually(
    async () => await driver.ask('ShareGroupHeartbeat', 1, joining),
    (answer) => (answer?.assignment?.topicPartitions.length ?? 0) > 0,
  );
  await driver.each('ShareGroupDescribe', () => ({
    groupIds: [groupId, 'no-such-group'],
    includeAuthorizedOperations: true,
  }));
  for (const version of await driver.versions('ShareFetch')) await driveShareFetch(driver, stage, groupId, version);
  await driver.each('DescribeShareGroupOffsets', () => ({ groups: [{ groupId, topics: null }] }));
  await driver.ask('ShareGroupHeartbeat', 1, { groupId, memberId, memberEpoch: -1 });
  await driver.each('AlterShareGroupOffsets', () => ({
    groupId,
    topics: [{ topicName: stage.topic, partitions: [{ partitionIndex: 0, startOffset: 0n }] }],
  }));
  await driver.each('DeleteShareGroupOffsets', () => ({
    groupId,
    topics: [{ topicName: stage.topic }, { topicName: 'no-such-topic' }],
  }));
}

async function driveShareFetch(
  driver: Driver,
  { topic, topicId }: Stage,
  groupId: string,
  version: number,
): Promise<void> {
  const memberId = newUuid();
  await driver.ask('ShareGroupHeartbeat', 1, { groupId, memberId, memberEpoch: 0, subscribedTopicNames: [topic] });
  let epoch = 0;
  const fetch = async (): ReturnType<typeof driver.ask<'ShareFetch'>> => {
    const answer = await driver.ask('ShareFetch', version, {
      groupId,
      memberId,
      shareSessionEpoch: epoch,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 2_000,
      maxRecords: 2,
      batchSize: 2,
      topics: epoch > 0 ? [] : [{ topicId, partitions: [{ partitionIndex: 0 }] }],
    });
    epoch += 1;
    return answer;
  };
  const acquired = await eventually(
    fetch,
    (answer) =>
      answer?.responses.some(({ partitions }) => partitions.some((one) => one.acquiredRecords.length > 0)) === true,
    10,
  );
  const first = acquired?.responses[0]?.partitions[0]?.acquiredRecords[0];
  const acknowledge = await driver.atMost('ShareAcknowledge', version);
  const batch = { firstOffset: first?.firstOffset ?? 0n, lastOffset: first?.lastOffset ?? 0n, acknowledgeTypes: [2] };
  await driver.ask('ShareAcknowledge', acknowledge, {
    groupId,
    memberId,
    shareSessionEpoch: epoch,
    topics: [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [batch] }] }],
  });
  await driver.ask('ShareFetch', version, {
    groupId,
    memberId,
    shareSessionEpoch: -1,
    maxWaitMs: 100,
    minBytes: 0,
    maxRecords: 1,
    batchSize: 1,
  });
}

/** KIP-1071: a member with one subtopology. */
export async function driveStreamsGroups(driver: Driver, { topic }: Stage): Promise<void> {
  const groupId = 'driver-streams';
  if ((await driver.versions('StreamsGroupHeartbeat')).length === 0) return;
  const at = { groupId, memberId: newUuid(), endpointInformationEpoch: 0 };
  const topology = { epoch: 0, subtopologies: [{ subtopologyId: '0', sourceTopics: [topic] }] };
  const joining = {
    ...at,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    topology,
    processId: newUuid(),
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
    clientTags: [{ key: 'zone', value: 'a' }],
  };
  const joined = await eventually(
    async () => await driver.ask('StreamsGroupHeartbeat', 0, joining),
    (answer) => (answer?.activeTasks?.length ?? 0) > 0,
    3,
  );
  if ((joined?.activeTasks?.length ?? 0) === 0) {
    const beat = { ...at, memberEpoch: joined?.memberEpoch ?? 1, activeTasks: [], standbyTasks: [], warmupTasks: [] };
    await eventually(
      async () => await driver.ask('StreamsGroupHeartbeat', 0, beat),
      (answer) => (answer?.activeTasks?.length ?? 0) > 0,
      15,
    );
  }
  await driver.each('StreamsGroupDescribe', () => ({
    groupIds: [groupId, 'no-such-group'],
    includeAuthorizedOperations: true,
  }));
  await driver.ask('StreamsGroupHeartbeat', 0, {
    ...at,
    memberEpoch: -1,
    activeTasks: [],
    standbyTasks: [],
    warmupTasks: [],
  });
}

/** One transaction per version, from its producer id to its end. */
export async function driveTransactions(driver: Driver, stage: Stage): Promise<void> {
  // asking for the coordinator is what makes the broker set one up
  await eventually(
    async () => await driver.ask('FindCoordinator', 3, { key: 'driver-tx-0', keyType: 1 }),
    (answer) => answer?.errorCode === 0,
  );
  for (let version = 0; version <= 5; version += 1) {
    const transactionalId = `driver-tx-${version}`;
    const init = await driver.atMost('InitProducerId', version);
    const started = await eventually(
      async () => await driver.ask('InitProducerId', init, { transactionalId, transactionTimeoutMs: 30_000 }),
      (answer) => answer?.errorCode === 0,
    );
    const producer = { producerId: started?.producerId ?? -1n, producerEpoch: started?.producerEpoch ?? -1 };
    await driveTransaction(driver, stage, version, transactionalId, producer);
  }
  await driver.each('DescribeTransactions', () => ({ transactionalIds: ['driver-tx-0', 'no-such-id'] }));
  await driver.each('ListTransactions', () => ({}));
}

async function driveTransaction(
  driver: Driver,
  { topic }: Stage,
  version: number,
  transactionalId: string,
  producer: { producerId: bigint; producerEpoch: number },
): Promise<void> {
  const groupId = 'driver-tx-group';
  const topics = [{ name: topic, partitions: [0] }];
  const add = await driver.atMost('AddPartitionsToTxn', version);
  await driver.ask('AddPartitionsToTxn', add, {
    ...until(add, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producer.producerId,
      v3AndBelowProducerEpoch: producer.producerEpoch,
      v3AndBelowTopics: topics,
    }),
    ...since(add, 4, { transactions: [{ transactionalId, ...producer, verifyOnly: false, topics }] }),
  });
  await driver.ask('AddOffsetsToTxn', await driver.atMost('AddOffsetsToTxn', version), {
    transactionalId,
    ...producer,
    groupId,
  });
  await driver.ask('TxnOffsetCommit', await driver.atMost('TxnOffsetCommit', version), {
    transactionalId,
    groupId,
    ...producer,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: null }] }],
  });
  await driver.each('DescribeTransactions', () => ({ transactionalIds: [transactionalId, 'no-such-id'] }));
  await driver.each('ListTransactions', () => ({}));
  await driver.ask('EndTxn', await driver.atMost('EndTxn', version), {
    transactionalId,
    ...producer,
    committed: version % 2 === 0,
  });
}
