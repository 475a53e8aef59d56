/**
 * Puts the gateway's code into a few files, without types, comments and what nothing uses: one that runs keeps the text
 * of all its modules in memory, and what their loading leaves behind. `node.sh --sluice` asks for it.
 *
 *   sh scripts/node.sh scripts/build.ts FOLDER
 *
 * Writes to a folder beside it first, so that FOLDER appears whole, and removes builds of the same parent that are old
 * and not the newest: a gateway that runs reads from its own what it has not needed before.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const keptAtLeast = 3;
const keptForMs = 30 * 86_400_000;

/** What runs by itself: the command line, a worker process, and the thread that reads policies. */
const entries: Record<string, string> = {
  sluice: 'src/cli/sluice.ts',
  worker: 'src/main/worker.ts',
  'policy-thread': 'src/main/policy-thread.ts',
};

/** With native code, or files of their own that they look for beside them. */
const leftOutside: string[] = ['@duckdb/node-api', '@node-rs/crc32', 'lz4-napi', 'pino', 'snappy'];

const [given] = process.argv.slice(2);
if (given === undefined) throw new Error('usage: build.ts FOLDER');
await buildInto(resolve(given));

async function buildInto(folder: string): Promise<void> {
  if (existsSync(join(folder, 'sluice.js'))) return;
  const parent = dirname(folder);
  const beside = `${folder}.${process.pid}`;
  mkdirSync(parent, { recursive: true });
  await build({
    absWorkingDir: join(import.meta.dirname, '..'),
    entryPoints: entries,
    outdir: beside,
    // All files side by side, as deep below the root as the sources are: what they look for from there is at its place.
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    // Names stay: they stand in what an error says of where it happened.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    // A text with one character beyond Latin-1 takes twice the memory.
    charset: 'ascii',
    external: leftOutside,
    // For CommonJS packages, which ask for Node's modules by it.
    banner: {
      js: "import{createRequire as bundledRequire}from'node:module';const require=bundledRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  try {
    renameSync(beside, folder);
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    // Another process was first.
    if (!existsSync(join(folder, 'sluice.js'))) throw error;
  }
  removeOld(parent);
}

function removeOld(parent: string): void {
  const builds = readdirSync(parent)
    .map((name) => join(parent, name))
    .map((path) => ({ path, madeMs: statSync(path).mtimeMs }))
    .toSorted((a, b) => b.madeMs - a.madeMs);
  for (const { path, madeMs } of builds.slice(keptAtLeast)) {
    if (Date.now() - madeMs > keptForMs) rmSync(path, { recursive: true, force: true });
  }
}
