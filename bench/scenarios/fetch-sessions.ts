/** What fetch sessions cost and gain: consumers of 1 to 2,000 partitions of which one has something new, with and without. */
import { readFileSync } from 'node:fs';
import type { Exchange } from '../load/frames.ts';
import { partitionsPerTopic, writeSessionFrames } from '../load/session-frames.ts';
import type { BenchOptions } from '../options.ts';
import { direct } from '../peers/peer.ts';
import { policyOf } from '../peers/policies.ts';
import { startSluice } from '../peers/sluice.ts';
import { type ScenarioResult, number, plainTable } from '../report.ts';
import { type Cell, runRounds } from '../rounds.ts';
import { type Row, rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { resolve } from 'node:path';
import { startProfile } from '../profile.ts';
import { type Scenario, onStage } from './scenario.ts';

const connections = 8;
/** Of each the partitions, and the bytes of the one record that is new. */
const widths: readonly (readonly [partitions: number, recordBytes: number])[] = [
  [1, 1_000],
  [1, 100_000],
  [100, 1_000],
  [2_000, 1_000],
];
const topics = Math.ceil(Math.max(...widths.map(([partitions]) => partitions)) / partitionsPerTopic);
const rules = topics + 10;

export const fetchSessions: Scenario = {
  name: 'fetch-sessions',
  about:
    'consumers of 1, 100 and 2,000 partitions, one of which has something new, as sessions and naming all each time',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const cells: Cell[] = [];
  const moreRules = (folder: string): string[] =>
    widths.flatMap(([partitions, recordBytes]) => {
      const frames = writeSessionFrames(folder, partitions, recordBytes);
      const width = `${partitions} partition${partitions === 1 ? '' : 's'}, ${recordBytes / 1_000} KB`;
      cells.push(cellOf(`${width}, session`, frames.incremental), cellOf(`${width}, all named`, frames.full));
      return frames.rules;
    });
  const stage = await setStage(topics, { moreRules });
  return onStage(stage, async () => {
    const gateway = await stage.add(startGateway(stage, options));
    const beside =
      options.beside === '' ? null : await stage.add(startGateway(stage, options, resolve(options.beside)));
    const profiler = gateway !== null && options.profile ? await startProfile(gateway.inspectorPort) : null;
    const peers = [direct(stage.broker), beside, gateway].filter((peer) => peer !== null);
    const samples = await runRounds(stage, peers, cells, options);
    const rows = rowsOf(samples, 'direct');
    const profile = profiler === null ? [] : [await profiler.finish()];
    const text = [bytesTable(cells, rows), ...profile].join('\n\n');
    return { rows, figures: [], samples, notes: stage.missing, anchor: 'direct', text };
  });
}

function cellOf(name: string, exchange: Exchange): Cell {
  // One request at a time: a session's next request needs the answer to the one before.
  return { name, exchange, connections, inFlight: 1 };
}

function startGateway(stage: Stage, options: BenchOptions, checkout?: string): ReturnType<typeof startSluice> {
  const { folder, broker, idp, openingFile } = stage;
  const own = checkout === undefined;
  return startSluice(folder, broker, {
    name: own ? 'sluice' : 'sluice-beside',
    idp,
    openingFile,
    policy: policyOf(rules, topics),
    ...(own ? { inspect: options.profile } : { checkout }),
  });
}

/** What a fetch takes on the wire, the same on both sides of the gateway, and of the gateway's CPU. */
function bytesTable(cells: readonly Cell[], rows: readonly Row[]): string {
  const lines = cells.map(({ name, exchange }) => {
    const bytes = [exchange.requestFile, exchange.responseFile].map((file) => readFileSync(file).length);
    const own = rows.filter(({ cell, peer }) => cell === name && peer !== 'direct');
    const cpu = own.map(({ peer, cpuMicrosPerFrame }) => `${peer} ${number(cpuMicrosPerFrame.median)}`);
    return [name, ...bytes.map(String), cpu.join(', ')];
  });
  return plainTable(['fetch', 'request bytes', 'answer bytes', 'gateway µs'], lines);
}
