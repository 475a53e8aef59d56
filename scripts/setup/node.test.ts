/** `scripts/node.sh` with an npm of ours: several at once in one checkout install once, and what a dead one left is no hindrance. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../node.sh', import.meta.url));
/** What the script calls besides the shell's own words; flock is added where it is wanted. */
const commands = [
  'basename',
  'cat',
  'cksum',
  'dirname',
  'env',
  'mkdir',
  'mktemp',
  'mv',
  'readlink',
  'rm',
  'sh',
  'sleep',
];
/** As slow as it needs to be for others to come in between, and noisy where they do. */
const npm = `const { appendFileSync, existsSync, mkdirSync, rmSync } = require('node:fs');
if (process.argv[2] !== 'ci') process.exit(2);
appendFileSync('runs.txt', existsSync('busy') ? 'two at once ' : 'one ');
mkdirSync('busy', { recursive: true });
rmSync('node_modules', { recursive: true, force: true });
setTimeout(() => {
  mkdirSync('node_modules', { recursive: true });
  rmSync('busy', { recursive: true });
}, 700);
`;

interface Checkout {
  readonly folder: string;
  readonly setUp: () => ChildProcess;
  /** How npm was called, in order. */
  readonly runs: () => string;
}

function checkout(t: TestContext, withFlock: boolean): Checkout {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-setup-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bin = join(folder, 'bin');
  for (const each of [bin, join(folder, 'scripts')]) mkdirSync(each);
  copyFileSync(script, join(folder, 'scripts', 'node.sh'));
  writeFileSync(join(folder, 'package-lock.json'), '{}');
  writeFileSync(join(folder, 'npm.cjs'), npm);
  for (const command of withFlock ? [...commands, 'flock'] : commands)
    symlinkSync(whereIs(command), join(bin, command));
  const env = { PATH: bin, HOME: folder, SLUICE_NODE: process.execPath, npm_execpath: join(folder, 'npm.cjs') };
  return {
    folder,
    setUp: () => spawn('/bin/sh', [join(folder, 'scripts', 'node.sh'), '--setup'], { env, stdio: 'ignore' }),
    runs: () => (existsSync(join(folder, 'runs.txt')) ? readFileSync(join(folder, 'runs.txt'), 'utf8').trim() : ''),
  };
}

function whereIs(command: string): string {
  const found = (process.env['PATH'] ?? '').split(':').find((folder) => existsSync(join(folder, command)));
  if (found === undefined) throw new Error(`${command} is not installed`);
  return join(found, command);
}

async function codeOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? (await once(child, 'exit'))[0];
}

for (const withFlock of [true, false]) {
  const how = withFlock ? 'with flock' : 'without flock';

  test(`${how}, set-ups that run at once install one after the other, and once`, async (t) => {
    const { setUp, runs } = checkout(t, withFlock);
    assert.deepEqual(await Promise.all([setUp(), setUp(), setUp()].map(codeOf)), [0, 0, 0]);
    assert.equal(runs(), 'one');
    assert.equal(await codeOf(setUp()), 0);
    assert.equal(runs(), 'one', 'and no more');
  });

  test(`${how}, one that was killed does not stop the next`, async (t) => {
    const { folder, setUp, runs } = checkout(t, withFlock);
    const first = setUp();
    while (runs() === '') await sleep(10);
    first.kill('SIGKILL');
    // Its npm goes on for a moment, and holds flock's lock until it is done.
    if (!withFlock) while (existsSync(join(folder, 'busy'))) await sleep(10);
    assert.deepEqual(await Promise.all([setUp(), setUp()].map(codeOf)), [0, 0]);
    assert.doesNotMatch(runs(), /two at once/);
    assert.ok(existsSync(join(folder, 'node_modules', '.sluice-stamp')));
  });
}
