/** Which cases there are to run, and running them, several at a time. */
import { type Outcome, type Trial, nameOf, runTrial } from './run.ts';
import { table, trialsOf } from './table.ts';
import type { World } from './world.ts';

const lanes = 4;
/** Beyond these something is wrong with the ground, not with the cases. */
const failedMax = 8;

export interface Results {
  readonly outcomes: readonly Outcome[];
  /** Cases that could not be run, and why. */
  readonly failed: readonly string[];
}

/** @param chosen of one row's trials, those to run */
export async function runSuite(world: World, chosen: (trials: readonly Trial[]) => readonly Trial[]): Promise<Results> {
  const outcomes: Outcome[] = [];
  const failed: string[] = [];
  const trialsOfRows = (alone: boolean): IterableIterator<Trial> =>
    table
      .filter((row) => (row.alone ?? false) === alone)
      .flatMap((row) => chosen(trialsOf(row)))
      .values();
  // First, since listings of everything grow with what other cases make.
  await work(world, trialsOfRows(true), outcomes, failed);
  const together = trialsOfRows(false);
  await Promise.all(Array.from({ length: lanes }, () => work(world, together, outcomes, failed)));
  return { outcomes, failed };
}

/** Takes trials until there are no more. */
async function work(
  world: World,
  waiting: IterableIterator<Trial>,
  outcomes: Outcome[],
  failed: string[],
): Promise<void> {
  let lane = world.lane();
  try {
    for (const trial of waiting) {
      if (failed.length > failedMax) return;
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
