/**
 * One process beside a supervisor with two workers, on all cores. On a machine of two cores the load and the broker
 * share them with the workers: MB/s then says little, and CPU per GB says what the division costs.
 */
import type { Operation } from '../load/frames.ts';
import type { BenchOptions } from '../options.ts';
import { policyOf } from '../peers/policies.ts';
import { startSluice } from '../peers/sluice.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { setStage } from '../stage.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const connections = 8;
const inFlight = 5;
const rules = 10;
const loads: readonly { readonly operation: Operation; readonly frameBytes: number }[] = [
  { operation: 'produce', frameBytes: 1_024 },
  { operation: 'produce', frameBytes: 16_384 },
  { operation: 'fetch', frameBytes: 16_384 },
];

export const workers: Scenario = {
  name: 'workers',
  about: 'one process against a supervisor with two workers, on all cores',
  notProfiled: 'a profile is of one process, and here several share the work. Profile passthrough instead.',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const { folder, broker, idp, openingFile } = stage;
    const peers = [];
    for (const count of [1, 2]) {
      const common = { name: `workers-${count}`, idp, openingFile, policy: policyOf(rules, 1) };
      const gateway = await stage.add(startSluice(folder, broker, { ...common, workers: count }));
      if (gateway !== null) peers.push(gateway);
    }
    const cells = loads.map(({ operation, frameBytes }): Cell => {
      const exchange = stage.frames.exchange(operation, frameBytes);
      return { name: cellName(exchange), exchange, connections, inFlight };
    });
    const samples = await runRounds(stage, peers, cells, options);
    const rows = rowsOf(samples, 'workers-1');
    const two = rows.filter(({ peer }) => peer === 'workers-2');
    const figures = figuresOf(two, 'cpu ÷ one process', (row) => row.cpuRatio?.median ?? Number.NaN);
    const notes = ['The load and the broker have core 0 to themselves only as far as the workers leave it to them.'];
    return { rows, figures, samples, notes: [...stage.missing, ...notes], anchor: 'workers-1' };
  });
}
