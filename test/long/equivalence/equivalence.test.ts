/**
 * The same principal, rules and request, once to a broker with ACLs and once through the gateway: the answers and
 * their effects are equal, or the difference stands in differences.ts with its reason.
 *
 * SLUICE_LONG_BUDGET=short takes the lowest and the highest version of each API only. SLUICE_EQUIVALENCE=Fetch,Produce
 * takes only these APIs.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { acceptedDifferences } from './differences.ts';
import { report } from './report.ts';
import { type Outcome, type Trial, nameOf, runTrial } from './run.ts';
import { table, trialsOf } from './table.ts';
import { type World, startWorld } from './world.ts';

const lanes = 4;
let world: World;

before(async () => {
  world = await startWorld();
});

after(async () => {
  await world?.stop();
});

test('every API in every version answers as a broker with the same rules', async () => {
  const outcomes: Outcome[] = [];
  const failed: string[] = [];
  // First, since listings of everything grow with what other cases make.
  await work(trials(true), outcomes, failed);
  const together = trials(false);
  await Promise.all(Array.from({ length: lanes }, () => work(together, outcomes, failed)));
  console.log(report(outcomes));
  assert.deepEqual(failed, [], 'cases that could not be run');
  const unexplained = outcomes.filter((outcome) => outcome.unexplained.length > 0);
  assert.equal(unexplained.length, 0, 'unexplained differences, printed above');
  if (isWhole()) {
    const used = new Set(outcomes.flatMap(({ accepted }) => accepted.map(({ by }) => by)));
    assert.deepEqual(acceptedDifferences.filter((accepted) => !used.has(accepted)), [], 'accepted differences that no longer occur');
  }
});

function isWhole(): boolean {
  return process.env['SLUICE_LONG_BUDGET'] !== 'short' && process.env['SLUICE_EQUIVALENCE'] === undefined;
}

function trials(alone: boolean): IterableIterator<Trial> {
  const only = process.env['SLUICE_EQUIVALENCE']?.split(',');
  const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
  return table
    .filter((row) => (row.alone ?? false) === alone && (only?.includes(row.api) ?? true))
    .flatMap((row) => {
      const all = trialsOf(row);
      const versions = all.map(({ version }) => version);
      return short ? all.filter(({ version }) => version === Math.min(...versions) || version === Math.max(...versions)) : all;
    })
    .values();
}

/** Takes trials until there are no more. */
async function work(waiting: IterableIterator<Trial>, outcomes: Outcome[], failed: string[]): Promise<void> {
  let lane = world.lane();
  try {
    for (const trial of waiting) {
      try {
        outcomes.push(await runTrial(trial, lane));
      } catch (error) {
        failed.push(`${nameOf(trial)}: ${String(error)}`);
        // Nothing late may reach the next case.
        lane.close();
        lane = world.lane();
      }
    }
  } finally {
    lane.close();
  }
}
