import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchSessionDecidedMs, fetchSessionPartitionsMax } from '../../../lib/limits.ts';
import { fetch } from './fetch.ts';
import { type World, ask } from './testing.ts';
import { a, asked, begun, byId, byName, codes, fetchOf, forgets, forgotten, none, world } from './testing/fetches.ts';

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
