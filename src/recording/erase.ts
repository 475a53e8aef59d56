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

/** @returns whether it was erased by this call, and not by another process before @throws SluiceError `recording-not-erased`: the key may still be there */
export async function eraseRecording(directory: string, header: RecordingHeader, erasure: Erasure): Promise<boolean> {
  const paths = pathsOf(directory, header.session, header.recording);
  try {
    await destroyKey(paths.key);
    const first = await leaveMark(paths.erased, erasure);
    const segments = (await readdir(paths.folder)).filter(
      (name) => name.startsWith(`${header.recording}.`) && name.endsWith('.rec'),
    );
    for (const name of segments) await rm(`${paths.folder}/${name}`, { force: true });
    await syncFolder(paths.folder);
    return first;
  } catch (cause) {
    throw new SluiceError(
      'recording-not-erased',
      `Recording ${header.recording} could not be erased: ${messageOf(cause)}. Erase it again once that is mended.`,
      { cause },
    );
  }
}

async function leaveMark(path: string, erasure: Erasure): Promise<boolean> {
  const mark = await open(path, 'wx', 0o600).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return null;
    throw error;
  });
  if (mark === null) return false;
  try {
    await mark.writeFile(`${JSON.stringify(erasure)}\n`);
    await mark.sync();
  } finally {
    await mark.close();
  }
  return true;
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
