/**
 * librdkafka with the tests of its own: from the tarball of `@confluentinc/kafka-javascript`, built once per version.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, installOnce, say } from '../../../harness/cache.ts';
import {
  confluentJavascriptPackage,
  confluentJavascriptVersion,
  librdkafkaLibraries,
} from '../../../harness/confluent-javascript.ts';
import { libraryFolders } from '../../../harness/debian.ts';
import { run } from '../../../harness/processes.ts';
import { SluiceError } from '../../../src/lib/errors.ts';

export interface TestRunner {
  /** The program. */
  readonly program: string;
  /** The folder of the tests' sources. */
  readonly sources: string;
  /** Its libraries. */
  readonly env: Readonly<Record<string, string>>;
}

const fetchTimeoutMs = 5 * 60_000;
const buildTimeoutMs = 20 * 60_000;
/** Half the time of the default -O2 -g, and quick enough: the tests measure nothing. */
const flags = ['--disable-debug-symbols', '--disable-optimization', '--CFLAGS=-O1'];
/** TLS and curl are for OAUTHBEARER with OIDC; what is not there must not pass for a test that was skipped. */
const features = ['--enable-ssl', '--enable-curl', '--enable-zlib', '--enable-zstd'];
const without = ['--disable-gssapi', '--disable-lz4-ext'];

/**
 * Three minutes of one core, once.
 * @throws {SluiceError} `librdkafka-missing` with what stood in the way; `confluent-javascript-missing`
 */
export async function ensureTestRunner(): Promise<TestRunner> {
  const system = await librdkafkaLibraries();
  const folders = await libraryFolders(system);
  const root = await installOnce(`librdkafka-tests-${confluentJavascriptVersion}`, (draft) =>
    build(draft, system, folders),
  );
  const libraries = [join(root, 'src'), join(root, 'src-cpp'), ...folders];
  return {
    program: join(root, 'tests', 'test-runner'),
    sources: join(root, 'tests'),
    env: { LD_LIBRARY_PATH: libraries.join(':') },
  };
}

async function build(draft: string, system: string, folders: readonly string[]): Promise<void> {
  const include = join(system, 'usr', 'include');
  const env = {
    CPATH: [include, ...folders.map((folder) => join(include, folder.split('/').at(-1) ?? ''))].join(':'),
    LIBRARY_PATH: folders.join(':'),
    LD_LIBRARY_PATH: folders.join(':'),
  };
  await unpack(draft);
  say(`building librdkafka and its tests (some minutes, once)`);
  const steps = [
    ['./configure', ...features, ...without, ...flags],
    ['make', '-j2', 'libs'],
    ['make', '-j2', '-C', 'tests', 'test-runner'],
  ];
  for (const [command = '', ...args] of steps) {
    const { code, stdout, stderr } = await run(command, args, { cwd: draft, env, timeoutMs: buildTimeoutMs });
    if (code === 0) continue;
    throw missing(`${command} ${args.join(' ')} failed:\n${lastLines(stdout + stderr)}`);
  }
  await Promise.all([removeObjects(draft, 'src'), removeObjects(draft, 'src-cpp'), removeObjects(draft, 'tests')]);
}

/** The part of the tarball that is librdkafka, into `draft` itself. */
async function unpack(draft: string): Promise<void> {
  const spec = `${confluentJavascriptPackage}@${confluentJavascriptVersion}`;
  say(`fetching ${spec} (about 7 MB, once)`);
  const folder = join(draft, 'package');
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
  const packed = await run('npm', ['pack', '--silent', spec], { cwd: folder, timeoutMs: fetchTimeoutMs });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (packed.code !== 0 || tarball === undefined) throw missing(`npm could not fetch it:\n${lastLines(packed.stderr)}`);
  const unpacked = await run('tar', ['-xzf', tarball, '--strip-components=3', 'package/deps/librdkafka'], {
    cwd: folder,
  });
  if (unpacked.code !== 0) throw missing(`its tarball could not be unpacked:\n${lastLines(unpacked.stderr)}`);
  for (const name of await readdir(folder)) {
    if (name === tarball || (await exists(join(draft, name)))) continue;
    await rename(join(folder, name), join(draft, name));
  }
  await rm(folder, { recursive: true });
}

async function removeObjects(draft: string, folder: string): Promise<void> {
  const names = await readdir(join(draft, folder));
  for (const name of names.filter((one) => /\.(o|d|a)$/.test(one))) await rm(join(draft, folder, name));
}

function missing(why: string): SluiceError<'librdkafka-missing'> {
  return new SluiceError('librdkafka-missing', `librdkafka's tests are not there: ${why}`, { retriable: true });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-8).join('\n');
}
