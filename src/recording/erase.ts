/** Erasing: the wrapped key goes first, and with it whatever anybody has of the recording; then its segments. The header stays, marked. */
import { open, readdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, SluiceError } from '../lib/errors.ts';
import { pathsOf } from './header.ts';
import type { RecordingHeader } from './header.ts';
import { syncFolder } from './writer.ts';

export interface Erasure {
  readonly at: string;
  readonly cause: 'retention' | 'asked';
}

/** @throws SluiceError `recording-not-erased`: the key may still be there */
export async function eraseRecording(directory: string, header: RecordingHeader, erasure: Erasure): Promise<void> {
  const paths = pathsOf(directory, header.session, header.recording);
  try {
    await destroyKey(paths.key);
    const mark = await open(paths.erased, 'w', 0o600);
    try {
      await mark.writeFile(`${JSON.stringify(erasure)}\n`);
      await mark.sync();
    } finally {
      await mark.close();
    }
    const segments = (await readdir(paths.folder)).filter(
      (name) => name.startsWith(`${header.recording}.`) && name.endsWith('.rec'),
    );
    for (const name of segments) await rm(`${paths.folder}/${name}`, { force: true });
    await syncFolder(paths.folder);
  } catch (cause) {
    throw new SluiceError(
      'recording-not-erased',
      `Recording ${header.recording} could not be erased: ${messageOf(cause)}. Erase it again once that is mended.`,
      { cause },
    );
  }
}

/** Overwritten before it is unlinked: the block may otherwise stay readable on the disk. Gone already is well, too. */
async function destroyKey(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) return;
  const file = await open(path, 'r+');
  try {
    await file.write(Buffer.alloc(found.size), 0, found.size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rm(path);
  await syncFolder(dirname(path));
}
