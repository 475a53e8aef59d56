/**
 * A fixed sample of the equivalence suite (test/long/equivalence): of every API, at its highest version, a case that
 * is allowed, one that is denied and one that is partly allowed, against a broker that enforces the same rules itself.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { report, totals } from '../long/equivalence/report.ts';
import type { Trial } from '../long/equivalence/run.ts';
import { runSuite } from '../long/equivalence/suite.ts';
import { type World, startWorld } from '../long/equivalence/world.ts';

let world: World;

before(async () => {
  world = await startWorld();
});

after(async () => {
  await world?.stop();
});

test('a sample of every API answers as a broker with the same rules', async (t) => {
  const { outcomes, failed } = await runSuite(world, sample);
  t.diagnostic(totals(outcomes));
  assert.deepEqual(failed, [], 'cases that could not be run');
  assert.equal(outcomes.filter(({ unexplained }) => unexplained.length > 0).length, 0, report(outcomes));
  assert.ok(outcomes.length > 100, `only ${outcomes.length} cases`);
});

/** The first case of each kind; where no kind is named, the first two, which are two principals. */
function sample(trials: readonly Trial[]): readonly Trial[] {
  const highest = Math.max(...trials.map(({ version }) => version));
  const own = trials.filter(({ version }) => version === highest);
  const kinds = ['allowed', 'denied', 'partly allowed'].flatMap(
    (kind) => own.find((trial) => trial.case.name.startsWith(kind)) ?? [],
  );
  return kinds.length > 0 ? kinds : own.slice(0, 2);
}
