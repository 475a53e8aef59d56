/** `sluice session erase`: destroys the keys of a session's recordings. */
import { eraseRecording, leaveNotice } from '../recording/recording.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError, plural } from './output.ts';
import type { Output } from './output.ts';
import { orProblem, placesOf, recordingsOf } from './recording-places.ts';
import type { PlaceOptions } from './recording-places.ts';

export interface SessionEraseOptions extends PlaceOptions {
  readonly yes: boolean;
}

/** @throws CommandError where there is nothing to erase, or it could not be done */
export async function runSessionErase(
  session: string,
  options: SessionEraseOptions,
  output: Output,
): Promise<ExitCode> {
  const places = await placesOf(options);
  const recordings = (await recordingsOf(places, session)).filter(({ state }) => state !== 'erased');
  if (recordings.length === 0)
    throw new CommandError(exitCodes.problems, `All recordings of session ${session} were erased before.`);
  if (!options.yes)
    throw new CommandError(
      exitCodes.usage,
      `This destroys ${plural(recordings.length, 'recording')} of session ${session} for good: nobody can read them again. Say so with --yes.`,
    );
  const erased: string[] = [];
  for (const { header } of recordings) {
    // Told first: an erasure that nobody knows of is worse than one that was told and did not happen.
    await orProblem(leaveNotice(places.directory, 'erased', header, ''));
    await orProblem(eraseRecording(places.directory, header, { at: new Date().toISOString(), cause: 'asked' }));
    erased.push(header.recording);
    output.line(`erased ${header.recording}`);
  }
  output.json({ session, erased });
  return exitCodes.ok;
}
