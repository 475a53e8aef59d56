/** Long and steady: 70 % of the ceiling while clients connect and leave; memory and descriptors must stay flat. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadRun, runLoad } from '../load/generator.ts';
import { type Usage, usageOf } from '../machine.ts';
import { type BenchOptions, say } from '../options.ts';
import { type ScenarioResult, number, plainTable } from '../report.ts';
import { type Stage, setStage } from '../stage.ts';
import { profiled, usualGateway } from './gateways.ts';
import { type Scenario, onStage } from './scenario.ts';

const defaultSeconds = 1_800;
/** Below it the growth is not to be judged. */
const judgedFromSeconds = 600;
const share = 0.7;
const ceilingSeconds = 4;
const readings = 60;
const churn = { connections: 20, inFlight: 1, seconds: 0.5, warmUpSeconds: 0.1, pauseMs: 500 } as const;
/** What a gateway may still hold after its clients have left: sockets in the middle of closing. */
const settleMs = 2_000;

export const soak: Scenario = {
  name: 'soak',
  about: `70 % of the ceiling while clients connect and leave, for --seconds (${defaultSeconds} unless given)`,
  run,
};

interface Reading extends Usage {
  readonly atSeconds: number;
}

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const gateway = await usualGateway(stage, options);
    const { pid } = gateway;
    const seconds = options.secondsGiven ? options.seconds : defaultSeconds;
    const exchange = stage.frames.exchange('produce', 16_384);
    const load: LoadRun = {
      exchange,
      port: gateway.port,
      openingFile: gateway.openingFile,
      connections: 8,
      inFlight: 2,
      warmUpSeconds: 2,
      seconds: ceilingSeconds,
    };
    const nobody = { onStart(): void {}, onEnd(): void {} };
    const ceiling = await runLoad(stage.programs.client, load, nobody);
    await sleep(settleMs);
    const idleBefore = usageOf(pid ?? 0);
    const rate = Math.floor((share * ceiling.frames) / ceiling.seconds);
    say(`${seconds} s at ${rate} requests of 16 KB a second`);
    const taken: Reading[] = [];
    const { result, text } = await profiled(gateway, options, async () => {
      const steady = { running: true };
      const side = Promise.all([comeAndGo(stage, load, steady), watch(pid ?? 0, seconds, steady, taken)]);
      const main = await runLoad(stage.programs.client, { ...load, rate, seconds }, nobody).finally(
        () => (steady.running = false),
      );
      const [clients] = await side;
      return { main, clients };
    });
    await sleep(settleMs);
    const idleAfter = usageOf(pid ?? 0);
    return {
      rows: [],
      figures: [
        { name: 'resident growth MB per minute', value: slopePerMinute(taken.slice(taken.length >> 1)) },
        { name: 'descriptor growth', value: idleAfter.descriptors - idleBefore.descriptors },
      ],
      samples: [],
      notes: notesOn(result.main.frames, result.clients, seconds),
      anchor: '',
      text: [readingsTable(taken), ...(text === undefined ? [] : [text])].join('\n\n'),
    };
  });
}

function notesOn(requests: number, clients: number, seconds: number): string[] {
  const done = `${requests} requests and ${clients} clients that came and left, without an error.`;
  const short = `A heap grows until it is first collected in full: ${seconds} s say nothing of growth.`;
  return seconds < judgedFromSeconds ? [done, short] : [done];
}

/** Connects, works a little and leaves, over and over. @returns how many clients did so */
async function comeAndGo(stage: Stage, load: LoadRun, steady: { readonly running: boolean }): Promise<number> {
  let clients = 0;
  while (steady.running) {
    await runLoad(stage.programs.client, { ...load, ...churn }, { onStart() {}, onEnd() {} });
    clients += churn.connections;
    await sleep(churn.pauseMs);
  }
  return clients;
}

async function watch(
  pid: number,
  seconds: number,
  steady: { readonly running: boolean },
  taken: Reading[],
): Promise<void> {
  const startMs = performance.now();
  while (steady.running) {
    taken.push({ ...usageOf(pid), atSeconds: (performance.now() - startMs) / 1_000 });
    await sleep(Math.max(250, (seconds * 1_000) / readings));
  }
}

/** Least squares, so that one collection of garbage more or less does not decide. */
function slopePerMinute(points: readonly Reading[]): number {
  const mean = (value: (point: Reading) => number): number =>
    points.reduce((sum, point) => sum + value(point), 0) / points.length;
  const x = mean(({ atSeconds }) => atSeconds);
  const y = mean(({ residentMB }) => residentMB);
  const above = points.reduce((sum, point) => sum + (point.atSeconds - x) * (point.residentMB - y), 0);
  const below = points.reduce((sum, point) => sum + (point.atSeconds - x) ** 2, 0);
  return below === 0 ? Number.NaN : (above / below) * 60;
}

function readingsTable(taken: readonly Reading[]): string {
  const step = Math.max(1, Math.ceil(taken.length / 15));
  const shown = taken.filter((_, index) => index % step === 0);
  return plainTable(
    ['after s', 'RSS MB', 'descriptors'],
    shown.map((one) => [number(one.atSeconds), number(one.residentMB), String(one.descriptors)]),
  );
}
