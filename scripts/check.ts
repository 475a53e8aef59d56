/**
 * `npm run check`: everything that is held besides the tests, one line each; the output of a check where it fails.
 *
 *   npm run check               all of them
 *   npm run check -- lint docs  those named
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename } from 'node:path';

interface Check {
  readonly name: string;
  /** A program and its arguments; node for a file of ours, else a command of node_modules/.bin. */
  readonly command: readonly [string, ...string[]];
}

const timeoutMs = 5 * 60_000;
process.chdir(new URL('..', import.meta.url).pathname);

const checks: readonly Check[] = [
  { name: 'types', command: ['node', 'node_modules/typescript-7/bin/tsc', '-p', 'tsconfig.json'] },
  {
    name: 'lint',
    command: ['oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives', '--format=unix'],
  },
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'imports', command: ['node', 'scripts/check-imports.ts'] },
  { name: 'dead-code', command: ['knip', '--no-progress'] },
  { name: 'docs', command: ['node', 'scripts/check-docs.ts'] },
  { name: 'lengths', command: ['node', 'scripts/check-lengths.ts'] },
  // Each generator tells with --check whether what it wrote is what it would write now.
  ...globSync('scripts/generate-*.ts')
    .toSorted()
    .map((file): Check => ({ name: basename(file, '.ts'), command: ['node', file, '--check'] })),
];

const named = process.argv.slice(2);
const unknown = named.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(', ')}. There are: ${checks.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}
const chosen = checks.filter(({ name }) => named.length === 0 || named.includes(name));
let failed = 0;
for (const check of chosen) {
  const startedMs = performance.now();
  const { ok, output } = await runCheck(check);
  const time = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`.padStart(7);
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  console.log(
    `${ok ? '✔' : '✖'} ${check.name.padEnd(20)} ${time}  ${ok && check.command[0] === 'node' ? last : ''}`.trimEnd(),
  );
  if (ok) continue;
  failed += 1;
  console.log(output.trimEnd().replace(/^/gm, '    '));
}
console.log(`${chosen.length - failed} checks in order, ${failed} not`);
process.exitCode = failed === 0 ? 0 : 1;

function runCheck({ command: [program, ...args] }: Check): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const path = program === 'node' ? process.execPath : `node_modules/.bin/${program}`;
    const child = spawn(path, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      env: { ...process.env, NO_COLOR: '1' },
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ ok: false, output: `${program} could not be started: ${error.message}` }));
    child.on('close', (code, signal) => {
      if (signal !== null) output += `\nstopped by ${signal} (a check may take ${timeoutMs / 60_000} min)`;
      resolve({ ok: code === 0, output });
    });
  });
}
