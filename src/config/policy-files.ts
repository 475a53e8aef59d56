/** The policy folder: its files read within bounds, and watched so that an edit is live within a second. */
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { policyFilesMax, policyFolderBytesMax } from '../lib/limits.ts';

/** `path` is the file's name within the folder. */
export interface PolicyFile {
  readonly path: string;
  readonly text: string;
}

/** How often the folder is looked at where the system reports no change: editors that rename, ConfigMaps that swap a symbolic link. */
const pollMs = 500;
/** A change must hold still this long before it is read, so that a half-written file is not taken for the whole. */
const settleMs = 100;

/**
 * Reads the folder's policy files (`.yaml`, `.yml`, `.json`; hidden ones left out), sorted by name.
 *
 * @throws SluiceError `policies-unreadable`
 */
export async function readPolicyFiles(directory: string): Promise<readonly PolicyFile[]> {
  const files: PolicyFile[] = [];
  let bytes = 0;
  for (const name of await policyFileNames(directory)) {
    const path = join(directory, name);
    const { size } = await stat(path).catch((cause: unknown) => unreadable(`${path}: ${messageOf(cause)}`, cause));
    bytes += size;
    if (bytes > policyFolderBytesMax)
      unreadable(`the files in ${directory} are larger than ${policyFolderBytesMax} bytes together`);
    const text = await readFile(path, 'utf8').catch((cause: unknown) =>
      unreadable(`${path}: ${messageOf(cause)}`, cause),
    );
    files.push({ path: name, text });
  }
  return files;
}

/** A single file, or every policy file of a folder: what the command line takes. Names are those within `folder`. */
export async function readPolicyPath(
  path: string,
): Promise<{ readonly folder: string; readonly files: readonly PolicyFile[] }> {
  const found = await stat(path).catch((cause: unknown) => unreadable(`${path}: ${messageOf(cause)}`, cause));
  if (found.isDirectory()) return { folder: path, files: await readPolicyFiles(path) };
  if (found.size > policyFolderBytesMax) unreadable(`${path} is larger than ${policyFolderBytesMax} bytes`);
  const text = await readFile(path, 'utf8').catch((cause: unknown) =>
    unreadable(`${path}: ${messageOf(cause)}`, cause),
  );
  return { folder: dirname(path), files: [{ path: basename(path), text }] };
}

async function policyFileNames(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((cause: unknown) =>
    unreadable(`${directory}: ${messageOf(cause)}`, cause),
  );
  const policies = names.filter((name) => !name.startsWith('.') && /\.(ya?ml|json)$/.test(name)).sort();
  if (policies.length > policyFilesMax) unreadable(`${directory} holds more than ${policyFilesMax} policy files`);
  return policies;
}

function unreadable(detail: string, cause?: unknown): never {
  throw new SluiceError('policies-unreadable', `The policy files cannot be read: ${detail}.`, {
    cause,
    retriable: true,
  });
}

export interface PolicyWatch {
  /** Looks now, whether anything changed or not, and resolves when `onChange` has run. */
  reload(): Promise<void>;
  close(): void;
}

/** What the watch found: the files as they now are, or why they cannot be read. */
export type PolicyReading =
  | { readonly ok: true; readonly files: readonly PolicyFile[] }
  | { readonly ok: false; readonly error: Error };

/**
 * Calls `onChange` whenever the content of the folder is another than before, one call at a time.
 *
 * @param current what was read last, so that nothing is reported that is already in force
 */
export function watchPolicyFiles(
  directory: string,
  current: readonly PolicyFile[],
  onChange: (reading: PolicyReading) => void | Promise<void>,
): PolicyWatch {
  let seen = digestOf(current);
  let looks = '';
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  let watcher: FSWatcher | null = null;

  const look = async (force: boolean): Promise<void> => {
    const before = await appearance(directory);
    if (closed || (!force && before === looks)) return;
    if (!force) await new Promise((resolve) => setTimeout(resolve, settleMs));
    const reading = await read(directory);
    // Still being written: the next look, half a second on at the latest, will find it settled.
    if (closed || (!force && (await appearance(directory)) !== before)) return;
    looks = before;
    const digest = reading.ok ? digestOf(reading.files) : `unreadable: ${reading.error.message}`;
    if (!force && digest === seen) return;
    seen = digest;
    await onChange(reading);
  };
  const enqueue = (force: boolean): Promise<void> => {
    const result = running.then(() => look(force));
    // One look that failed must not keep later ones from being taken.
    running = result.catch(() => {});
    return result;
  };
  let queued = false;
  const nudge = (): void => {
    if (queued || closed) return;
    queued = true;
    void enqueue(false).finally(() => (queued = false));
  };
  const timer = setInterval(() => {
    watcher ??= watchFolder(directory, nudge, () => (watcher = null));
    nudge();
  }, pollMs);
  timer.unref();
  watcher = watchFolder(directory, nudge, () => (watcher = null));
  return {
    reload: () => enqueue(true),
    close: () => {
      closed = true;
      clearInterval(timer);
      watcher?.close();
    },
  };
}

async function read(directory: string): Promise<PolicyReading> {
  try {
    return { ok: true, files: await readPolicyFiles(directory) };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** A text that changes whenever a file does, without reading any: names, and each file's identity, size and times. */
async function appearance(directory: string): Promise<string> {
  try {
    const names = await policyFileNames(directory);
    const looks = await Promise.all(
      names.map(async (name) => {
        const found = await stat(join(directory, name), { bigint: true }).catch(() => null);
        return found === null
          ? `${name} gone`
          : `${name} ${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
      }),
    );
    return looks.join('\n');
  } catch (error) {
    return `unreadable: ${messageOf(error)}`;
  }
}

function digestOf(files: readonly PolicyFile[]): string {
  const hash = createHash('sha256');
  for (const { path, text } of files) hash.update(`${path.length} ${path} ${text.length} ${text}`);
  return hash.digest('hex');
}

/** Best effort: where the system cannot watch, the poll does it alone. */
function watchFolder(directory: string, onEvent: () => void, onGone: () => void): FSWatcher | null {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent);
    watcher.on('error', () => {
      watcher.close();
      onGone();
    });
    return watcher;
  } catch {
    return null;
  }
}
