/**
 * `@confluentinc/kafka-javascript`, which is librdkafka for Node, on demand and not as a dependency: its prebuilt binary
 * is on no package registry, so it is built here, with the librdkafka that its tarball holds. Its native parts link to
 * Debian's libraries; where their headers are not installed they are unpacked into the cache.
 */
import { mkdir, readlink, realpath, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { SluiceError, messageOf } from '../src/lib/errors.ts';
import { exists, installOnce, say } from './cache.ts';
import { ensureDebianLists, libraryFolders, notInstalled, unpackDebian } from './debian.ts';
import { run } from './processes.ts';

export const confluentJavascriptVersion = '1.10.1';

export interface ConfluentJavascript {
  /** The package's folder, for `require`. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

export const confluentJavascriptPackage = '@confluentinc/kafka-javascript';
const fetchTimeoutMs = 5 * 60_000;
const buildTimeoutMs = 20 * 60_000;
/** Headers to build with, and the libraries themselves, so that the links between the two hold. */
const headers = ['libssl-dev', 'zlib1g-dev', 'libzstd-dev', 'libcurl4-openssl-dev', 'libsasl2-dev', 'liblz4-dev'];
const libraries = ['libssl3', 'zlib1g', 'libzstd1', 'libcurl4', 'libsasl2-2', 'liblz4-1'];

/**
 * Built once per version of Node's native interface: about three minutes on two cores.
 * @throws {SluiceError} `confluent-javascript-missing` with what stood in the way
 */
export async function ensureConfluentJavascript(): Promise<ConfluentJavascript> {
  const system = await librdkafkaLibraries();
  const name = `confluent-kafka-javascript-${confluentJavascriptVersion}-node${process.versions.modules}`;
  const root = await installOnce(name, (draft) => build(draft, system));
  const env = { LD_LIBRARY_PATH: paths('LD_LIBRARY_PATH', await libraryFolders(system)) };
  return { folder: join(root, 'node_modules', ...confluentJavascriptPackage.split('/')), env };
}

/**
 * The libraries that librdkafka links to, with their headers, unpacked into the cache.
 * @throws {SluiceError} `confluent-javascript-missing`
 */
export async function librdkafkaLibraries(): Promise<string> {
  return await installOnce('librdkafka-libraries', async (draft) => {
    say('fetching the libraries of librdkafka from Debian (about 8 MB, once)');
    try {
      await ensureDebianLists('libcurl4-openssl-dev');
      const needed = new Set([...headers, ...libraries, ...(await notInstalled(['libcurl4', 'libsasl2-2']))]);
      await unpackDebian([...needed], draft);
    } catch (error) {
      throw missing(messageOf(error));
    }
  });
}

async function build(draft: string, system: string): Promise<void> {
  say(`building ${confluentJavascriptPackage} ${confluentJavascriptVersion} (some minutes, once)`);
  await writeFile(join(draft, 'package.json'), '{ "private": true }\n');
  const npm = await npmCli();
  const spec = `${confluentJavascriptPackage}@${confluentJavascriptVersion}`;
  const fetched = await runNpm(npm, ['install', '--ignore-scripts', '--no-audit', '--no-fund', spec], draft, {});
  if (fetched.code !== 0) throw missing(`npm could not fetch it:\n${lastLines(fetched.stderr)}`);
  const include = join(system, 'usr', 'include');
  const folders = await libraryFolders(system);
  const built = await runNpm(npm, ['rebuild', '--foreground-scripts', confluentJavascriptPackage], draft, {
    CKJS_LINKING: 'dynamic',
    CPATH: paths('CPATH', [include, ...folders.map((folder) => join(include, folder.split('/').at(-1) ?? ''))]),
    LIBRARY_PATH: paths('LIBRARY_PATH', folders),
    LD_LIBRARY_PATH: paths('LD_LIBRARY_PATH', folders),
    npm_config_build_from_source: 'true',
    ...(await headersOfNode()),
  });
  await mkdir(join(draft, 'logs'), { recursive: true });
  await writeFile(join(draft, 'logs', 'build.log'), built.stdout + built.stderr);
  if (built.code !== 0) throw missing(`it could not be built:\n${lastLines(built.stdout + built.stderr)}`);
}

function runNpm(
  npm: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): ReturnType<typeof run> {
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
  const timeoutMs = args[0] === 'rebuild' ? buildTimeoutMs : fetchTimeoutMs;
  // A parallel make of our own would take its flags from ours.
  return run(process.execPath, [npm, ...args], { cwd, timeoutMs, env: { ...env, PATH, MAKEFLAGS: '' } });
}

/** The npm of the machine, to be run by the Node of this process. */
async function npmCli(): Promise<string> {
  const own = process.env['npm_execpath'];
  if (own !== undefined && own !== '' && (await exists(own))) return own;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, 'npm');
    if (await exists(file)) return (await readlink(file).catch(() => null)) === null ? file : await realpath(file);
  }
  throw missing('npm was not found');
}

/** The headers that came with Node, where they did: else they would be looked for on nodejs.org. */
async function headersOfNode(): Promise<Record<string, string>> {
  const prefix = dirname(dirname(process.execPath));
  return (await exists(join(prefix, 'include', 'node', 'node.h'))) ? { npm_config_nodedir: prefix } : {};
}

function paths(variable: string, folders: readonly string[]): string {
  return [...folders, ...(process.env[variable] ?? '').split(delimiter)].filter((folder) => folder !== '').join(':');
}

function missing(why: string): SluiceError<'confluent-javascript-missing'> {
  return new SluiceError('confluent-javascript-missing', `${confluentJavascriptPackage} is not there: ${why}`, {
    retriable: true,
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-8).join('\n');
}
