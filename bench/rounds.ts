/**
 * Interleaved rounds: in each, every peer runs every cell once, in an order that turns by one from round to round, so
 * that a slow minute of the machine is everybody's. Ratios are taken within a round and only then summed up.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError, messageOf } from '../src/lib/errors.ts';
import { type LatencyUs, type LoadShape, runLoad } from './load/generator.ts';
import { busySeconds, usageOf } from './machine.ts';
import { type BenchOptions, say } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Stage } from './stage.ts';

/** One kind of load. */
export interface Cell extends LoadShape {
  readonly name: string;
}

/** One run of one cell through one peer. */
export interface Sample {
  readonly cell: string;
  readonly peer: string;
  readonly round: number;
  readonly seconds: number;
  readonly frames: number;
  /** Of the frames that carry records, in one direction. */
  readonly megabytes: number;
  /** CPU seconds of each side; NaN where there is no proxy. */
  readonly proxyCpu: number;
  readonly loadCpu: number;
  readonly brokerCpu: number;
  readonly residentMB: number;
  readonly descriptors: number;
  readonly latencyUs: LatencyUs;
  /** Where a client says nothing finer. */
  readonly averageLatencyMs?: number;
  /** CPU seconds of the whole machine that none of ours used: noise. */
  readonly othersCpu: number;
  /** Noisier runs that were thrown away for this one. */
  readonly repeats: number;
}

/** Cores that others may use in a run that stands. */
const quietCores = 0.15;
/** Runs at most before the quietest of them has to stand. */
const attemptsMax = 5;
/** Busy neighbours stay busy for a while: the pause before a run again, times the number of runs there were. */
const pauseMs = 1_000;

const bytesPerMB = 1e6;
/** Requests that each connection of an open loop has sent before they count. */
const turnsBefore = 3;

/** @throws SluiceError `load-failed`: a wrong answer ends the scenario, since figures of a broken run mean nothing */
export async function runRounds(
  stage: Stage,
  peers: readonly Peer[],
  cells: readonly Cell[],
  options: BenchOptions,
): Promise<Sample[]> {
  const wanted = cells.filter(({ name }) => name.includes(options.only));
  const samples: Sample[] = [];
  const runs = options.rounds * wanted.length * peers.length;
  say(
    `${runs} runs of ${options.seconds} s: ${peers.map(({ name }) => name).join(', ')} × ${wanted.length} cells × ${options.rounds} rounds`,
  );
  await warmUp(stage, peers, wanted, options);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const cell of wanted) {
      for (let turn = 0; turn < peers.length; turn += 1) {
        const peer = peers[(turn + round) % peers.length];
        if (peer === undefined) continue;
        const sample = await quietest(() => runOnce(stage, peer, cell, round, options));
        samples.push(sample);
        say(progress(sample, samples.length, runs));
      }
    }
  }
  return samples;
}

/** Judged by what others used alone, never by a result: a run in a noisy moment is made again. */
export async function quietest(measure: () => Promise<Sample>): Promise<Sample> {
  let best = await measure();
  for (let attempt = 1; attempt < attemptsMax && noiseIn(best) > quietCores; attempt += 1) {
    await sleep(pauseMs * attempt);
    const next = await measure();
    best = { ...(noiseIn(next) < noiseIn(best) ? next : best), repeats: attempt };
  }
  return best;
}

/** Cores. */
export function noiseIn({ othersCpu, seconds }: Sample): number {
  return othersCpu / seconds;
}

/** A runtime that compiles while it runs is slow at first: one run of each kind of request through each peer does not count. */
async function warmUp(
  stage: Stage,
  peers: readonly Peer[],
  cells: readonly Cell[],
  options: BenchOptions,
): Promise<void> {
  const firstOfKind = cells.filter(
    ({ exchange }, index) => cells.findIndex((cell) => cell.exchange.operation === exchange.operation) === index,
  );
  for (const peer of peers) {
    for (const cell of firstOfKind) await runOnce(stage, peer, cell, -1, options);
  }
}

export function progress(sample: Sample, done: number, runs: number): string {
  const rate = `${Math.round(sample.megabytes / sample.seconds)} MB/s`;
  const noise = noiseIn(sample);
  const again = sample.repeats > 0 ? `, the quietest of ${sample.repeats + 1} runs` : '';
  const noisy = noise > quietCores || again !== '' ? `  (others used ${noise.toFixed(2)} cores${again})` : '';
  return `${String(done).padStart(4)}/${runs}  ${sample.cell.padEnd(22)} ${sample.peer.padEnd(12)} ${rate}${noisy}`;
}

interface Reading {
  readonly proxy: number;
  readonly load: number;
  readonly broker: number;
  readonly own: number;
  readonly busy: number;
}

async function runOnce(stage: Stage, peer: Peer, cell: Cell, round: number, options: BenchOptions): Promise<Sample> {
  let before: Reading | null = null;
  let after: Reading | null = null;
  let resident = 0;
  let descriptors = 0;
  const result = await runLoad(
    stage.programs.client,
    {
      ...cell,
      port: peer.port,
      openingFile: peer.openingFile,
      seconds: options.seconds,
      warmUpSeconds: options.warmUpSeconds + firstRequestsSeconds(cell),
    },
    {
      onStart: (pid) => (before = readingOf(stage, peer, pid)),
      onEnd(pid) {
        after = readingOf(stage, peer, pid);
        if (peer.pid === null) return;
        ({ residentMB: resident, descriptors } = usageOf(peer.pid));
      },
    },
  ).catch((error: unknown) => {
    throw new SluiceError(
      'load-failed',
      `${cell.name} through ${peer.name}: ${messageOf(error)}${lastWords(stage.folder)}`,
    );
  });
  const used = difference(before, after);
  const frameBytes = cell.exchange.operation === 'produce' ? result.requestBytes : result.responseBytes;
  return {
    cell: cell.name,
    peer: peer.name,
    round,
    seconds: result.seconds,
    frames: result.frames,
    megabytes: (result.frames * frameBytes) / bytesPerMB,
    proxyCpu: peer.pid === null ? Number.NaN : used.proxy,
    loadCpu: used.load,
    brokerCpu: used.broker,
    residentMB: resident,
    descriptors,
    latencyUs: result.latencyUs,
    othersCpu: Math.max(0, used.busy - used.proxy - used.load - used.broker - used.own),
    repeats: 0,
  };
}

/** A gateway dials the broker for a connection's first request, which is no part of what the next ones cost. */
function firstRequestsSeconds({ connections, rate = 0 }: Cell): number {
  return rate === 0 ? 0 : (turnsBefore * connections) / rate;
}

const logLinesShown = 5;

/** The ends of the logs of all who took part: the folder goes with the run. */
function lastWords(folder: string): string {
  const logs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.log'));
  return logs
    .map((name) => ({ name, lines: readFileSync(join(folder, name), 'utf8').trim().split('\n').slice(-logLinesShown) }))
    .filter(({ lines }) => lines.join('') !== '')
    .map(({ name, lines }) => `\nThe end of ${name}:\n  ${lines.join('\n  ')}`)
    .join('');
}

function readingOf(stage: Stage, peer: Peer, loadPid: number): Reading {
  const { user, system } = process.cpuUsage();
  return {
    proxy: peer.pid === null ? 0 : usageOf(peer.pid).cpuSeconds,
    load: usageOf(loadPid).cpuSeconds + loadSideSeconds(peer),
    broker: usageOf(stage.broker.pid).cpuSeconds,
    own: (user + system) / 1e6,
    busy: busySeconds(),
  };
}

/** CPU seconds of what works for the load beside it. */
function loadSideSeconds({ loadSidePid = null }: Peer): number {
  return loadSidePid === null ? 0 : usageOf(loadSidePid).cpuSeconds;
}

function difference(before: Reading | null, after: Reading | null): Reading {
  if (before === null || after === null) throw new Error('the load ended before it was measured');
  const of = (name: keyof Reading): number => after[name] - before[name];
  return { proxy: of('proxy'), load: of('load'), broker: of('broker'), own: of('own'), busy: of('busy') };
}
