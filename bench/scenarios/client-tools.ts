/** Real Kafka clients as load: what they are called with, and how fast they say (or are seen) to have been. */
import { SluiceError } from '../../src/lib/errors.ts';
import { javaTool } from '../../harness/java-tools.ts';
import { kcat } from '../../harness/kcat.ts';
import type { Run } from '../../harness/processes.ts';

export interface Credentials {
  readonly name: string;
  /** At the gateway: a token. */
  readonly password: string;
}

export interface ToolLoad {
  readonly bootstrap: string;
  readonly topic: string;
  readonly records: number;
  /** That the records are to be spread over, for a tool that keeps a rate. */
  readonly seconds: number;
  /** As many lines as records, for a tool that reads them. */
  readonly recordsFile: string;
  /** For SASL PLAIN; `null`: no authentication. */
  readonly credentials: Credentials | null;
}

export interface ToolRun {
  readonly records: number;
  readonly seconds: number;
  /** From handing a record over to its acknowledgement, where the tool says so. */
  readonly averageLatencyMs?: number;
}

export interface Tool {
  readonly name: string;
  /** Records of each run for every second of `--seconds`: runs of about as long. */
  readonly recordsPerSecond: number;
  /** Of the runs before the first round, where a round's own are too few for a runtime to compile what it will run. */
  readonly warmUpRecordsPerSecond?: number;
  /** Where a run is short: so many for each peer in every round, since one says little. */
  readonly runsPerRound?: number;
  /** Produces the lines of a file. */
  readonly readsLines?: boolean;
  /** Runs are no shorter; absent: as short as one likes. */
  readonly secondsMin?: number;
  readonly produce: (load: ToolLoad) => Promise<ToolRun>;
  /** `null`: only producing says anything. */
  readonly consume: ((load: ToolLoad) => Promise<ToolRun>) | null;
}

export const recordBytes = 1_000;
const timeoutMs = 180_000;
/** Groups of all runs so far. */
let groupsMade = 0;
/** Far below what any of the peers can carry. */
const steadyRate = 2_000;

const steady = 'java 2,000/s';
/** The cell that says what producers wait for. */
export const steadyCell: string = `${steady} produce`;

export const tools: readonly Tool[] = [
  {
    name: 'librdkafka',
    recordsPerSecond: 100_000,
    runsPerRound: 3,
    readsLines: true,
    produce: produceWithKcat,
    consume: consumeWithKcat,
  },
  {
    name: 'java',
    // Fewer would be over before the tool itself is warm, and ten milliseconds of a proxy's CPU would be a tenth.
    recordsPerSecond: 80_000,
    runsPerRound: 2,
    warmUpRecordsPerSecond: 600_000,
    produce: produceWithJava,
    consume: consumeWithJava,
  },
  {
    name: steady,
    recordsPerSecond: steadyRate,
    warmUpRecordsPerSecond: 10 * steadyRate,
    secondsMin: 11,
    produce: produceSteadily,
    consume: null,
  },
];

/** Wall time of the process: librdkafka starts in milliseconds. */
async function produceWithKcat(load: ToolLoad): Promise<ToolRun> {
  const args = ['-P', '-t', load.topic, '-X', 'linger.ms=5', '-X', 'batch.size=262144', '-l', load.recordsFile];
  return timed(load, () => kcat([...kcatConnection(load), ...args], { timeoutMs }));
}

async function consumeWithKcat(load: ToolLoad): Promise<ToolRun> {
  const args = ['-C', '-t', load.topic, '-o', 'beginning', '-e', '-q', '-X', 'check.crcs=false', '-f', '.'];
  return timed(load, async () => {
    const run = await kcat([...kcatConnection(load), ...args], { timeoutMs });
    if (run.code === 0 && run.stdout.length !== load.records)
      throw unexpected('kcat', `${run.stdout.length} of ${load.records} records came`);
    return run;
  });
}

function kcatConnection({ bootstrap, credentials }: ToolLoad): string[] {
  const sasl =
    credentials === null
      ? []
      : [
          'security.protocol=SASL_PLAINTEXT',
          'sasl.mechanisms=PLAIN',
          `sasl.username=${credentials.name}`,
          `sasl.password=${credentials.password}`,
        ];
  return ['-b', bootstrap, ...sasl.flatMap((setting) => ['-X', setting])];
}

async function timed(load: ToolLoad, work: () => Promise<Run>): Promise<ToolRun> {
  const startMs = performance.now();
  succeeded('kcat', await work());
  return { records: load.records, seconds: (performance.now() - startMs) / 1_000 };
}

function produceWithJava(load: ToolLoad): Promise<ToolRun> {
  return produceAtRate(load, -1, { 'linger.ms': '5', 'batch.size': '262144' });
}

/** The tool's first five seconds are those of a Java program that starts: the next five count. */
function produceSteadily(load: ToolLoad): Promise<ToolRun> {
  return produceAtRate(load, load.records / load.seconds, { 'linger.ms': '0' });
}

/** @param rate records per second; -1: as many as can be */
async function produceAtRate(load: ToolLoad, rate: number, settings: Record<string, string>): Promise<ToolRun> {
  const args = [
    '--bootstrap-server',
    load.bootstrap,
    '--topic',
    load.topic,
    '--num-records',
    String(load.records),
    '--record-size',
    String(recordBytes),
    '--throughput',
    String(rate),
  ];
  const config = { ...javaConnection(load), ...settings };
  const run = succeeded(
    'producer-perf-test',
    await javaTool('producer-perf-test', { args, config, timeoutMs, heapMB: 256 }),
  );
  // A line for each five seconds, and one that sums up: "120000 records sent, 51234.1 records/sec (48.86 MB/sec), 1.23 ms avg …"
  const lines = [...run.stdout.matchAll(/(\d+) records sent, ([\d.]+) records\/sec [^,]*, ([\d.]+) ms avg/g)];
  const found = lines.at(-1);
  const last = lines.length > 2 ? lines.at(-2) : found;
  if (found === undefined || Number(found[1]) !== load.records)
    throw unexpected('producer-perf-test', run.stdout.slice(-400));
  return { records: load.records, seconds: load.records / Number(found[2]), averageLatencyMs: Number(last?.[3]) };
}

/** Without the time of joining the group, which no proxy changes: the tool gives that apart. */
async function consumeWithJava(load: ToolLoad): Promise<ToolRun> {
  // A group that has read a topic before would find nothing new in it.
  groupsMade += 1;
  const args = [
    '--bootstrap-server',
    load.bootstrap,
    '--topic',
    load.topic,
    '--num-records',
    String(load.records),
    '--hide-header',
    '--timeout',
    '60000',
    '--group',
    `bench-${load.topic}-${groupsMade}`,
  ];
  const run = succeeded(
    'consumer-perf-test',
    await javaTool('consumer-perf-test', { args, config: javaConnection(load), timeoutMs, heapMB: 256 }),
  );
  // start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
  const fields = (run.stdout.trim().split('\n').at(-1) ?? '').split(', ');
  const records = Number(fields[4]);
  const seconds = Number(fields[7]) / 1_000;
  if (!(records >= load.records) || !(seconds > 0)) throw unexpected('consumer-perf-test', run.stdout.slice(-400));
  return { records, seconds };
}

function javaConnection({ credentials }: ToolLoad): Record<string, string> {
  if (credentials === null) return {};
  const { name, password } = credentials;
  return {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'PLAIN',
    'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="${name}" password="${password}";`,
  };
}

function succeeded(tool: string, run: Run): Run {
  if (run.code !== 0) throw unexpected(tool, `code ${run.code}: ${(run.stderr + run.stdout).slice(-600)}`);
  return run;
}

function unexpected(tool: string, what: string): SluiceError<'client-failed'> {
  return new SluiceError('client-failed', `${tool} did not do what it was asked: ${what}`);
}
