/** Many connections: 500 that wait for each answer, and 5,000 of which few have anything to say. Each with fresh processes, for memory does not shrink. */
import type { BenchOptions } from '../options.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import type { Peer } from '../peers/peer.ts';
import { startPipe } from '../peers/pipe.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, type Sample, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { gatewayBeside, profiled, usualGateway } from './gateways.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const frameBytes = 1_024;
const shapes = [
  { label: '500 unpipelined', connections: 500, rate: 0 },
  { label: '5000 mostly idle', connections: 5_000, rate: 2_000 },
] as const;

export const connections: Scenario = {
  name: 'connections',
  about: '500 unpipelined connections, and 5,000 that are mostly idle (2,000 requests a second over all), 1 KB produce',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const samples: Sample[] = [];
  const notes = new Set<string>();
  const profiles: string[] = [];
  for (const { label, connections: count, rate } of shapes.filter((shape) => shape.label.includes(options.only))) {
    const stage = await setStage(1);
    const own = await onStage(stage, async () => {
      const others = options.profile ? [] : await peersBeside(stage, options);
      const gateway = await usualGateway(stage, options);
      const exchange = stage.frames.exchange('produce', frameBytes);
      const cell: Cell = { name: `${label} ${cellName(exchange)}`, exchange, connections: count, inFlight: 1, rate };
      const { result, text } = await profiled(gateway, options, () =>
        runRounds(stage, [...others, gateway], [cell], options),
      );
      if (text !== undefined) profiles.push(`${cell.name}\n${text}`);
      return result;
    });
    samples.push(...own);
    for (const note of stage.missing) notes.add(note);
  }
  const rows = rowsOf(samples, 'haproxy');
  const own = rows.filter(({ peer }) => peer === 'sluice');
  const figures = [
    ...figuresOf(own, 'cpu ÷ haproxy', (row) => row.cpuRatio?.median ?? Number.NaN),
    ...figuresOf(own, 'resident MB', (row) => row.residentMB),
  ];
  return { rows, figures, samples, notes: [...notes], anchor: 'haproxy', text: profiles.join('\n\n') };
}

async function peersBeside(stage: Stage, options: BenchOptions): Promise<Peer[]> {
  const { folder, broker } = stage;
  const peers = [
    await stage.add(startHaproxy(folder, broker)),
    await stage.add(startPipe(folder, broker)),
    await gatewayBeside(stage, options),
  ];
  return peers.filter((peer) => peer !== null);
}
