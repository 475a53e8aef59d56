import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../src/lib/errors.ts';
import { installOnce, say } from './cache.ts';
import { run } from './processes.ts';
import type { Run, RunOptions } from './processes.ts';

export interface Kcat {
  path: string;
  /** Its libraries, where they are not the system's. */
  env: Readonly<Record<string, string>>;
}

const fetchTimeoutMs = 3 * 60_000;
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
  await ensureLists();
  const packages = await neededPackages();
  const debs = join(folder, 'debs');
  await mkdir(debs);
  await chmod(debs, 0o777); // apt drops its rights while it downloads
  const download = await run('apt-get', ['-q', 'download', ...packages], { cwd: debs, timeoutMs: fetchTimeoutMs });
  if (download.code !== 0) throw missingError(`apt-get download failed:\n${lastLines(download.stderr)}`);
  for (const deb of await readdir(debs)) {
    const unpack = await run('dpkg-deb', ['-x', join(debs, deb), folder]);
    if (unpack.code !== 0) throw missingError(`${deb} could not be unpacked:\n${lastLines(unpack.stderr)}`);
  }
  await rm(debs, { recursive: true });
}

/** The package lists are the system's; only root may fetch them. */
async function ensureLists(): Promise<void> {
  const known = await run('apt-cache', ['show', 'kcat']).catch(() => {
    throw missingError('there is no apt here to fetch it with');
  });
  if (known.code === 0) return;
  if (process.getuid?.() !== 0)
    throw missingError('apt does not know the package; its lists may be missing (sudo apt-get update)');
  const update = await run('apt-get', ['-q', 'update'], { timeoutMs: fetchTimeoutMs });
  if (update.code !== 0) throw missingError(`apt-get update failed:\n${lastLines(update.stderr)}`);
}

/** kcat and those of its dependencies that are not installed. */
async function neededPackages(): Promise<string[]> {
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const { stdout } = await run('apt-cache', ['depends', '--recurse', ...only, 'kcat']);
  const names = [...new Set(stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line)))].map((line) => line.trim());
  const query = await run('dpkg-query', ['-W', '-f', '${Package} ${Status}\\n', ...names]);
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

async function libraryFolders(folder: string): Promise<string[]> {
  const base = join(folder, 'usr', 'lib');
  const triplets = (await readdir(base, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && entry.name.includes('linux'),
  );
  return [...triplets.map((entry) => join(base, entry.name)), base];
}

function missingError(why: string): SluiceError<'kcat-missing'> {
  return new SluiceError('kcat-missing', `kcat is not installed, and ${why}\nInstall it: apt-get install kcat`);
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-3).join('\n');
}
