/** A client's fetches, with a session and without, and what became of them. */
import assert from 'node:assert/strict';
import { type Draft, type FetchRequest, type FetchResponse, buildBatch } from '../../protocol/protocol.ts';
import { fetch } from '../fetch.ts';
import { type Outcome, type World, ask, worldOf } from '../testing.ts';

export const a = 'AAAAAAAAAAAAAAAAAAAAAQ';
export const b = 'AAAAAAAAAAAAAAAAAAAAAg';
export const none = 'AAAAAAAAAAAAAAAAAAAAAw';
const topicsOfWorld: Readonly<Record<string, string>> = { [a]: 'a', [b]: 'b' };
export const byId = 17;
export const byName = 11;

export function world(...permitted: string[]): World {
  return worldOf(
    permitted.map((topic) => `read topic ${topic}`),
    topicsOfWorld,
  );
}

/** `a:0`, by name or by id as the version has it. */
function named(version: number, ...partitions: string[]): Draft<FetchRequest>['topics'] {
  return partitions.map((text) => {
    const [topic = '', partition] = text.split(':');
    const id = { a, b, none }[topic] ?? none;
    return {
      ...(version >= 13 ? { topicId: id } : { topic }),
      partitions: [{ partition: Number(partition), fetchOffset: 5n, partitionMaxBytes: 1_000 }],
    };
  });
}

export async function fetchOf(
  where: World,
  version: number,
  session: readonly [id: number, epoch: number],
  partitions: readonly string[] = [],
  more: Draft<FetchRequest> = {},
): Promise<Outcome<'Fetch'>> {
  const [sessionId, sessionEpoch] = session;
  const topics = named(version, ...partitions);
  return await ask(where, fetch, version, { ...(version >= 7 && { sessionId, sessionEpoch }), topics, ...more });
}

/** Begins a session, to which the broker gives the id. */
export async function begun(
  where: World,
  version: number,
  id: number,
  ...partitions: string[]
): Promise<FetchResponse> {
  const outcome = await fetchOf(where, version, [0, 0], partitions);
  assert.equal(outcome.forwarded?.sessionEpoch, 0);
  return await outcome.deliver({ sessionId: id });
}

export function forgets(version: number, ...partitions: string[]): Draft<FetchRequest> {
  const topics = named(version, ...partitions) ?? [];
  return {
    forgottenTopicsData: topics.map(({ topic, topicId, partitions: indexes }) => ({
      ...(topic !== undefined && { topic }),
      ...(topicId !== undefined && { topicId }),
      partitions: (indexes ?? []).map(({ partition = 0 }) => partition),
    })),
  };
}

const nameOf = (topic: { topic: string; topicId: string }): string =>
  topic.topic === '' ? (topicsOfWorld[topic.topicId] ?? 'none') : topic.topic;

export function asked(outcome: Outcome<'Fetch'>): string[] {
  return (outcome.forwarded?.topics ?? []).flatMap((topic) =>
    topic.partitions.map(({ partition }) => `${nameOf(topic)}:${partition}`),
  );
}

export function forgotten(outcome: Outcome<'Fetch'>): string[] {
  return (outcome.forwarded?.forgottenTopicsData ?? []).flatMap((topic) =>
    topic.partitions.map((partition) => `${nameOf(topic)}:${partition}`),
  );
}

export function codes(response: FetchResponse | null): string[] {
  return (response?.responses ?? []).flatMap((topic) =>
    topic.partitions.map(({ partitionIndex, errorCode }) => `${nameOf(topic)}:${partitionIndex}=${errorCode}`),
  );
}

/** One batch of two records. */
export function records(baseOffset: bigint): Buffer {
  const header = {
    baseOffset,
    partitionLeaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: 1,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  };
  const record = (offsetDelta: number) => ({
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta,
    key: null,
    value: Buffer.from('x'),
    headers: [],
  });
  return buildBatch(header, [record(0), record(1)]);
}
