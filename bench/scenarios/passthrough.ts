/** The ceiling: pipelined produce and fetch of four sizes on four connections, beside a plain relay. */
import { type Operation, frameSizes } from '../load/frames.ts';
import type { BenchOptions } from '../options.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import { type Peer, direct } from '../peers/peer.ts';
import { startPipe } from '../peers/pipe.ts';
import { openPolicy } from '../peers/policies.ts';
import { startSluice } from '../peers/sluice.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { gatewayBeside, profiled, usualGateway } from './gateways.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const connections = 4;
const inFlight = 5;
const operations: readonly Operation[] = ['produce', 'fetch'];

export const passthrough: Scenario = {
  name: 'passthrough',
  about: 'pipelined produce and fetch of 1 KB to 1 MB, 4 connections with 5 requests in flight',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const gateway = await usualGateway(stage, options);
    const others = options.profile ? [] : await peersBeside(stage, options);
    const cells = operations.flatMap((operation) =>
      frameSizes.map((frameBytes): Cell => {
        const exchange = stage.frames.exchange(operation, frameBytes);
        return { name: cellName(exchange), exchange, connections, inFlight };
      }),
    );
    const { result: samples, text } = await profiled(gateway, options, () =>
      runRounds(stage, [...others, gateway], cells, options),
    );
    const rows = rowsOf(samples, 'haproxy');
    const own = rows.filter(({ peer }) => peer === 'sluice');
    const figures = figuresOf(own, 'cpu ÷ haproxy', (row) => row.cpuRatio?.median ?? Number.NaN);
    return { rows, figures, samples, notes: stage.missing, anchor: 'haproxy', ...(text !== undefined && { text }) };
  });
}

async function peersBeside(stage: Stage, options: BenchOptions): Promise<Peer[]> {
  const { folder, broker, idp, openingFile } = stage;
  const peers = [
    direct(broker),
    await stage.add(startHaproxy(folder, broker)),
    await stage.add(startPipe(folder, broker)),
    await gatewayBeside(stage, options),
    await stage.add(startSluice(folder, broker, { name: 'sluice-open', idp, openingFile, policy: openPolicy })),
  ];
  return peers.filter((peer) => peer !== null);
}
