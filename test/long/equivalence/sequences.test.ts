/**
 * What single requests cannot show, held against a broker with ACLs step by step: share groups of several members,
 * transactions before and after KIP-890 with fencing, and groups from their first member to their deletion.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { groupSequences } from './sequences/groups.ts';
import { compareSequence } from './sequences/sequence.ts';
import { shareSequences } from './sequences/share.ts';
import { transactionSequences } from './sequences/transactions.ts';
import { type Lane, type World, startWorld } from './world.ts';

let world: World;
let lane: Lane;

before(async () => {
  world = await startWorld();
  lane = world.lane();
});

after(async () => {
  lane?.close();
  await world?.stop();
});

for (const sequence of [...transactionSequences, ...groupSequences, ...shareSequences]) {
  test(sequence.name, async (t) => {
    const { steps, differences } = await compareSequence(sequence, lane);
    t.diagnostic(`${sequence.name}: ${steps} steps, ${differences.length} unexplained differences`);
    assert.ok(steps > 10, `only ${steps} steps`);
    assert.deepEqual(differences, [], 'unexplained differences');
  });
}
