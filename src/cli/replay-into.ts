/** `sluice replay --into`: looks at the whole recording first, then writes it, or says what it would write. */
import { resolve } from 'node:path';
import { PlanReport, driveInto, planDigest, planUnits } from '../ports/kafka/replay/replay.ts';
import type { ClusterClient, PlanOptions } from '../ports/kafka/replay/replay.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError, plural } from './output.ts';
import { recordFilter, usage, wholeNumber } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';
import { tellStandings } from './replay-session.ts';
import type { OpenSession } from './replay-session.ts';

const partitionMax = 2_147_483_647;
const progressEveryMs = 500;

/** @throws CommandError where it cannot be written, or was altered: then nothing is */
export async function runInto(
  open: OpenSession,
  topic: string,
  cluster: ClusterClient | null,
  options: ReplayOptions,
): Promise<ExitCode> {
  if (cluster === null) throw usage('--into goes with --bootstrap: records are written through the gateway, as you.');
  const toPartition = wholeNumber('--to-partition', options.toPartition, partitionMax);
  const rate = wholeNumber('--rate', options.rate, 1_000_000_000);
  if (rate === 0) throw usage('--rate takes at least 1.');
  const plan: PlanOptions = { keep: recordFilter(options), ...(toPartition !== null && { toPartition }) };
  const report = new PlanReport();
  const directions = new Set<string>();
  for await (const { records } of planUnits(open.events(cluster), plan, report))
    for (const { direction } of records) directions.add(direction);
  const standing = tellStandings(open);
  if (standing !== exitCodes.ok) throw new CommandError(standing, 'What was altered is not written into a topic.');
  if (directions.size > 1)
    throw usage('The session both produced and was delivered records: say which to write, with --direction.');
  tellPlan(report, topic);
  const problem = await cannotWrite(cluster, topic, report);
  if (problem !== null) throw new CommandError(exitCodes.problems, problem);
  if (options.dryRun) {
    process.stdout.write('Nothing was written: this was a dry run.\n');
    return exitCodes.ok;
  }
  return await write(open, topic, cluster, { plan, report, rate, options });
}

interface Writing {
  readonly plan: PlanOptions;
  readonly report: PlanReport;
  readonly rate: number | null;
  readonly options: ReplayOptions;
}

async function write(
  open: OpenSession,
  topic: string,
  cluster: ClusterClient,
  { plan, report, rate, options }: Writing,
): Promise<ExitCode> {
  const cursorPath = resolve(options.cursor ?? `sluice-replay-${open.id}-${topic}.cursor`);
  const { partition, direction, keyIs, contains, since, until, fromOffset, toOffset } = options;
  const filters = [options.topic, partition, direction, keyIs, contains, since, until, fromOffset, toOffset];
  const recordings = open.opened.map(({ header }) => header.recording);
  let toldMs = performance.now();
  const result = await driveInto(planUnits(open.events(cluster), plan, new PlanReport()), {
    cluster,
    topic,
    cursorPath,
    // With the counts: what a broker no longer has would shift the units of a recording that only refers to them.
    planDigest: planDigest([topic, plan.toPartition ?? null, ...recordings, ...filters, report.units, report.records]),
    recordsPerSecond: rate,
    onProgress: ({ records }) => {
      if (performance.now() - toldMs < progressEveryMs) return;
      toldMs = performance.now();
      process.stderr.write(`${records} of ${report.records} records\n`);
    },
  });
  const resumed =
    result.resumedAt > 0 ? ` An earlier run had written the first ${plural(result.resumedAt, 'batch')}.` : '';
  process.stdout.write(`${result.records} records are in ${topic}.${resumed}\n`);
  return exitCodes.ok;
}

function tellPlan(report: PlanReport, topic: string): void {
  const time = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString());
  process.stdout.write(
    `${plural(report.records, 'record')} in ${report.units} batches, ${report.bytes} bytes of keys, values and headers, into ${topic}\n`,
  );
  if (report.records > 0) process.stdout.write(`  from ${time(report.fromMs)} to ${time(report.toMs)}\n`);
  for (const [partition, records] of [...report.partitions].toSorted(([a], [b]) => a - b))
    process.stdout.write(`  partition ${partition}: ${records}\n`);
  for (const [reason, records] of report.leftOut) process.stdout.write(`  left out: ${records} (${reason})\n`);
}

async function cannotWrite(cluster: ClusterClient, topic: string, report: PlanReport): Promise<string | null> {
  const view = await cluster.topic(topic);
  if (view === null) return `There is no topic ${topic} that you may see. It is not made here: make it first.`;
  if (!view.mayWrite) return `You may not write to ${topic}: no grant permits it.`;
  const highest = Math.max(-1, ...report.partitions.keys());
  if (highest >= view.partitions)
    return `${topic} has ${plural(view.partitions, 'partition')}, and there are records of partition ${highest}. Give it more, or put all into one with --to-partition.`;
  return null;
}
