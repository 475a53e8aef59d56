/** `sluice replay`: what a recorded session read and wrote, on screen in its own time, or into a topic again. */
import type { ClusterClient } from '../ports/kafka/replay/replay.ts';
import type { ExitCode } from './exit-codes.ts';
import { asCommandError, placesOf } from './recording-places.ts';
import { runInto } from './replay-into.ts';
import { clusterOf, maxPauseMs, recordFilter, speedOf, wholeNumber } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';
import { eventJson, eventLines, jsonLine } from './replay-print.ts';
import { openForReplay, tellStandings } from './replay-session.ts';
import type { OpenSession } from './replay-session.ts';

/** @throws CommandError where there is nothing to read, it was altered, or what is asked makes no sense */
export async function runReplay(session: string, options: ReplayOptions): Promise<ExitCode> {
  const places = await placesOf(options);
  const purpose =
    options.into === undefined ? 'replay' : `replay into ${options.into}${options.dryRun ? ' (dry run)' : ''}`;
  const cluster = await clusterOf(options);
  try {
    const open = await openForReplay(session, places, purpose, options);
    if (options.into !== undefined) return await runInto(open, options.into, cluster, options);
    return await show(open, cluster, options);
  } catch (error) {
    throw asCommandError(error);
  } finally {
    cluster?.close();
  }
}

async function show(open: OpenSession, cluster: ClusterClient | null, options: ReplayOptions): Promise<ExitCode> {
  const limit = wholeNumber('--limit', options.limit, Number.MAX_SAFE_INTEGER) ?? Infinity;
  const keep = recordFilter(options);
  const speed = speedOf(options);
  const clock = new ReplayClock(speed, maxPauseMs(options));
  let shown = 0;
  for await (const event of open.events(cluster)) {
    const kept =
      event.kind === 'batch' ? { ...event, records: event.records.filter(keep).slice(0, limit - shown) } : event;
    const lines =
      options.as === 'json'
        ? eventJson(kept, options.requests).map(jsonLine)
        : eventLines(kept, options.values, options.requests);
    if (lines.length === 0) continue;
    await clock.reach(event.atMs);
    await print(lines);
    if (kept.kind === 'batch') shown += kept.records.length;
    if (shown >= limit) break;
  }
  process.stderr.write(`${shown} record${shown === 1 ? '' : 's'}\n`);
  return tellStandings(open);
}

async function print(lines: readonly string[]): Promise<void> {
  if (process.stdout.write(`${lines.join('\n')}\n`)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}

/** Keeps the time between events, as many times faster as asked. */
class ReplayClock {
  readonly #speed: number | null;
  readonly #maxPauseMs: number;
  #lastMs: number | null = null;

  constructor(speed: number | null, pauseMs: number) {
    this.#speed = speed;
    this.#maxPauseMs = pauseMs;
  }

  async reach(atMs: number): Promise<void> {
    const before = this.#lastMs;
    this.#lastMs = atMs;
    if (this.#speed === null || before === null || atMs <= before) return;
    const pauseMs = Math.min((atMs - before) / this.#speed, this.#maxPauseMs);
    if (pauseMs >= 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
