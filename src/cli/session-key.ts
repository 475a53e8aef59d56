/** `sluice session key`: which keys wrap recordings, and a new one. Never the keys themselves. */
import { addWrappingKey, wrappingKeyIds } from '../recording/recording.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { orProblem, placesOf } from './recording-places.ts';
import type { PlaceOptions } from './recording-places.ts';

export interface SessionKeyOptions extends PlaceOptions {
  readonly rotate: boolean;
}

/** @throws CommandError where the key file is not there or cannot be used */
export async function runSessionKey(options: SessionKeyOptions, output: Output): Promise<ExitCode> {
  const { keyFile } = await placesOf(options);
  if (options.rotate) await orProblem(addWrappingKey(keyFile));
  const keys = await orProblem(wrappingKeyIds(keyFile));
  output.json({ file: keyFile, keys, rotated: options.rotate });
  for (const key of keys) output.line(key);
  if (options.rotate) output.note('The gateway wraps with the new key once it is started again. Keep the older ones.');
  return exitCodes.ok;
}
