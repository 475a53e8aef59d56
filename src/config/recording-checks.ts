/** Looks at where recordings and their key are to be. Both are made with the first recording. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { RecordingSettings } from '../model/settings.ts';
import type { PlacedProblem } from './problem.ts';

export interface RecordingFindings {
  readonly problems: PlacedProblem[];
  readonly warnings: PlacedProblem[];
}

/** @param given whether the configuration has the section: without it nothing may ever be recorded */
export async function checkRecording(
  { directory, keyFile }: RecordingSettings,
  given: boolean,
  { problems, warnings }: RecordingFindings,
): Promise<void> {
  if (!given) return;
  const within = relative(directory, keyFile);
  if (within === '' || !within.startsWith('..'))
    warnings.push({
      at: ['recording', 'key'],
      message: `The key ${keyFile} is within the folder of recordings: whoever is given a copy of them is given their key too.`,
    });
  const found = await stat(directory).catch(() => null);
  if (found !== null && !found.isDirectory())
    return void problems.push({ at: ['recording', 'directory'], message: `${directory} is not a folder.` });
  for (const [path, key] of [
    [directory, 'directory'],
    [dirname(keyFile), 'key'],
  ] as const) {
    const parent = await nearestFolder(path);
    const writable = await access(parent, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!writable)
      problems.push({
        at: ['recording', key],
        message: `Nothing can be recorded: this user may not write to ${parent}.`,
      });
  }
}

async function nearestFolder(path: string): Promise<string> {
  let folder = path;
  while ((await stat(folder).catch(() => null)) === null && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
