import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shareSessionsPerConnectionMax } from '../../../lib/limits.ts';
import { type Draft, type ShareFetchRequest, type ShareFetchResponse, buildBatch } from '../protocol/protocol.ts';
import { shareAcknowledge } from './share-acknowledge.ts';
import { shareFetch } from './share-fetch.ts';
import { type Outcome, type World, ask, worldOf } from './testing.ts';

const a = 'AAAAAAAAAAAAAAAAAAAAAQ';
const b = 'AAAAAAAAAAAAAAAAAAAAAg';
const none = 'AAAAAAAAAAAAAAAAAAAAAw';
const topicsOfWorld: Readonly<Record<string, string>> = { [a]: 'a', [b]: 'b' };
const version = 2;
const acked = [{ firstOffset: 0n, lastOffset: 4n, acknowledgeTypes: [1] }];

function world(...permitted: string[]): World {
  return worldOf(['read group g', ...permitted], topicsOfWorld);
}

async function fetchOf(
  where: World,
  epoch: number,
  topics: Draft<ShareFetchRequest>['topics'] = [],
  more: Draft<ShareFetchRequest> = {},
): Promise<Outcome<'ShareFetch'>> {
  return await ask(where, shareFetch, version, {
    groupId: 'g',
    memberId: 'm',
    shareSessionEpoch: epoch,
    topics,
    ...more,
  });
}

const named = (topicId: string, ...partitions: number[]) => ({
  topicId,
  partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
});

/** Partitions as `topic:partition`, by the last character but one of the topic's id. */
function partitionsOf(topics: ShareFetchRequest['topics'] | undefined): string[] {
  return (topics ?? []).flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex }) => `${nameOf(topicId)}:${partitionIndex}`),
  );
}

function forgottenOf(outcome: Outcome<'ShareFetch'>): string[] {
  return (outcome.forwarded?.forgottenTopicsData ?? []).flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => `${nameOf(topicId)}:${partition}`),
  );
}

function errorsOf(response: ShareFetchResponse | null): string[] {
  return (response?.responses ?? []).flatMap(({ topicId, partitions }) =>
    partitions.map(
      ({ partitionIndex, errorCode, acknowledgeErrorCode }) =>
        `${nameOf(topicId)}:${partitionIndex}=${errorCode},${acknowledgeErrorCode}`,
    ),
  );
}

function nameOf(topicId: string): string {
  return topicId === none ? 'none' : (topicsOfWorld[topicId] ?? '?');
}

/** Batches of two records each. */
function recordsAt(...baseOffsets: bigint[]): Buffer {
  const record = (offsetDelta: number) => ({
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta,
    key: null,
    value: Buffer.from('x'),
    headers: [],
  });
  const header = {
    partitionLeaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: 1,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  };
  return Buffer.concat(baseOffsets.map((baseOffset) => buildBatch({ ...header, baseOffset }, [record(0), record(1)])));
}

describe('ShareFetch', () => {
  it('needs READ on the group', async () => {
    const outcome = await fetchOf(worldOf(['read topic a', 'describe group g'], topicsOfWorld), 0, [named(a, 0)]);
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode, outcome.answer?.responses], [null, 30, []]);
  });

  it('leaves denied and unknown topics out of the session and says so on each request', async () => {
    const where = world('read topic a 1');
    const first = await fetchOf(where, 0, [named(a, 0, 1), named(b, 0), named(none, 0)]);
    assert.deepEqual(partitionsOf(first.forwarded?.topics), ['a:1']);
    assert.deepEqual(errorsOf(await first.deliver({})), ['a:0=29,0', 'b:0=29,0', 'none:0=100,0']);
    const second = await fetchOf(where, 1);
    assert.deepEqual(partitionsOf(second.forwarded?.topics), []);
    assert.deepEqual(errorsOf(await second.deliver({})), ['a:0=29,0', 'b:0=29,0', 'none:0=100,0']);
  });

  it('forwards unread where nothing is denied', async () => {
    const where = world('read topic a');
    assert.equal((await fetchOf(where, 0, [named(a, 0)])).unread, true);
    assert.equal((await fetchOf(where, 1)).unread, true);
  });

  it("takes a revoked partition out of the broker's session, though the client does not name it again", async () => {
    const where = world('read topic a', 'read topic b');
    await fetchOf(where, 0, [named(a, 0), named(b, 0, 1)]);
    where.permitted.delete('read topic b');
    const next = await fetchOf(where, 1);
    assert.deepEqual(partitionsOf(next.forwarded?.topics), []);
    assert.deepEqual(forgottenOf(next), ['b:0', 'b:1']);
    assert.deepEqual(errorsOf(await next.deliver({})), ['b:0=29,0', 'b:1=29,0']);
    assert.deepEqual(forgottenOf(await fetchOf(where, 2)), [], 'forgotten once');
  });

  it('puts in what is granted later, though the client does not name it again', async () => {
    const where = world('read topic a');
    await fetchOf(where, 0, [named(a, 0), named(b, 0)]);
    where.permitted.add('read topic b');
    const next = await fetchOf(where, 1, [named(a, 7)]);
    assert.deepEqual(partitionsOf(next.forwarded?.topics), ['a:7', 'b:0']);
    assert.deepEqual(errorsOf(await next.deliver({})), []);
    assert.equal((await fetchOf(where, 2)).unread, true);
  });

  it('a topic that comes to be known later is fetched then', async () => {
    const where = world('read topic a', 'read topic late');
    await fetchOf(where, 0, [named(none, 0)]);
    where.topics.set(none, 'late');
    assert.deepEqual(partitionsOf((await fetchOf(where, 1)).forwarded?.topics), ['none:0']);
  });

  it('what the client forgets is neither answered nor put back', async () => {
    const where = world('read topic a');
    await fetchOf(where, 0, [named(a, 0), named(b, 0)]);
    const next = await fetchOf(where, 1, [], { forgottenTopicsData: [{ topicId: b, partitions: [0] }] });
    assert.deepEqual(errorsOf(await next.deliver({})), []);
    where.permitted.add('read topic b');
    assert.deepEqual(partitionsOf((await fetchOf(where, 2)).forwarded?.topics), []);
  });

  it('refuses acknowledgements of denied partitions, also in the request that ends the session', async () => {
    const where = world('read topic a');
    await fetchOf(where, 0, [named(a, 0), named(b, 0)]);
    const last = await fetchOf(where, -1, [
      { topicId: a, partitions: [{ partitionIndex: 0, acknowledgementBatches: acked }] },
      { topicId: b, partitions: [{ partitionIndex: 0, acknowledgementBatches: acked }] },
    ]);
    assert.deepEqual(partitionsOf(last.forwarded?.topics), ['a:0']);
    assert.deepEqual(errorsOf(await last.deliver({})), ['b:0=0,29']);
    assert.equal((await fetchOf(where, 1)).answer?.errorCode, 122, 'the session is over');
  });

  it('does not deliver what was revoked while the fetch waited', async () => {
    const where = world('read topic a', 'read topic b');
    const outcome = await fetchOf(where, 0, [named(a, 0), named(b, 0)]);
    where.permitted.delete('read topic b');
    const data = (topicId: string) => ({
      topicId,
      partitions: [
        {
          partitionIndex: 0,
          records: recordsAt(10n),
          acquiredRecords: [{ firstOffset: 10n, lastOffset: 11n, deliveryCount: 1 }],
        },
      ],
    });
    const delivered = await outcome.deliver({ responses: [data(a), data(b)] });
    assert.deepEqual(errorsOf(delivered), ['a:0=0,0', 'b:0=29,0']);
    assert.equal(delivered.responses[1]?.partitions[0]?.records?.length, 0);
    assert.deepEqual(delivered.responses[1]?.partitions[0]?.acquiredRecords, []);
    assert.deepEqual(where.flows, ['read a 0 10-11 2']);
    assert.equal(where.asked.at(-1), 'read topic b 0');
  });

  it('accounts runs of offsets, not what lies between them', async () => {
    const where = world('read topic a');
    const outcome = await fetchOf(where, 0, [named(a, 3)]);
    await outcome.deliver({
      responses: [{ topicId: a, partitions: [{ partitionIndex: 3, records: recordsAt(10n, 12n, 20n) }] }],
    });
    assert.deepEqual(where.flows, ['read a 3 10-13 4', 'read a 3 20-21 2']);
  });

  it('rewrites the leaders it names', async () => {
    const where = world('read topic a');
    const outcome = await fetchOf(where, 0, [named(a, 0)]);
    const delivered = await outcome.deliver({
      nodeEndpoints: [
        { nodeId: 2, host: 'inside', port: 1 },
        { nodeId: 9, host: 'inside-9', port: 1 },
      ],
    });
    assert.deepEqual(
      delivered.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, host, port]),
      [[2, 'gateway', 9002]],
    );
  });
});

describe('share sessions of others', () => {
  it('another connection that names the member cannot go on with its session, nor acknowledge in it', async () => {
    const where = world('read topic a');
    await fetchOf(where, 0, [named(a, 0)]);
    where.connection = {};
    for (const epoch of [1, -1]) {
      const stolen = await fetchOf(where, epoch);
      assert.deepEqual([stolen.forwarded, stolen.answer?.errorCode], [null, 122]);
      const acknowledged = await ask(where, shareAcknowledge, version, {
        groupId: 'g',
        memberId: 'm',
        shareSessionEpoch: epoch,
      });
      assert.deepEqual([acknowledged.forwarded, acknowledged.answer?.errorCode], [null, 122]);
    }
    assert.deepEqual(new Set(where.refusals), new Set(['share-session-unknown']));
  });

  it('a broker that refuses the session ends it here', async () => {
    const where = world('read topic a');
    const outcome = await fetchOf(where, 0, [named(a, 0), named(b, 0)]);
    const delivered = await outcome.deliver({ errorCode: 133 });
    assert.deepEqual([delivered.errorCode, delivered.responses], [133, []]);
    assert.equal((await fetchOf(where, 1)).answer?.errorCode, 122);
  });

  it('bounds the sessions of one connection', async () => {
    const where = world('read topic a');
    for (let index = 0; index < shareSessionsPerConnectionMax; index += 1) {
      await ask(where, shareFetch, version, { groupId: 'g', memberId: `m${index}`, shareSessionEpoch: 0 });
    }
    const outcome = await ask(where, shareFetch, version, { groupId: 'g', memberId: 'one-more', shareSessionEpoch: 0 });
    assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 133]);
  });

  it('a group and a member whose names run together are not another pair', async () => {
    const where = worldOf(['read group g', 'read group gm'], topicsOfWorld);
    await ask(where, shareFetch, version, { groupId: 'g', memberId: 'mm', shareSessionEpoch: 0 });
    const other = await ask(where, shareFetch, version, { groupId: 'gm', memberId: 'm', shareSessionEpoch: 1 });
    assert.equal(other.answer?.errorCode, 122);
  });
});

describe('ShareAcknowledge', () => {
  const partition = (partitionIndex: number) => ({ partitionIndex, acknowledgementBatches: acked });

  for (const ackVersion of [1, 2]) {
    it(`v${ackVersion}: refuses denied and unknown partitions and forwards the rest`, async () => {
      const where = world('read topic a');
      await fetchOf(where, 0, [named(a, 0)]);
      const outcome = await ask(where, shareAcknowledge, ackVersion, {
        groupId: 'g',
        memberId: 'm',
        shareSessionEpoch: 1,
        topics: [a, b, none].map((topicId) => ({ topicId, partitions: [partition(0)] })),
      });
      assert.deepEqual(
        outcome.forwarded?.topics.map(({ topicId }) => topicId),
        [a],
      );
      const delivered = await outcome.deliver({
        responses: [{ topicId: a, partitions: [{ partitionIndex: 0 }] }],
        nodeEndpoints: [{ nodeId: 1, host: 'inside', port: 1 }],
      });
      assert.deepEqual(
        delivered.responses.map(({ topicId, partitions }) => [topicId, partitions[0]?.errorCode]),
        [
          [a, 0],
          [b, 29],
          [none, 100],
        ],
      );
      assert.equal(delivered.nodeEndpoints[0]?.host, 'gateway');
    });
  }

  it('needs READ on the group, and ends the session at the final epoch', async () => {
    const where = world('read topic a');
    await fetchOf(where, 0, [named(a, 0)]);
    where.permitted.delete('read group g');
    const denied = await ask(where, shareAcknowledge, version, { groupId: 'g', memberId: 'm', shareSessionEpoch: 1 });
    assert.deepEqual([denied.forwarded, denied.answer?.errorCode], [null, 30]);
    where.permitted.add('read group g');
    const last = await ask(where, shareAcknowledge, version, { groupId: 'g', memberId: 'm', shareSessionEpoch: -1 });
    assert.equal(last.unread, true);
    assert.equal((await fetchOf(where, 1)).answer?.errorCode, 122);
  });
});
