import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { a, asked, b, byId, byName, codes, fetchOf, forgotten, records, world } from './testing/fetches.ts';

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
