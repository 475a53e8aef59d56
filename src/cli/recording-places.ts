/** Where recordings, their key and the audit log are, and how the commands on sessions read them. */
import { SluiceError } from '../lib/errors.ts';
import { FileKeyWrapper, isSessionId, leaveNotice, listRecordings, openRecording } from '../recording/recording.ts';
import type { OpenRecording, StoredRecording } from '../recording/recording.ts';
import { exitCodes } from './exit-codes.ts';
import { loadConfiguration } from './load.ts';
import { CommandError } from './output.ts';

export interface PlaceOptions {
  readonly config: string;
  /** Instead of the configuration's. */
  readonly recordings?: string;
  readonly key?: string;
  readonly audit?: string;
}

export interface Places {
  readonly directory: string;
  readonly keyFile: string;
  /** `null`: there is no log to hold recordings against. */
  readonly auditDirectory: string | null;
}

/** @throws CommandError where the configuration has problems or no recordings */
export async function placesOf(options: PlaceOptions): Promise<Places> {
  const { recordings, key, audit } = options;
  if (recordings !== undefined)
    return { directory: recordings, keyFile: key ?? `${recordings}-key`, auditDirectory: audit ?? null };
  const { settings } = await loadConfiguration(options.config);
  if (settings.recording === undefined)
    throw new CommandError(exitCodes.problems, 'The configuration keeps no recordings.');
  const { directory, keyFile } = settings.recording;
  return { directory, keyFile: key ?? keyFile, auditDirectory: audit ?? settings.audit.directory };
}

/** @throws CommandError where there is none */
export async function recordingsOf({ directory }: Places, session: string): Promise<StoredRecording[]> {
  const found = isSessionId(session) ? await orProblem(listRecordings(directory, session)) : [];
  if (found.length > 0) return found;
  const message = `There is no recording of session ${session} in ${directory}. \`sluice session ls\` lists what there is.`;
  throw new CommandError(exitCodes.problems, message);
}

/**
 * Opens what can still be read of a session. That somebody reads is left for the audit log before.
 * @returns those, and for each that was erased a line that says so
 * @throws CommandError where nothing is left, or the key is not there
 */
export async function openSession(
  places: Places,
  stored: readonly StoredRecording[],
  purpose: string,
): Promise<{ readonly opened: OpenRecording[]; readonly erased: string[] }> {
  const opened: OpenRecording[] = [];
  const erased: string[] = [];
  const parts = {
    wrapper: new FileKeyWrapper(places.keyFile, false),
    // Who can read the key may read: the control plane asks the policy here.
    mayRead: async () => await Promise.resolve(null),
    announce: async ({ recording }: { readonly recording: StoredRecording['header'] }) =>
      await leaveNotice(places.directory, 'read', recording, purpose),
  };
  for (const one of stored) {
    try {
      opened.push(await openRecording(places.directory, one, parts, purpose));
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'recording-erased') throw asCommandError(error);
      erased.push(error.message);
    }
  }
  if (opened.length === 0) throw new CommandError(exitCodes.problems, erased.join('\n'));
  return { opened, erased };
}

/** What the other parts throw on purpose, with the exit code that fits. */
export function asCommandError(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error;
  const altered = error.code === 'recording-altered';
  return new CommandError(altered ? exitCodes.altered : exitCodes.problems, error.message);
}

export async function orProblem<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw asCommandError(error);
  }
}
