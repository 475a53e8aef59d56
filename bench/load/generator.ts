/** One run of the native load generator, from its first connection to its last answer. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { SluiceError } from '../../src/lib/errors.ts';
import type { Exchange } from './frames.ts';

export interface LoadShape {
  readonly exchange: Exchange;
  readonly connections: number;
  /** Requests that wait on each connection, in a closed loop. */
  readonly inFlight: number;
  /** Requests per second over all connections at fixed times (open loop); 0: a closed loop. */
  readonly rate?: number;
  /** Topics that the requests are spread over. */
  readonly topics?: number;
}

export interface LoadRun extends LoadShape {
  readonly port: number;
  /** Frames sent first on each connection: SASL. */
  readonly openingFile: string | null;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface LatencyUs {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface LoadResult {
  readonly frames: number;
  readonly seconds: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly latencyUs: LatencyUs;
}

/** Called at the moments between which the load was steady. */
export interface LoadWatch {
  onStart(pid: number): void;
  onEnd(pid: number): void;
}

/** @throws SluiceError `load-failed` with what the generator said: any answer but the expected one ends it */
export async function runLoad(program: string, load: LoadRun, watch: LoadWatch): Promise<LoadResult> {
  const child = spawn(program, argumentsOf(load), { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 137));
  });
  let result: LoadResult | null = null;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'start') watch.onStart(child.pid ?? 0);
    else if (line === 'end') watch.onEnd(child.pid ?? 0);
    else if (line.startsWith('{')) result = JSON.parse(line) as LoadResult;
  });
  const killed = setTimeout(() => child.kill('SIGKILL'), (load.warmUpSeconds + load.seconds + startSecondsMax) * 1_000);
  const code = await ended;
  clearTimeout(killed);
  if (code !== 0 || result === null)
    throw new SluiceError('load-failed', `The load ended with code ${code}. ${errors.join('').trim()}`);
  return result;
}

/** For thousands of connections through SASL, or ten thousand topics that are used for the first time. */
const startSecondsMax = 120;

function argumentsOf(load: LoadRun): string[] {
  const { exchange, topics = 1 } = load;
  const flags: Record<string, string | number> = {
    port: load.port,
    request: exchange.requestFile,
    response: exchange.responseFile,
    connections: load.connections,
    'in-flight': load.inFlight,
    rate: load.rate ?? 0,
    'warm-up': load.warmUpSeconds,
    seconds: load.seconds,
    ...(topics > 1 && { vary: `${topics}:${exchange.topicAt.request}:${exchange.topicAt.response}` }),
    ...(load.openingFile !== null && { opening: load.openingFile }),
    ...(exchange.session !== undefined && { begin: exchange.session.beginFile, count: exchange.session.epochAt }),
  };
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
