/**
 * The same principal, rules and request, once to a broker with ACLs and once through the gateway: the answers and
 * their effects are equal, or the difference stands in differences.ts with its reason.
 *
 * SLUICE_LONG_BUDGET=short takes the lowest and the highest version of each API only. SLUICE_EQUIVALENCE=Fetch,Produce
 * takes only these APIs.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { handlers } from '../../../src/ports/kafka/apis/catalogue.ts';
import { acceptedDifferences } from './differences.ts';
import { report } from './report.ts';
import type { Trial } from './run.ts';
import { runSuite } from './suite.ts';
import { table } from './table.ts';
import { type World, startWorld } from './world.ts';

const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
const only = process.env['SLUICE_EQUIVALENCE']?.split(',');
let world: World;

before(async () => {
  world = await startWorld();
});

after(async () => {
  await world?.stop();
});

test('every API in every version answers as a broker with the same rules', async (t) => {
  const { outcomes, failed } = await runSuite(world, chosen);
  for (const line of report(outcomes).split('\n')) t.diagnostic(line);
  assert.deepEqual(failed, [], 'cases that could not be run');
  assert.equal(
    outcomes.filter(({ unexplained }) => unexplained.length > 0).length,
    0,
    'unexplained differences, printed above',
  );
  if (only !== undefined) return;
  const used = new Set(outcomes.flatMap(({ accepted }) => accepted.map(({ by }) => by)));
  const stale = acceptedDifferences.filter((accepted) => !used.has(accepted));
  assert.deepEqual(stale, [], 'accepted differences that no longer occur');
});

test('every API that is served has a row', () => {
  const rows = new Set(table.map(({ api }) => api));
  const without = handlers.map(({ name }) => name).filter((name) => !rows.has(name));
  // Brokers offer these only with a receiver of metrics plugged in, and ask nothing of who sends them.
  assert.deepEqual(without, ['GetTelemetrySubscriptions', 'PushTelemetry']);
});

function chosen(trials: readonly Trial[]): readonly Trial[] {
  const versions = trials.map(({ version }) => version);
  const outer = [Math.min(...versions), Math.max(...versions)];
  return trials.filter(({ row, version }) => (only?.includes(row.api) ?? true) && (!short || outer.includes(version)));
}
