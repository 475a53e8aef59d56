/** `sluice session ls` and `show`: what is recorded, from the files and without a key. */
import Table from 'cli-table3';
import { printable } from '../lib/printable.ts';
import { listRecordings } from '../recording/recording.ts';
import type { StoredRecording } from '../recording/recording.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { plural } from './output.ts';
import type { Output } from './output.ts';
import { orProblem, placesOf, recordingsOf } from './recording-places.ts';
import type { PlaceOptions } from './recording-places.ts';

export interface SessionListOptions extends PlaceOptions {
  readonly principal?: string;
}

const cellCharsMax = 80;

/** One line per session. @throws CommandError where the recordings cannot be read */
export async function runSessionList(options: SessionListOptions, output: Output): Promise<ExitCode> {
  const { directory } = await placesOf(options);
  const found = (await orProblem(listRecordings(directory))).filter(
    ({ header }) => options.principal === undefined || header.principal.id === options.principal,
  );
  const sessions = Map.groupBy(found, ({ header }) => header.session);
  output.json({
    sessions: Array.from(sessions, ([session, recordings]) => ({ session, recordings: recordings.map(plain) })),
  });
  const head = ['session', 'principal', 'client', 'started', 'level', 'tags', 'recordings', 'bytes', 'state'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const [session, recordings] of sessions) table.push([session, ...row(recordings)].map(cell));
  if (sessions.size > 0) output.line(table.toString());
  output.line(`${plural(sessions.size, 'session')} in ${directory}`);
  return exitCodes.ok;
}

/** Every recording of one session. @throws CommandError where there is none */
export async function runSessionShow(session: string, options: PlaceOptions, output: Output): Promise<ExitCode> {
  const recordings = await recordingsOf(await placesOf(options), session);
  output.json({ session, recordings: recordings.map(plain) });
  const first = recordings[0]?.header;
  if (first !== undefined) {
    const { principal, client, port, gateway } = first;
    output.line(`session    ${session}`);
    output.line(`principal  ${cell(`${principal.kind} ${principal.id} (${principal.issuer})`)}`);
    output.line(`client     ${cell(`${client.client_id} ${client.software} at ${client.address}`)}`);
    output.line(`port       ${port} of gateway ${gateway}`);
  }
  for (const { header, segments, bytes, state, erasure, writtenMs } of recordings) {
    const { tags } = header;
    const retention =
      tags.retention_ms === null ? 'kept until erased' : `erased ${tags.retention_ms / 3_600_000} h after its end`;
    output.line('');
    output.line(`recording  ${header.recording}  ${header.level}  ${state}`);
    output.line(`  from ${header.started} to ${new Date(writtenMs).toISOString()}`);
    output.line(`  ${plural(segments.length, 'segment')}, ${plural(bytes, 'byte')}; ${retention}`);
    output.line(`  owner ${cell(tags.owner) || '(none)'}, classification ${cell(tags.classification) || '(none)'}`);
    if (erasure !== null) output.line(`  erased at ${cell(erasure.at)} (${cell(erasure.cause)})`);
  }
  return exitCodes.ok;
}

function row(recordings: readonly StoredRecording[]): string[] {
  const each = (of: (one: StoredRecording) => string): string => [...new Set(recordings.map(of))].join(' ');
  const bytes = recordings.reduce((sum, one) => sum + one.bytes, 0);
  return [
    each(({ header }) => header.principal.id),
    each(({ header }) => `${header.client.client_id}@${header.client.address}`),
    recordings[0]?.header.started ?? '',
    each(({ header }) => header.level),
    each(({ header }) => [header.tags.owner, header.tags.classification].filter((tag) => tag !== '').join('/')),
    String(recordings.length),
    String(bytes),
    each(({ state }) => state),
  ];
}

function plain({ header, segments, bytes, state, erasure, writtenMs }: StoredRecording): object {
  return {
    ...header,
    state,
    segments: segments.length,
    bytes,
    last_written: new Date(writtenMs).toISOString(),
    erasure,
  };
}

function cell(text: string): string {
  return printable(text, cellCharsMax);
}
