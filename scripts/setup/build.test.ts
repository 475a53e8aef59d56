/** What `bin/sluice` runs: it is made whole, works from where it lies, and old ones go. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sluiceProgram } from '../../harness/program.ts';

const root = join(import.meta.dirname, '../..');

function build(folder: string): void {
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), folder], { stdio: 'pipe' });
}

test('the command line runs from the build of these sources, which has the programs beside it', () => {
  const program = sluiceProgram();
  assert.match(program, /\/dist\/\d+-\d+\/sluice\.js$/);
  assert.equal(sluiceProgram(), program);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.equal(execFileSync(process.execPath, [program, '--version'], { encoding: 'utf8' }).trim(), version);
  for (const name of ['worker.js', 'policy-thread.js']) assert.ok(existsSync(join(program, '..', name)), name);
});

test('a build that is there is left as it is, nothing half-made stays, and of the old ones the newest three', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'sluice-build-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const old = ['a', 'b', 'c', 'd'];
  old.forEach((name, index) => {
    mkdirSync(join(parent, name));
    const at = Date.now() / 1_000 - (60 + index) * 86_400;
    utimesSync(join(parent, name), at, at);
  });
  build(join(parent, 'new'));
  assert.deepEqual(readdirSync(parent).toSorted(), ['a', 'b', 'new']);
  const files = readdirSync(join(parent, 'new'));
  rmSync(join(parent, 'new', 'worker.js'));
  build(join(parent, 'new'));
  assert.deepEqual(readdirSync(join(parent, 'new')).length, files.length - 1);
});
