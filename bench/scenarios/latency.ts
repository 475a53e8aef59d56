/** Added latency at fixed rates well below the ceiling, in an open loop: a stall costs every request it held up. */
import type { Operation } from '../load/frames.ts';
import type { BenchOptions } from '../options.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import { type Peer, direct } from '../peers/peer.ts';
import { startPipe } from '../peers/pipe.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { gatewayBeside, profiled, usualGateway } from './gateways.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const connections = 4;
/** Requests per second over all connections. */
const loads: readonly { readonly operation: Operation; readonly frameBytes: number; readonly rate: number }[] = [
  { operation: 'produce', frameBytes: 1_024, rate: 2_000 },
  { operation: 'produce', frameBytes: 16_384, rate: 1_000 },
  { operation: 'produce', frameBytes: 102_400, rate: 200 },
  { operation: 'fetch', frameBytes: 16_384, rate: 1_000 },
];

export const latency: Scenario = {
  name: 'latency',
  about: 'added p50 and p99 at fixed rates, open loop, 4 connections',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const gateway = await usualGateway(stage, options);
    const others = options.profile ? [] : await peersBeside(stage, options);
    const cells = loads.map(({ operation, frameBytes, rate }): Cell => {
      const exchange = stage.frames.exchange(operation, frameBytes);
      return { name: `${cellName(exchange)} ${rate}/s`, exchange, connections, inFlight: 1, rate };
    });
    const { result: samples, text } = await profiled(gateway, options, () =>
      runRounds(stage, [...others, gateway], cells, options),
    );
    const rows = rowsOf(samples, 'haproxy');
    const own = rows.filter(({ peer }) => peer === 'sluice');
    const figures = figuresOf(own, 'added p50 ÷ haproxy', (row) => row.addedP50Ratio?.median ?? Number.NaN);
    return { rows, figures, samples, notes: stage.missing, anchor: 'haproxy', ...(text !== undefined && { text }) };
  });
}

async function peersBeside(stage: Stage, options: BenchOptions): Promise<Peer[]> {
  const { folder, broker } = stage;
  const peers = [
    direct(broker),
    await stage.add(startHaproxy(folder, broker)),
    await stage.add(startPipe(folder, broker)),
    await gatewayBeside(stage, options),
  ];
  return peers.filter((peer) => peer !== null);
}
