import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../src/lib/errors.ts';

const lockPollMs = 200;
const lockWaitMsMax = 15 * 60_000;

/** The folder that keeps what was fetched once: `SLUICE_CACHE`, set by scripts/node.sh, or its default. */
function cacheFolder(): string {
  const chosen = process.env['SLUICE_CACHE'];
  if (chosen !== undefined && chosen !== '') return chosen;
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice');
}

/** One line for the person who waits, on stderr so that a program's output stays its own. */
export function say(line: string): void {
  process.stderr.write(`sluice: ${line}\n`);
}

/**
 * The folder `name` in the cache, filled by `fill` if it is not there yet. It appears whole or not at all: `fill`
 * works in a neighbour that is renamed at the end, and of two processes one fills and the other waits for it.
 */
export async function installOnce(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const target = join(cacheFolder(), name);
  if (await exists(target)) return target;
  return await withLock(name, async () => {
    if (await exists(target)) return target;
    const draft = await mkdtemp(`${target}.draft-`);
    try {
      await fill(draft);
      await rename(draft, target);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw error;
    }
    return target;
  });
}

/**
 * Runs `work` while no other process of this machine does so under the same name. A lock left by a process that is
 * gone is taken over.
 * @throws {SluiceError} `lock-busy` after 15 minutes.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const file = join(cacheFolder(), `${name}.lock`);
  await mkdir(dirname(file), { recursive: true });
  const giveUpAt = Date.now() + lockWaitMsMax;
  while (!(await claimFile(file))) {
    if (Date.now() > giveUpAt) {
      throw new SluiceError(
        'lock-busy',
        `Another process has held ${file} for 15 minutes. If none is at work, delete that file.`,
      );
    }
    await sleep(lockPollMs);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Creates `file` with this process's id in it. False where a living process has it already. */
export async function claimFile(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (await isStale(file)) await takeAway(file);
  return false;
}

/** Removes a stale lock, and puts it back if another process replaced it by a fresh one in the meantime. */
async function takeAway(file: string): Promise<void> {
  const aside = `${file}.stale-${process.pid}`;
  await rename(file, aside).catch(() => {});
  if ((await exists(aside)) && !(await isStale(aside))) await rename(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

async function isStale(file: string): Promise<boolean> {
  const owner = Number(await readFile(file, 'utf8').catch(() => '0'));
  if (owner > 0) return !isAlive(owner);
  // No id in it: its maker is between creating and writing, unless it has been so for seconds.
  const made = await stat(file).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > 5_000;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
