/** What a fetch is answered where nothing may be fetched. */
import type {
  FetchRequest,
  FetchResponseFetchableTopicResponse,
  FetchResponsePartitionData,
} from '../protocol/protocol.ts';

const nothing: Buffer = Buffer.alloc(0);

/** Every partition that the request names, with one error. */
export function everyPartition(request: FetchRequest, code: number): FetchResponseFetchableTopicResponse[] {
  return request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => refusedPartition(partition, code)),
  }));
}

export function refusedPartition(partitionIndex: number, errorCode: number): FetchResponsePartitionData {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1n,
    lastStableOffset: -1n,
    logStartOffset: -1n,
    divergingEpoch: { epoch: -1, endOffset: -1n },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1n, epoch: -1 },
    abortedTransactions: [],
    preferredReadReplica: -1,
    records: nothing,
  };
}
