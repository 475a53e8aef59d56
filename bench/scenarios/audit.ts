/** Ten million records with the audit log and without it beside, and what an entry costs when nothing else is done. */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Exchange } from '../load/frames.ts';
import { runLoad } from '../load/generator.ts';
import { onProxyCore } from '../machine.ts';
import { type BenchOptions, say } from '../options.ts';
import { policyOf } from '../peers/policies.ts';
import { type SluicePeer, startSluice } from '../peers/sluice.ts';
import { type ScenarioResult, number, plainTable } from '../report.ts';
import { type Cell, type Sample, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { spreadOf } from '../statistics.ts';
import { profiled } from './gateways.ts';
import { type Scenario, figuresOf, onStage } from './scenario.ts';

const recordsWanted = 10_000_000;
const frameBytes = 102_400;
/** About: only to find out how long a round has to be. */
const recordBytes = 1_000;
const shape = { connections: 4, inFlight: 5 } as const;
const entriesEach = 300_000;

export const audit: Scenario = {
  name: 'audit',
  about: 'ten million records with the audit log on and off, and what an entry costs',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const off = await startGateway(stage, options, 'audit-off');
    const on = await startGateway(stage, options, 'sluice');
    const exchange = stage.frames.exchange('produce', frameBytes);
    const seconds = await secondsFor(stage, off, exchange, options);
    const cell: Cell = { name: 'produce 100 KB', exchange, ...shape };
    const { result: samples, text } = await profiled(on, options, () =>
      runRounds(stage, [off, on], [cell], { ...options, seconds }),
    );
    // What was open is written at the end.
    await on.stop();
    const written = await logOf(on.auditFolder);
    const saturated = await saturate(stage, options);
    const rows = rowsOf(samples, 'audit-off');
    const ratios = figuresOf(
      rows.filter(({ peer }) => peer === 'sluice'),
      'cpu ÷ off',
      (row) => row.cpuRatio?.median,
    );
    const costs = { name: 'saturated µs CPU per entry', value: spreadOf(saturated.map(({ cpuUs }) => cpuUs)).median };
    return {
      rows,
      figures: [...ratios, costs],
      samples,
      notes: [],
      anchor: 'audit-off',
      text: [summary(samples, written), costTable(saturated), ...(text === undefined ? [] : [text])].join('\n\n'),
    };
  });
}

async function startGateway(stage: Stage, options: BenchOptions, name: string): Promise<SluicePeer> {
  const { folder, broker, idp, openingFile } = stage;
  const unaudited = name === 'audit-off';
  const inspect = options.profile && !unaudited;
  const gateway = startSluice(folder, broker, { name, idp, openingFile, policy: policyOf(10, 1), unaudited, inspect });
  await stage.add(gateway);
  return gateway;
}

/** So long a round that all rounds together carry the records. Given seconds hold. */
async function secondsFor(stage: Stage, peer: SluicePeer, exchange: Exchange, options: BenchOptions): Promise<number> {
  if (options.secondsGiven) return options.seconds;
  const load = { exchange, ...shape, port: peer.port, openingFile: peer.openingFile, warmUpSeconds: 1, seconds: 1 };
  const { frames, seconds } = await runLoad(stage.programs.client, load, { onStart() {}, onEnd() {} });
  const perSecond = (frames * (frameBytes / recordBytes)) / seconds;
  const each = Math.ceil((1.3 * recordsWanted) / options.rounds / perSecond);
  say(`${Math.round(perSecond / 1_000)} thousand records a second: ${each} s a round`);
  return Math.max(options.seconds, each);
}

interface Written {
  readonly entries: number;
  readonly bytes: number;
  /** As the log itself says. */
  readonly records: number;
}

async function logOf(folder: string): Promise<Written> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  const entries = lines.map((line) => JSON.parse(line) as { data: { flow?: { records: number } } });
  return {
    entries: lines.length,
    bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    records: entries.reduce((sum, { data }) => sum + (data.flow?.records ?? 0), 0),
  };
}

function summary(samples: readonly Sample[], { entries, bytes, records }: Written): string {
  const perMB = (sample: Sample | undefined): number =>
    sample === undefined ? Number.NaN : sample.proxyCpu / sample.megabytes;
  const shares = samples
    .filter(({ peer }) => peer === 'sluice')
    .map((on) => {
      const off = samples.find(({ peer, round }) => peer === 'audit-off' && round === on.round);
      return 100 * (1 - perMB(off) / perMB(on));
    });
  const { median, min, max } = spreadOf(shares);
  const head = ['records', 'entries', 'bytes of log', 'records per entry', "auditing's share of the CPU, %"];
  const share = `${number(median)} (${number(min)} to ${number(max)})`;
  return plainTable(head, [
    [String(records), String(entries), String(bytes), String(Math.round(records / entries)), share],
  ]);
}

interface Cost {
  readonly entries: number;
  readonly seconds: number;
  readonly cpuUs: number;
  readonly bytesPerEntry: number;
}

/** In a process of its own, on the core that is otherwise the gateway's. */
async function saturate(stage: Stage, options: BenchOptions): Promise<Cost[]> {
  const program = join(import.meta.dirname, '..', 'load', 'audit-entries.ts');
  const costs: Cost[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const folder = join(stage.folder, `entries-${round}`);
    const { command, args } = onProxyCore(process.execPath, [program, folder, String(entriesEach)]);
    const { stdout } = await promisify(execFile)(command, args);
    const cost = JSON.parse(stdout) as Cost;
    costs.push(cost);
    say(`${cost.cpuUs.toFixed(1)} µs of CPU for each of ${cost.entries} entries`);
  }
  return costs;
}

function costTable(costs: readonly Cost[]): string {
  const cpu = spreadOf(costs.map(({ cpuUs }) => cpuUs));
  const rate = spreadOf(costs.map(({ entries, seconds }) => entries / seconds));
  const bytes = spreadOf(costs.map(({ bytesPerEntry }) => bytesPerEntry));
  return plainTable(
    ['saturated', 'µs CPU per entry', 'entries/s', 'bytes per entry'],
    [
      [
        'windows of flow, signed',
        `${number(cpu.median)} (${number(cpu.min)} to ${number(cpu.max)})`,
        String(Math.round(rate.median)),
        String(Math.round(bytes.median)),
      ],
    ],
  );
}
