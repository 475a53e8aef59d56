/** Every byte of a log with a tombstone in it, changed in turn: `npm test` takes one in thirteen. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const file = new URL('../../src/audit/retention/attacks.test.ts', import.meta.url).pathname;

test('no byte of what retention left can be changed without being found', () => {
  const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
  // Else it would take itself for a part of this run, and do nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const output = execFileSync(
    process.execPath,
    ['--test', '--test-reporter=tap', '--test-name-pattern=changes no byte', file],
    { encoding: 'utf8', env: { ...env, SLUICE_FLIP_ALL: short ? '0' : '1' } },
  );
  assert.match(output, /# pass 1\n/);
});
