/** Fetches from the broker what a recording refers to, and tells what is older than the broker keeps from what is another thing now. */
import { messageOf } from '../../../lib/errors.ts';
import {
  type FetchRequest,
  type FetchResponsePartitionData,
  type Draft,
  batches,
  codecOf,
  errorCodes,
} from '../protocol/protocol.ts';
import { type ClusterClient, named, versions } from './cluster-client.ts';
import type { Link } from './link.ts';
import type { Reference, Resolver, Verdict } from './contract.ts';

/** Where in a batch the bytes begin that its digest is over, as the recorder has it. */
const deliveredFrom = 21;
const producedFrom = 61;
const fetchWaitMs = 500;
const fetchSlackBytes = 65_536;
const earliest = -2n;
const latest = -1n;

export function brokerResolver(cluster: ClusterClient): Resolver {
  return async (reference, digest) => {
    try {
      return await resolve(cluster, reference, digest);
    } catch (error) {
      return { verdict: 'unreadable', detail: messageOf(error) };
    }
  };
}

interface Missing {
  readonly verdict: Verdict;
  readonly detail: string;
}

async function resolve(
  cluster: ClusterClient,
  reference: Reference,
  digest: (parts: readonly Buffer[]) => Buffer,
): Promise<{ readonly batch: Buffer } | Missing> {
  const { topic, partition, offset } = reference;
  const fetched = await cluster.ofLeader(topic, partition, async (link) => await fetchAt(link, reference));
  if (fetched === null) return { verdict: 'gone', detail: `there is no ${topic}-${partition} for you now` };
  if (fetched.code === errorCodes.OFFSET_OUT_OF_RANGE) return await outOfRange(cluster, reference);
  if (fetched.code === errorCodes.UNKNOWN_TOPIC_OR_PARTITION)
    return { verdict: 'gone', detail: `there is no ${topic}-${partition} now` };
  if (fetched.code !== 0) return { verdict: 'unreadable', detail: `the broker answers ${named(fetched.code)}` };
  const records = fetched.answer?.records ?? null;
  const [header] = records === null ? [] : batches(records);
  if (records === null || header === undefined) return await outOfRange(cluster, reference);
  const last = header.baseOffset + BigInt(header.lastOffsetDelta);
  if (header.baseOffset > offset) return (await startsAfter(cluster, reference)) ?? gap(reference, header.baseOffset);
  const batch = records.subarray(header.position, header.position + header.sizeBytes);
  if (header.baseOffset !== offset || last !== offset + BigInt(reference.lastOffsetDelta))
    return altered(reference, `a batch from ${header.baseOffset} to ${last} stands there now`);
  const produced = reference.direction === 'produced';
  if (produced && codecOf(header.attributes) !== reference.codec)
    return {
      verdict: 'unreadable',
      detail: `the broker keeps it compressed by ${codecOf(header.attributes)}, and it was produced with ${reference.codec}: the two cannot be compared`,
    };
  const compared = digest([batch.subarray(produced ? producedFrom : deliveredFrom)]).toString('base64url');
  if (compared !== reference.digest) return altered(reference, 'its bytes are not those that were recorded');
  return { batch: Buffer.from(batch) };
}

function altered({ topic, partition, offset }: Reference, detail: string): Missing {
  return { verdict: 'altered', detail: `${topic}-${partition} at ${offset}: ${detail}` };
}

function gap(reference: Reference, next: bigint): Missing {
  return altered(
    reference,
    `nothing stands there, and the next batch begins at ${next} (compacted, or the topic was made anew)`,
  );
}

/** Nothing at that offset: below the log's start it has expired; at or behind its end there never was such a record. */
async function outOfRange(cluster: ClusterClient, reference: Reference): Promise<Missing> {
  const expired = await startsAfter(cluster, reference);
  if (expired !== null) return expired;
  const end = await offsetOf(cluster, reference, latest);
  if (end !== null && reference.offset >= end)
    return altered(reference, `the log ends at ${end}: the topic was made anew, or lost what it had`);
  return { verdict: 'unreadable', detail: 'the broker gives nothing at that offset' };
}

async function startsAfter(cluster: ClusterClient, reference: Reference): Promise<Missing | null> {
  const start = await offsetOf(cluster, reference, earliest);
  if (start === null || reference.offset >= start) return null;
  const { topic, partition, offset } = reference;
  const detail = `${topic}-${partition} at ${offset} is older than what the broker keeps, which begins at ${start}`;
  return { verdict: 'expired', detail };
}

async function offsetOf(cluster: ClusterClient, { topic, partition }: Reference, at: bigint): Promise<bigint | null> {
  const found = await cluster.ofLeader(topic, partition, async (link) => {
    const { topics } = await link.ask('ListOffsets', versions.ListOffsets, {
      replicaId: -1,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: at }] }],
    });
    const answer = topics[0]?.partitions[0];
    return { code: answer?.errorCode ?? 0, answer: answer?.offset ?? null };
  });
  return found !== null && found.code === 0 ? found.answer : null;
}

async function fetchAt(
  link: Link,
  { topic, partition, offset, bytes }: Reference,
): Promise<{ code: number; answer: FetchResponsePartitionData | null }> {
  const partitionMaxBytes = bytes + fetchSlackBytes;
  const request: Draft<FetchRequest> = {
    replicaId: -1,
    maxWaitMs: fetchWaitMs,
    minBytes: 1,
    maxBytes: partitionMaxBytes,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes }] }],
  };
  const { errorCode, responses } = await link.ask('Fetch', versions.Fetch, request);
  const answer = responses[0]?.partitions[0] ?? null;
  return { code: errorCode === 0 ? (answer?.errorCode ?? 0) : errorCode, answer };
}
