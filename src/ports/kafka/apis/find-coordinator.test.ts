import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCoordinator } from './find-coordinator.ts';
import { ask, worldOf } from './testing.ts';

const broker = (nodeId: number) => ({ nodeId, host: `inside-${nodeId}`, port: 9092 });

describe('FindCoordinator', () => {
  for (const version of [0, 3]) {
    it(`v${version}: DESCRIBE on the group, else 30 and no address`, async () => {
      const outcome = await ask(worldOf(['read topic g', 'describe transactional-id g']), findCoordinator, version, {
        key: 'g',
      });
      assert.equal(outcome.forwarded, null);
      assert.deepEqual(
        [outcome.answer?.errorCode, outcome.answer?.nodeId, outcome.answer?.host, outcome.answer?.port],
        [30, -1, '', -1],
      );
    });

    it(`v${version}: the address is the gateway's`, async () => {
      const world = worldOf(['describe group g']);
      const delivered = await (await ask(world, findCoordinator, version, { key: 'g' })).deliver(broker(2));
      assert.deepEqual(
        [delivered.errorCode, delivered.nodeId, delivered.host, delivered.port],
        [0, 2, 'gateway', 9002],
      );
      assert.deepEqual(world.learned, [broker(2)]);
    });

    it(`v${version}: a broker without an address at the gateway stays hidden`, async () => {
      const delivered = await (
        await ask(worldOf(['describe group g']), findCoordinator, version, { key: 'g' })
      ).deliver(broker(9));
      assert.deepEqual([delivered.errorCode, delivered.nodeId, delivered.host, delivered.port], [15, -1, '', -1]);
    });
  }

  it('v6: each key by itself', async () => {
    const outcome = await ask(worldOf(['describe transactional-id mine']), findCoordinator, 6, {
      keyType: 1,
      coordinatorKeys: ['mine', 'yours'],
    });
    assert.deepEqual(outcome.forwarded?.coordinatorKeys, ['mine']);
    const delivered = await outcome.deliver({ coordinators: [{ key: 'mine', ...broker(1), errorMessage: null }] });
    assert.deepEqual(
      delivered.coordinators.map(({ key, nodeId, host, port, errorCode }) => [key, nodeId, host, port, errorCode]),
      [
        ['mine', 1, 'gateway', 9001, 0],
        ['yours', -1, '', -1, 53],
      ],
    );
  });

  it('v6: everything denied is answered here', async () => {
    const outcome = await ask(worldOf(['describe group g']), findCoordinator, 6, {
      keyType: 1,
      coordinatorKeys: ['g'],
    });
    assert.equal(outcome.forwarded, null);
    assert.equal(outcome.answer?.coordinators[0]?.errorCode, 53);
  });

  it('share coordinators are for brokers', async () => {
    const request = { keyType: 2, coordinatorKeys: ['g:AAAAAAAAAAAAAAAAAAAAAQ:0'] };
    const no = await ask(worldOf(['describe group g']), findCoordinator, 6, request);
    assert.deepEqual([no.forwarded, no.answer?.coordinators[0]?.errorCode], [null, 31]);
    const yes = await ask(worldOf(['cluster-action cluster kafka-cluster']), findCoordinator, 6, request);
    const delivered = await yes.deliver({ coordinators: [{ key: 'x', ...broker(3) }] });
    assert.equal(delivered.coordinators[0]?.host, 'gateway');
  });

  it('a key type that nobody knows is not forwarded', async () => {
    const world = worldOf(['describe group g', 'cluster-action cluster kafka-cluster']);
    const outcome = await ask(world, findCoordinator, 6, { keyType: 7, coordinatorKeys: ['g'] });
    assert.deepEqual([outcome.forwarded, outcome.answer?.coordinators[0]?.errorCode], [null, 42]);
    assert.deepEqual(world.refusals, ['coordinator-type-unknown']);
  });
});
