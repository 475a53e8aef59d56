/** Debian's packages without an installation: unpacked into a folder, which needs no root. */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../src/lib/errors.ts';
import { run } from './processes.ts';

const fetchTimeoutMs = 3 * 60_000;

/**
 * Downloads packages and unpacks them into `folder`, as far as apt's sources and lists go.
 * @throws {SluiceError} `debian-missing` with what stood in the way
 */
export async function unpackDebian(packages: readonly string[], folder: string): Promise<void> {
  const debs = join(folder, 'debs');
  await mkdir(debs);
  await chmod(debs, 0o777); // apt drops its rights while it downloads
  const download = await run('apt-get', ['-q', 'download', ...packages], { cwd: debs, timeoutMs: fetchTimeoutMs });
  if (download.code !== 0) throw missing(`apt-get download failed:\n${lastLines(download.stderr)}`);
  for (const deb of await readdir(debs)) {
    const unpack = await run('dpkg-deb', ['-x', join(debs, deb), folder]);
    if (unpack.code !== 0) throw missing(`${deb} could not be unpacked:\n${lastLines(unpack.stderr)}`);
  }
  await rm(debs, { recursive: true });
}

/**
 * Fetches apt's package lists where they are missing; they are the system's, so only root may.
 * @throws {SluiceError} `debian-missing`
 */
export async function ensureDebianLists(packageName: string): Promise<void> {
  const known = await run('apt-cache', ['show', packageName]).catch(() => {
    throw missing('there is no apt here to fetch it with');
  });
  if (known.code === 0) return;
  if (process.getuid?.() !== 0)
    throw missing('apt does not know the package; its lists may be missing (sudo apt-get update)');
  const update = await run('apt-get', ['-q', 'update'], { timeoutMs: fetchTimeoutMs });
  if (update.code !== 0) throw missing(`apt-get update failed:\n${lastLines(update.stderr)}`);
}

/** Packages and what they depend on, less those that are installed. */
export async function notInstalled(packages: readonly string[]): Promise<string[]> {
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const { stdout } = await run('apt-cache', ['depends', '--recurse', ...only, ...packages]);
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

/** Where a folder of unpacked packages has its libraries. */
export async function libraryFolders(folder: string): Promise<string[]> {
  const base = join(folder, 'usr', 'lib');
  const triplets = (await readdir(base, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && entry.name.includes('linux'),
  );
  return [...triplets.map((entry) => join(base, entry.name)), base];
}

function missing(why: string): SluiceError<'debian-missing'> {
  return new SluiceError('debian-missing', why);
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-3).join('\n');
}
