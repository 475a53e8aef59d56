/**
 * Entries of programs beside the gateway, such as questions asked about the log. The gateway alone writes the log, so
 * they leave what they have to say in the folder `access` beside the segments, one file each; the gateway takes it into
 * the log within a second, or when it next starts.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { canonicalText } from '../canonical-json.ts';
import type { EventData } from '../events.ts';
import { syncFolder } from '../files.ts';
import { goneMeanwhile } from '../read/file-digest.ts';

export const accessFolder = 'access';
const namePattern = /^\d{13}-[0-9a-f-]{36}\.json$/;

/** What may be left there, and nothing else: nobody can have the gateway write a `flow.window`. */
export type AccessCode = 'log.queried';

/** As it is left: what the gateway adds is not in it. */
export type AccessData = { readonly [Code in AccessCode]: Omit<EventData[Code], 'file_owner'> };

/**
 * Leaves an entry for the gateway. It is on disk when the promise resolves.
 * @throws SluiceError `access-not-recorded`
 */
export async function leaveEntry<Code extends AccessCode>(
  directory: string,
  code: Code,
  data: AccessData[Code],
): Promise<void> {
  const folder = join(directory, accessFolder);
  const name = `${String(Date.now()).padStart(13, '0')}-${randomUUID()}.json`;
  const draft = join(folder, `${name}.new`);
  try {
    await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(canonicalText({ code, data }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(folder, name));
    await syncFolder(folder);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw new SluiceError('access-not-recorded', `${folder} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

/** What waits there, oldest first. */
export async function waitingEntries(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, accessFolder)).catch(goneMeanwhile);
  return (names ?? []).filter((name) => namePattern.test(name)).sort();
}
