import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchSessionDecidedMs, fetchSessionPartitionsMax } from '../../../lib/limits.ts';
import { type Draft, type FetchRequest, type FetchResponse, buildBatch } from '../protocol/protocol.ts';
import { fetch } from './fetch.ts';
import { type Outcome, type World, ask, worldOf } from './testing.ts';

const a = 'AAAAAAAAAAAAAAAAAAAAAQ';
const b = 'AAAAAAAAAAAAAAAAAAAAAg';
const none = 'AAAAAAAAAAAAAAAAAAAAAw';
const topicsOfWorld: Readonly<Record<string, string>> = { [a]: 'a', [b]: 'b' };
const byId = 17;
const byName = 11;

function world(...permitted: string[]): World {
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

async function fetchOf(
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
async function begun(where: World, version: number, id: number, ...partitions: string[]): Promise<FetchResponse> {
  const outcome = await fetchOf(where, version, [0, 0], partitions);
  assert.equal(outcome.forwarded?.sessionEpoch, 0);
  return await outcome.deliver({ sessionId: id });
}

function forgets(version: number, ...partitions: string[]): Draft<FetchRequest> {
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

function asked(outcome: Outcome<'Fetch'>): string[] {
  return (outcome.forwarded?.topics ?? []).flatMap((topic) =>
    topic.partitions.map(({ partition }) => `${nameOf(topic)}:${partition}`),
  );
}

function forgotten(outcome: Outcome<'Fetch'>): string[] {
  return (outcome.forwarded?.forgottenTopicsData ?? []).flatMap((topic) =>
    topic.partitions.map((partition) => `${nameOf(topic)}:${partition}`),
  );
}

function codes(response: FetchResponse | null): string[] {
  return (response?.responses ?? []).flatMap((topic) =>
    topic.partitions.map(({ partitionIndex, errorCode }) => `${nameOf(topic)}:${partitionIndex}=${errorCode}`),
  );
}

/** One batch of two records. */
function records(baseOffset: bigint): Buffer {
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

describe('Fetch without a session', () => {
  for (const version of [4, 7, byName, 12, 13, byId, 18]) {
    it(`v${version}: what may be read goes on as it came`, async () => {
      const outcome = await fetchOf(world('a', 'b'), version, [0, -1], ['a:0', 'b:3']);
      assert.equal(outcome.unread, true);
      assert.deepEqual(codes(await outcome.deliver({})), []);
    });

    it(`v${version}: what may not be read is kept from the broker, and answered with 29`, async () => {
      const outcome = await fetchOf(world('a 1'), version, [0, -1], ['a:0', 'a:1', 'b:0']);
      assert.deepEqual(asked(outcome), ['a:1']);
      assert.deepEqual(codes(await outcome.deliver({})), ['a:0=29', 'b:0=29']);
    });
  }

  it('what is all denied is answered at once', async () => {
    const outcome = await fetchOf(world(), byId, [0, 0], ['a:0', 'b:0']);
    assert.equal(outcome.forwarded, null);
    assert.deepEqual([outcome.answer?.sessionId, ...codes(outcome.answer)], [0, 'a:0=29', 'b:0=29']);
  });

  it('an id that no topic has', async () => {
    const outcome = await fetchOf(world('a', 'none'), byId, [0, -1], ['a:0', 'none:0']);
    assert.deepEqual(asked(outcome), ['a:0']);
    assert.deepEqual(codes(await outcome.deliver({})), ['none:0=100']);
  });

  it('followers get nothing', async () => {
    for (const [version, replica] of [
      [byName, { replicaId: 1 }],
      [byId, { replicaState: { replicaId: 1, replicaEpoch: 1n } }],
    ] as const) {
      const where = world('a');
      const outcome = await fetchOf(where, version, [0, -1], ['a:0'], replica);
      assert.deepEqual([outcome.forwarded, ...codes(outcome.answer)], [null, 'a:0=29']);
      assert.deepEqual(where.refusals, ['follower-fetch']);
    }
  });

  it('what is delivered is accounted, and brokers get the addresses of the gateway', async () => {
    const where = world('a');
    const outcome = await fetchOf(where, byId, [0, -1], ['a:0']);
    const delivered = await outcome.deliver({
      responses: [{ topicId: a, partitions: [{ partitionIndex: 0, records: records(7n) }] }],
      nodeEndpoints: [
        { nodeId: 2, host: 'behind', port: 1 },
        { nodeId: 9, host: 'beyond', port: 1 },
      ],
    });
    assert.deepEqual(where.flows, ['read a 0 7-8 2']);
    assert.deepEqual(
      delivered.nodeEndpoints.map(({ host, port }) => `${host}:${port}`),
      ['gateway:9002'],
    );
  });

  it('what was taken away while the broker waited is not delivered', async () => {
    const where = world('a', 'b');
    const outcome = await fetchOf(where, byId, [0, 0], ['a:0', 'b:0']);
    where.permitted.delete('read topic b');
    where.revision = 'r2';
    const partitions = [{ partitionIndex: 0, records: records(7n) }];
    const delivered = await outcome.deliver({
      sessionId: 9,
      responses: [
        { topicId: a, partitions },
        { topicId: b, partitions },
      ],
    });
    assert.deepEqual(codes(delivered), ['a:0=0', 'b:0=29']);
    assert.equal(delivered.responses[1]?.partitions[0]?.records?.length, 0);
    assert.deepEqual(where.flows, ['read a 0 7-8 2']);
    assert.deepEqual(forgotten(await fetchOf(where, byId, [9, 1])), ['b:0'], 'and leaves the session');
  });
});

for (const version of [7, byName, 12, 13, byId, 18]) {
  describe(`A fetch session, v${version}`, () => {
    it("is the broker's where all is permitted: requests and answers go on as they came", async () => {
      const where = world('a', 'b');
      assert.equal((await begun(where, version, 9, 'a:0')).sessionId, 9);
      const second = await fetchOf(where, version, [9, 1]);
      assert.equal(second.unread, true);
      assert.equal((await second.deliver({ sessionId: 9 })).sessionId, 9);
      assert.equal((await fetchOf(where, version, [9, 2], ['b:1'])).unread, true);
      assert.equal((await fetchOf(where, version, [9, 3], [], forgets(version, 'a:0'))).unread, true);
      assert.deepEqual(where.refusals, []);
    });

    it('decides about what a request adds', async () => {
      const where = world('a');
      await begun(where, version, 9, 'a:0');
      const next = await fetchOf(where, version, [9, 1], ['a:1', 'b:0']);
      assert.deepEqual(asked(next), ['a:1']);
      assert.deepEqual([next.forwarded?.sessionId, next.forwarded?.sessionEpoch], [9, 1]);
      assert.deepEqual(codes(await next.deliver({ sessionId: 9 })), ['b:0=29']);
    });

    it('repeats what is denied in every answer, and keeps it from the broker', async () => {
      const where = world('a');
      const first = await begun(where, version, 9, 'a:0', 'b:0');
      assert.deepEqual([first.sessionId, ...codes(first)], [9, 'b:0=29']);
      for (const epoch of [1, 2]) {
        const next = await fetchOf(where, version, [9, epoch]);
        assert.equal(next.unread, true);
        assert.deepEqual(codes(await next.deliver({ sessionId: 9 })), ['b:0=29']);
      }
      const without = await fetchOf(where, version, [9, 3], [], forgets(version, 'b:0'));
      assert.deepEqual(codes(await without.deliver({ sessionId: 9 })), []);
    });

    it("takes what was revoked out of the broker's session, though the client does not name it", async () => {
      const where = world('a', 'b');
      await begun(where, version, 9, 'a:0', 'b:0', 'b:1');
      where.permitted.delete('read topic b');
      where.revision = 'r2';
      const next = await fetchOf(where, version, [9, 1]);
      assert.deepEqual([asked(next), forgotten(next)], [[], ['b:0', 'b:1']]);
      assert.deepEqual(codes(await next.deliver({ sessionId: 9 })), ['b:0=29', 'b:1=29']);
      const after = await fetchOf(where, version, [9, 2]);
      assert.equal(after.unread, true, 'forgotten once');
      assert.deepEqual(codes(await after.deliver({ sessionId: 9 })), ['b:0=29', 'b:1=29']);
    });

    it('takes out what is named and denied now', async () => {
      const where = world('a', 'b');
      await begun(where, version, 9, 'a:0', 'b:0');
      where.permitted.delete('read topic b');
      const next = await fetchOf(where, version, [9, 1], ['b:0']);
      assert.deepEqual([asked(next), forgotten(next)], [[], ['b:0']]);
    });

    it('puts in what is granted later, as the client last wanted it', async () => {
      const where = world('a');
      await begun(where, version, 9, 'a:0', 'b:0');
      where.permitted.add('read topic b');
      const next = await fetchOf(where, version, [9, 1], ['a:7']);
      assert.deepEqual(asked(next), ['a:7', 'b:0']);
      assert.equal(next.forwarded?.topics[1]?.partitions[0]?.fetchOffset, 5n);
      assert.deepEqual(codes(await next.deliver({ sessionId: 9 })), []);
      assert.equal((await fetchOf(where, version, [9, 2])).unread, true);
    });

    it('begins anew where what was taken away comes back: only the client knows from where to read it', async () => {
      const where = world('a', 'b');
      await begun(where, version, 9, 'a:0', 'b:0');
      where.permitted.delete('read topic b');
      where.revision = 'r2';
      await (await fetchOf(where, version, [9, 1])).deliver({ sessionId: 9 });
      where.permitted.add('read topic b');
      where.revision = 'r3';
      const closing = await fetchOf(where, version, [9, 2]);
      assert.deepEqual([closing.forwarded?.sessionId, closing.forwarded?.sessionEpoch, asked(closing)], [9, -1, []]);
      const told = await closing.deliver({});
      assert.deepEqual([told.errorCode, told.sessionId], [70, 0]);
      assert.equal((await fetchOf(where, version, [9, 3])).answer?.errorCode, 70);
      assert.deepEqual(where.refusals, [], 'that is no guess');
    });

    it('ends where all of it is denied', async () => {
      const where = world('a');
      await begun(where, version, 9, 'a:0', 'b:0');
      where.permitted.clear();
      where.revision = 'r2';
      const last = await fetchOf(where, version, [9, 1]);
      assert.deepEqual(forgotten(last), ['a:0']);
      const delivered = await last.deliver({ sessionId: 0 });
      assert.deepEqual(codes(delivered).toSorted(), ['a:0=29', 'b:0=29']);
      assert.equal((await fetchOf(where, version, [9, 2])).answer?.errorCode, 70);
    });

    it('of another connection, or of nobody, is refused and never reaches the broker', async () => {
      const where = world('a');
      await begun(where, version, 9, 'a:0');
      const thief: World = { ...where, connection: {} };
      for (const id of [9, 4_711, -1, 0]) {
        const outcome = await fetchOf(thief, version, [id, 1], ['a:0']);
        assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 70]);
      }
      assert.deepEqual(where.refusals, Array<string>(4).fill('fetch-session-unknown'));
    });

    it('of another connection cannot be closed', async () => {
      const where = world('a');
      await begun(where, version, 9, 'a:0');
      const thief: World = { ...where, connection: {} };
      for (const epoch of [0, -1]) {
        const outcome = await fetchOf(thief, version, [9, epoch], ['a:0']);
        assert.deepEqual([outcome.forwarded?.sessionId, outcome.forwarded?.sessionEpoch], [0, epoch]);
      }
      assert.deepEqual(where.refusals, Array<string>(2).fill('fetch-session-unknown'));
      assert.equal((await fetchOf(where, version, [9, -1])).unread, true, 'but by its own');
      assert.equal((await fetchOf(where, version, [9, 1])).answer?.errorCode, 70, 'and then it is not there');
    });

    it('at another epoch is refused with 71 and stays as it was', async () => {
      const where = world('a', 'b');
      await begun(where, version, 9, 'a:0', 'b:0');
      for (const epoch of [2, 0x7fff_ffff, -7]) {
        const outcome = await fetchOf(where, version, [9, epoch], [], forgets(version, 'b:0'));
        assert.deepEqual([outcome.forwarded, outcome.answer?.errorCode], [null, 71]);
      }
      where.permitted.delete('read topic b');
      where.revision = 'r2';
      assert.deepEqual(forgotten(await fetchOf(where, version, [9, 1])), ['b:0'], 'b is still held');
    });

    it('is over when the broker says so', async () => {
      for (const answer of [{ errorCode: 70 }, { errorCode: 71 }, { sessionId: 0 }, { sessionId: 10 }]) {
        const where = world('a');
        await begun(where, version, 9, 'a:0', 'b:0');
        const next = await fetchOf(where, version, [9, 1]);
        const delivered = await next.deliver(answer);
        if (answer.errorCode !== undefined) assert.deepEqual(codes(delivered), []);
        assert.equal((await fetchOf(where, version, [9, 2])).answer?.errorCode, 70);
        assert.deepEqual(where.refusals, []);
      }
    });
  });
}

describe('Fetch sessions', () => {
  it('are by name or by id, not both', async () => {
    const where = world('a');
    await begun(where, byId, 9, 'a:0');
    assert.equal((await fetchOf(where, byName, [9, 1], ['a:0'])).answer?.errorCode, 106);
    await begun(where, byName, 10, 'a:0');
    assert.equal((await fetchOf(where, byId, [10, 1], ['a:0'])).answer?.errorCode, 106);
  });

  it('decide anew after a while, though the revision is the same: conditions may speak of the time', async (t) => {
    const where = world('a', 'b');
    let nowMs = 1_000;
    t.mock.method(performance, 'now', () => nowMs);
    await begun(where, byId, 9, 'a:0', 'b:0');
    where.permitted.delete('read topic b');
    nowMs += fetchSessionDecidedMs;
    assert.deepEqual(forgotten(await fetchOf(where, byId, [9, 1])), ['b:0']);
  });

  it('ask nothing of the policy again within that while', async (t) => {
    const where = world('a', 'b');
    t.mock.method(performance, 'now', () => 1_000);
    await begun(where, byId, 9, 'a:0', 'b:0');
    where.asked.length = 0;
    await fetchOf(where, byId, [9, 1]);
    assert.deepEqual(where.asked, []);
  });

  it('a topic that comes to be known later is fetched then', async () => {
    const where = world('a', 'late');
    await begun(where, byId, 9, 'a:0', 'none:0');
    where.topics.set(none, 'late');
    assert.deepEqual(asked(await fetchOf(where, byId, [9, 1])), ['none:0']);
  });

  it('are not made for a client that makes nothing of them', async () => {
    const where = world('a');
    for (const id of [9, 10, 11]) await begun(where, byId, id, 'a:0');
    const fourth = await fetchOf(where, byId, [0, 0], ['a:0']);
    assert.deepEqual([fourth.forwarded?.sessionEpoch, asked(fourth)], [-1, ['a:0']]);
  });

  it('are made again and again for a client that goes on with them', async () => {
    const where = world('a');
    for (const id of [9, 10, 11, 12, 13]) {
      await begun(where, byId, id, 'a:0');
      await fetchOf(where, byId, [id, 1]);
    }
    for (const [id, code] of [
      [9, 70],
      [13, undefined],
    ] as const) {
      assert.equal((await fetchOf(where, byId, [id, 2])).answer?.errorCode, code, 'the oldest ended');
    }
  });

  it('hold so many partitions and no more', async () => {
    const where = world('a');
    const topic = (from: number, count: number) => ({
      topicId: a,
      partitions: Array.from({ length: count }, (_, index) => ({ partition: from + index, fetchOffset: 0n })),
    });
    const many = await ask(where, fetch, byId, { sessionEpoch: 0, topics: [topic(0, fetchSessionPartitionsMax + 1)] });
    assert.equal(many.forwarded?.sessionEpoch, -1);
    const most = await ask(where, fetch, byId, { sessionEpoch: 0, topics: [topic(0, fetchSessionPartitionsMax)] });
    assert.equal(most.unread, true);
    await most.deliver({ sessionId: 9 });
    const more = await ask(where, fetch, byId, {
      sessionId: 9,
      sessionEpoch: 1,
      topics: [topic(fetchSessionPartitionsMax, 1)],
    });
    assert.equal(more.forwarded?.sessionEpoch, -1);
    assert.equal((await more.deliver({})).errorCode, 70);
  });

  it('an answer of a broker that throttles has nothing added to it', async () => {
    const where = world('a');
    await begun(where, byId, 9, 'a:0', 'b:0');
    const next = await fetchOf(where, byId, [9, 1]);
    assert.deepEqual(codes(await next.deliver({ sessionId: 9, throttleTimeMs: 50 })), []);
  });

  it('where all of a request that closes one is denied, the broker still closes it', async () => {
    const where = world('a');
    await begun(where, byId, 9, 'a:0');
    const last = await fetchOf(where, byId, [9, 0], ['b:0']);
    assert.deepEqual([last.forwarded?.sessionId, last.forwarded?.sessionEpoch, asked(last)], [9, -1, []]);
    assert.deepEqual(codes(await last.deliver({})), ['b:0=29']);
  });
});
