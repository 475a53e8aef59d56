import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, messageOf } from '../src/lib/errors.ts';
import { installOnce, say } from './cache.ts';
import { ensureDebianLists, libraryFolders, notInstalled, unpackDebian } from './debian.ts';
import { run } from './processes.ts';
import type { Run, RunOptions } from './processes.ts';

export interface Kcat {
  path: string;
  /** Its libraries, where they are not the system's. */
  env: Readonly<Record<string, string>>;
}

let found: Promise<Kcat> | undefined;

/**
 * The system's kcat, or Debian's own packages unpacked into the cache, which needs neither root nor an installation.
 * librdkafka below 2.6.1 (Debian 12 has 2.0.2) cannot do SCRAM against Kafka 4: it sends its nonce twice, and Kafka has
 * checked that since CVE-2024-56128 (confluentinc/librdkafka#4895). PLAIN, OAUTHBEARER and TLS work. In the value of
 * an `-X` a comma starts the next property.
 * @throws {SluiceError} `kcat-missing` with what to do
 */
function ensureKcat(): Promise<Kcat> {
  found ??= findKcat().catch((error: unknown) => {
    found = undefined;
    throw error;
  });
  return found;
}

/** Runs kcat to its end. */
export async function kcat(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { path, env } = await ensureKcat();
  return await run(path, args, { ...options, env: { ...env, ...options.env } });
}

async function findKcat(): Promise<Kcat> {
  for (const name of ['kcat', 'kafkacat']) {
    if (await runs(name, {})) return { path: name, env: {} };
  }
  const folder = await installOnce('kcat', fill);
  const path = join(folder, 'usr', 'bin', 'kcat');
  const env = { LD_LIBRARY_PATH: (await libraryFolders(folder)).join(':') };
  if (await runs(path, env)) return { path, env };
  const { stdout } = await run('ldd', [path], { env });
  const missing = stdout.split('\n').filter((line) => line.includes('not found'));
  await rm(folder, { recursive: true, force: true });
  throw missingError(`the fetched kcat does not run; libraries it misses:\n${missing.join('\n') || '(none)'}`);
}

async function runs(path: string, env: Record<string, string>): Promise<boolean> {
  return await run(path, ['-V'], { env, timeoutMs: 20_000 }).then(
    ({ code, stdout, stderr }) => code === 0 || /kcat|kafkacat/i.test(stdout + stderr.split('error while loading')[0]),
    () => false,
  );
}

async function fill(folder: string): Promise<void> {
  say('fetching kcat from Debian (about 5 MB, once)');
  try {
    await ensureDebianLists('kcat');
    await unpackDebian(await notInstalled(['kcat']), folder);
  } catch (error) {
    throw missingError(messageOf(error));
  }
}

function missingError(why: string): SluiceError<'kcat-missing'> {
  return new SluiceError('kcat-missing', `kcat is not installed, and ${why}\nInstall it: apt-get install kcat`);
}
