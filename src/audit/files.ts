import { mkdir, open, readdir, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from './folder-lock.ts';
import { segmentNames } from './segment-name.ts';

/** A segment that is being written. Tests put their own behind it to make the disk fail. */
export interface SegmentFile {
  /** Writes all of `bytes` at the end. */
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The folder of the log. */
export interface LogFiles {
  /** Names of segments in the order in which they were written. */
  list(): Promise<readonly string[]>;
  /** A new segment that nobody else has; its name is on disk when the promise resolves. */
  create(name: string): Promise<SegmentFile>;
  remove(name: string): Promise<void>;
  /** The last bytes of a segment, at most `bytesMax`, and its whole size. */
  tail(name: string, bytesMax: number): Promise<{ readonly size: number; readonly bytes: Buffer }>;
  /** Gives the folder back. */
  release(): Promise<void>;
}

const folderMode = 0o700;
const fileMode = 0o600;

/**
 * Makes the folder where it is missing, for its owner alone, and keeps it from other gateways.
 * @throws SluiceError `audit-folder-in-use`
 */
export async function openFolder(directory: string): Promise<LogFiles> {
  await mkdir(directory, { recursive: true, mode: folderMode });
  const release = await lockFolder(directory);
  return {
    release,
    list: async () => segmentNames(await readdir(directory)),
    create: async (name) => {
      // `wx`: a segment is never written by two, and never again.
      const file = await open(join(directory, name), 'wx', fileMode);
      await syncFolder(directory);
      return segmentFile(file);
    },
    remove: (name) => unlink(join(directory, name)),
    tail: (name, bytesMax) => readTail(join(directory, name), bytesMax),
  };
}

function segmentFile(file: FileHandle): SegmentFile {
  return {
    write: async (bytes) => {
      for (let written = 0; written < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written);
        written += bytesWritten;
      }
    },
    sync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}

/** A new file's name survives a power cut only once its folder is synced. */
export async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readTail(path: string, bytesMax: number): Promise<{ size: number; bytes: Buffer }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytesMax);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return { size, bytes: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}
