/** A recorded session, open for replaying, and what became of each of its recordings. */
import { readTogether } from '../recording/recording.ts';
import type { OpenRecording, ReadResult } from '../recording/recording.ts';
import { replayEvents } from '../ports/kafka/replay/replay.ts';
import type { ClusterClient, ReplayEvent } from '../ports/kafka/replay/replay.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { coloured } from './output.ts';
import { claimsOf, standingOf } from './recording-claims.ts';
import type { Standing } from './recording-claims.ts';
import { openSession, recordingsOf } from './recording-places.ts';
import type { Places } from './recording-places.ts';
import { itemFilter, recordFilter, resolverOf } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';

/** A session that is open for reading, as often as it is needed. */
export interface OpenSession {
  readonly id: string;
  readonly opened: readonly OpenRecording[];
  /** Read from the start; the standing of each recording is known once the last event was taken. */
  events(cluster: ClusterClient | null): AsyncGenerator<ReplayEvent>;
  readonly standings: Map<string, Standing>;
}

/** @throws CommandError where there is nothing to read */
export async function openForReplay(
  id: string,
  places: Places,
  purpose: string,
  options: ReplayOptions,
): Promise<OpenSession> {
  const stored = await recordingsOf(places, id);
  const startMs = Math.min(...stored.map(({ header }) => Date.parse(header.started)));
  const filter = itemFilter(options, startMs);
  recordFilter(options);
  const { opened, erased } = await openSession(places, stored, purpose);
  for (const line of erased) process.stderr.write(`${line}\n`);
  const claims = await claimsOf(places.auditDirectory, id);
  const standings = new Map<string, Standing>();
  const ended = ({ header }: OpenRecording, result: ReadResult): void =>
    void standings.set(header.recording, standingOf(claims, header.recording, result));
  return {
    id,
    opened,
    standings,
    events: (cluster) => replayEvents(readTogether(opened, ended), filter, resolverOf(cluster)),
  };
}

/** Says of each recording whether it is what was recorded. @returns the exit code that follows */
export function tellStandings({ standings, opened }: OpenSession): ExitCode {
  let altered = false;
  for (const { header } of opened) {
    const { standing, detail } = standings.get(header.recording) ?? {
      standing: 'unproved',
      detail: 'it was not read to its end',
    };
    altered ||= standing === 'altered';
    const colour = standing === 'as-recorded' ? 'green' : standing === 'altered' ? 'red' : 'yellow';
    process.stderr.write(`recording ${header.recording}: ${coloured(colour, standing)}, ${detail}\n`);
  }
  return altered ? exitCodes.altered : exitCodes.ok;
}
