/** Every API that clients may use, by its handler; and for each that they may not, why. */
import type { ApiName } from '../protocol/protocol.ts';
import { apiByName } from '../protocol/protocol.ts';
import { createAcls, deleteAcls, describeAcls } from './acls.ts';
import { alterConfigs, describeConfigs, incrementalAlterConfigs, listConfigResources } from './configs.ts';
import {
  alterUserScramCredentials,
  createDelegationToken,
  describeDelegationToken,
  describeUserScramCredentials,
  expireDelegationToken,
  renewDelegationToken,
} from './credentials.ts';
import { describeCluster } from './describe-cluster.ts';
import { describeTopicPartitions } from './describe-topic-partitions.ts';
import { listOffsets, offsetForLeaderEpoch } from './list-offsets.ts';
import { alterReplicaLogDirs, describeLogDirs } from './log-dirs.ts';
import { alterPartitionReassignments, electLeaders, listPartitionReassignments } from './partition-placement.ts';
import { addRaftVoter, describeQuorum, removeRaftVoter, unregisterBroker, updateFeatures } from './quorum.ts';
import { alterClientQuotas, describeClientQuotas } from './quotas.ts';
import { getTelemetrySubscriptions, pushTelemetry } from './telemetry.ts';
import { shareAcknowledge } from './share-acknowledge.ts';
import { shareFetch } from './share-fetch.ts';
import { shareGroupHeartbeat } from './share-group-heartbeat.ts';
import { alterShareGroupOffsets, deleteShareGroupOffsets, describeShareGroupOffsets } from './share-group-offsets.ts';
import { streamsGroupHeartbeat } from './streams-group-heartbeat.ts';
import { describeProducers, describeTransactions, listTransactions } from './transaction-views.ts';
import { addOffsetsToTxn, addPartitionsToTxn, endTxn, initProducerId } from './transactions.ts';
import { txnOffsetCommit } from './txn-offset-commit.ts';
import { deleteTopics } from './delete-topics.ts';
import { createPartitions, createTopics, deleteRecords } from './topic-administration.ts';
import { fetch } from './fetch.ts';
import { findCoordinator } from './find-coordinator.ts';
import { consumerGroupDescribe, shareGroupDescribe, streamsGroupDescribe } from './group-descriptions.ts';
import { consumerGroupHeartbeat } from './consumer-group-heartbeat.ts';
import { heartbeat, joinGroup, leaveGroup, syncGroup } from './group-membership.ts';
import { deleteGroups, describeGroups, listGroups } from './groups.ts';
import { offsetCommit, offsetDelete } from './offset-commit.ts';
import { offsetFetch } from './offset-fetch.ts';
import type { ApiHandler } from './handler.ts';
import { metadata } from './metadata.ts';
import { produce } from './produce.ts';

type AnyHandler = { [N in ApiName]: ApiHandler<N> }[ApiName];

const all: readonly AnyHandler[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  txnOffsetCommit,
  describeAcls,
  createAcls,
  deleteAcls,
  describeConfigs,
  alterConfigs,
  alterReplicaLogDirs,
  describeLogDirs,
  createPartitions,
  createDelegationToken,
  renewDelegationToken,
  expireDelegationToken,
  describeDelegationToken,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeClientQuotas,
  alterClientQuotas,
  describeUserScramCredentials,
  alterUserScramCredentials,
  describeQuorum,
  updateFeatures,
  describeCluster,
  describeProducers,
  unregisterBroker,
  describeTransactions,
  listTransactions,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  getTelemetrySubscriptions,
  pushTelemetry,
  listConfigResources,
  describeTopicPartitions,
  shareGroupHeartbeat,
  shareGroupDescribe,
  shareFetch,
  shareAcknowledge,
  addRaftVoter,
  removeRaftVoter,
  streamsGroupHeartbeat,
  streamsGroupDescribe,
  describeShareGroupOffsets,
  alterShareGroupOffsets,
  deleteShareGroupOffsets,
];

const betweenBrokers = 'brokers speak it among themselves, and no broker comes through the gateway';
const betweenControllers = 'controllers and brokers speak it among themselves, on a listener of their own';
const removed = 'Kafka has removed it';

/** Why an API of the specification has no handler. It is not advertised, and a request for it is refused. */
export const unserved: Readonly<Record<number, string>> = {
  4: removed,
  5: removed,
  6: removed,
  7: removed,
  17: 'SaslHandshake: the gateway authenticates clients itself (authentication.ts)',
  18: 'ApiVersions: the gateway answers it itself (api-versions.ts)',
  27: betweenBrokers,
  36: 'SaslAuthenticate: the gateway authenticates clients itself (authentication.ts)',
  52: betweenControllers,
  53: betweenControllers,
  54: betweenControllers,
  56: betweenControllers,
  58: betweenControllers,
  59: betweenControllers,
  62: betweenControllers,
  63: betweenControllers,
  67: betweenControllers,
  70: betweenControllers,
  73: betweenControllers,
  82: betweenControllers,
  83: betweenBrokers,
  84: betweenBrokers,
  85: betweenBrokers,
  86: betweenBrokers,
  87: betweenBrokers,
};

/** The handlers as the table of what is served. */
export const handlers: readonly {
  readonly name: ApiName;
  readonly versions: { readonly min: number; readonly max: number };
}[] = all;

const byKey = new Map<number, AnyHandler>(all.map((handler) => [apiByName(handler.name).key, handler]));

/** The handler of an API key. Its type parameter is lost in the table; whoever decodes does so by the handler's own name. */
export function handlerFor(apiKey: number): ApiHandler<ApiName> | undefined {
  return byKey.get(apiKey) as ApiHandler<ApiName> | undefined;
}
