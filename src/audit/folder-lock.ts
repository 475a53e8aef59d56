import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../lib/errors.ts';

const lockName = 'lock';

/**
 * Keeps two gateways from writing one folder by mistake: their segments would not mix, but each would take the other's
 * for a crash. The lock of a process that is gone is taken over. Processes that cannot see each other (containers that
 * share a volume) are not told apart.
 *
 * @returns releases the lock
 * @throws SluiceError `audit-folder-in-use`
 */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, lockName);
  const mine = await holderText(process.pid);
  const holder = await readFile(path, 'utf8').catch(() => '');
  if (holder !== '' && holder !== mine && (await isAlive(holder))) throw inUse(path, holder);
  await writeWhole(path, mine);
  const winner = await readFile(path, 'utf8');
  if (winner !== mine) throw inUse(path, winner);
  return async () => {
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
  };
}

/** By rename, so that a reader finds one whole text or the other. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** A process id and when that process began: ids are used again, after a restart of a container at once. */
async function holderText(pid: number): Promise<string> {
  return `${pid} ${await startOf(pid)}`;
}

async function isAlive(holder: string): Promise<boolean> {
  const pid = Number.parseInt(holder, 10);
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, as another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return (await holderText(pid)) === holder;
}

/** Field 22 of /proc/PID/stat (proc(5)); empty where there is no /proc. The name, field 2, may hold spaces and brackets. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function inUse(path: string, holder: string): SluiceError<'audit-folder-in-use'> {
  const pid = Number.parseInt(holder, 10);
  return new SluiceError(
    'audit-folder-in-use',
    `process ${pid} writes there already. Stop it, or give each gateway a folder of its own; remove ${path} if process ${pid} is no gateway`,
    { retriable: true },
  );
}
