/** Records, offsets, metadata and topics. */
import { since, until } from './driver.ts';
import type { Driver } from './driver.ts';

/** What the driver works on; it is there before. */
export interface Stage {
  readonly topic: string;
  readonly topicId: string;
  /** For what changes topics. */
  readonly spare: string;
  readonly spareId: string;
  /** A batch that a producer made. */
  readonly records: Buffer;
}

const noTopic = 'no-such-topic';

export async function driveData(driver: Driver, { topic, topicId, records }: Stage): Promise<void> {
  for (const name of [topic, noTopic]) {
    const id = name === topic ? topicId : 'AAAAAAAAAAAAAAAAAAAAAQ';
    await driver.each('Produce', (v) => ({
      transactionalId: null,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [
        { ...until(v, 12, { name }), ...since(v, 13, { topicId: id }), partitionData: [{ index: 0, records }] },
      ],
    }));
    await driver.each('Fetch', (v) => ({
      maxWaitMs: 50,
      minBytes: 1,
      maxBytes: 2_000,
      isolationLevel: v % 2,
      topics: [
        {
          ...until(v, 12, { topic: name }),
          ...since(v, 13, { topicId: id }),
          partitions: [0, 1].map((partition) => ({
            partition,
            fetchOffset: 0n,
            partitionMaxBytes: 1_000,
            ...since(v, 12, { lastFetchedEpoch: -1 }),
          })),
        },
      ],
    }));
    await driver.each('ListOffsets', (v) => ({
      replicaId: -1,
      isolationLevel: v >= 2 ? 1 : 0,
      topics: [
        {
          name,
          partitions: [0, 1].map((partitionIndex) => ({
            partitionIndex,
            timestamp: BigInt(partitionIndex === 0 ? -1 : -2),
          })),
        },
      ],
      ...since(v, 10, { timeoutMs: 1_000 }),
    }));
    await driver.each('OffsetForLeaderEpoch', (v) => ({
      ...since(v, 3, { replicaId: -2 }),
      topics: [{ topic: name, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
    }));
  }
}

export async function driveMetadata(driver: Driver, { topic, topicId, spare }: Stage): Promise<void> {
  await driver.each('ApiVersions', (v) => since(v, 3, { clientSoftwareName: 'capture', clientSoftwareVersion: '1' }));
  await driver.each('Metadata', (v) => ({
    topics: [topic, spare, noTopic].map((name) => ({ name })),
    ...since(v, 4, { allowAutoTopicCreation: false }),
    ...(v >= 8 && v <= 10 ? { includeClusterAuthorizedOperations: true } : {}),
    ...since(v, 8, { includeTopicAuthorizedOperations: true }),
  }));
  for (const v of (await driver.versions('Metadata')).filter((version) => version >= 12)) {
    const ids = [topicId, 'AAAAAAAAAAAAAAAAAAAAAQ'];
    await driver.ask('Metadata', v, {
      topics: ids.map((id) => ({ topicId: id, name: null })),
      allowAutoTopicCreation: false,
    });
  }
  await driver.each('DescribeCluster', (v) => ({
    includeClusterAuthorizedOperations: true,
    ...since(v, 1, { endpointType: 1 }),
  }));
  await driver.each('DescribeTopicPartitions', () => ({
    topics: [{ name: topic }, { name: noTopic }],
    responsePartitionLimit: 1,
    cursor: null,
  }));
  await driver.each('FindCoordinator', (v) => ({
    ...until(v, 3, { key: 'group-a' }),
    ...(v >= 1 ? { keyType: 0 } : {}),
    ...since(v, 4, { coordinatorKeys: ['group-a', 'group-b'] }),
  }));
  await driver.each('DescribeProducers', () => ({ topics: [{ name: topic, partitionIndexes: [0, 1] }] }));
  await driver.each('DescribeQuorum', () => ({
    topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
  }));
  await driver.each('DescribeLogDirs', () => ({ topics: [{ topic, partitions: [0, 1] }] }));
}

export async function driveTopics(driver: Driver, { spare, spareId }: Stage): Promise<void> {
  for (const version of await driver.versions('CreateTopics')) {
    const names = [`made-v${version}`, 'not/a/name'];
    const configs = [{ name: 'retention.ms', value: '60000' }];
    await driver.ask('CreateTopics', version, {
      topics: names.map((name) => ({ name, numPartitions: 1, replicationFactor: 1, configs })),
      timeoutMs: 10_000,
    });
  }
  await driver.each('DeleteTopics', (v) => ({
    ...until(v, 5, { topicNames: [`made-v${v + 1}`, noTopic] }),
    ...since(v, 6, { topics: [{ name: `made-v${v + 1}` }, { name: noTopic }] }),
    timeoutMs: 10_000,
  }));
  await driver.each('CreatePartitions', (v) => ({
    topics: [
      { name: spare, count: 2 + v },
      { name: noTopic, count: 2 },
    ],
    timeoutMs: 10_000,
    validateOnly: true,
  }));
  await driver.each('DeleteRecords', (v) => ({
    topics: [
      { name: spare, partitions: [{ partitionIndex: 0, offset: BigInt(v) }] },
      { name: noTopic, partitions: [{ partitionIndex: 0, offset: 0n }] },
    ],
    timeoutMs: 5_000,
  }));
  await driver.each('ElectLeaders', (v) => ({
    ...since(v, 1, { electionType: 0 }),
    topicPartitions: [
      { topic: spare, partitions: [0] },
      { topic: noTopic, partitions: [0] },
    ],
    timeoutMs: 5_000,
  }));
  await driver.each('AlterPartitionReassignments', () => ({
    timeoutMs: 5_000,
    topics: [
      { name: spare, partitions: [{ partitionIndex: 0, replicas: [0] }] },
      { name: noTopic, partitions: [{ partitionIndex: 0, replicas: [0] }] },
    ],
  }));
  await driver.each('ListPartitionReassignments', () => ({ timeoutMs: 5_000, topics: null }));
  await driver.each('AlterReplicaLogDirs', () => ({
    dirs: [{ path: '/no/such/folder', topics: [{ name: spare, partitions: [0] }] }],
  }));
  await driver.each('WriteTxnMarkers', () => ({
    markers: [
      {
        producerId: 4_000n,
        producerEpoch: 0,
        transactionResult: false,
        coordinatorEpoch: 0,
        topics: [{ name: spare, partitionIndexes: [0] }],
      },
    ],
  }));
  await driveShareState(driver, spareId);
}

/** Between brokers and the share coordinator (KIP-932); a super user may ask too. */
async function driveShareState(driver: Driver, topicId: string): Promise<void> {
  const groupId = 'share-state';
  const at = { partition: 0, leaderEpoch: 0 };
  await driver.each('InitializeShareGroupState', () => ({
    groupId,
    topics: [{ topicId, partitions: [{ partition: 0, stateEpoch: 1, startOffset: 0n }] }],
  }));
  await driver.each('WriteShareGroupState', () => ({
    groupId,
    topics: [
      {
        topicId,
        partitions: [
          {
            ...at,
            stateEpoch: 1,
            startOffset: 0n,
            stateBatches: [{ firstOffset: 0n, lastOffset: 4n, deliveryState: 2, deliveryCount: 1 }],
          },
        ],
      },
    ],
  }));
  await driver.each('ReadShareGroupState', () => ({ groupId, topics: [{ topicId, partitions: [at] }] }));
  await driver.each('ReadShareGroupStateSummary', () => ({ groupId, topics: [{ topicId, partitions: [at] }] }));
  await driver.each('DeleteShareGroupState', () => ({
    groupId,
    topics: [{ topicId, partitions: [{ partition: 0 }] }],
  }));
}
