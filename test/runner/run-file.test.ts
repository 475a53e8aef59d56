import { deepEqual, equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findMarked } from './processes.ts';
import type { FileResult } from './run-file.ts';

type Outcome = Pick<FileResult, 'passed' | 'failed' | 'skipped' | 'failures'>;

/** Runs a fixture through `runFile` in another process, because node's test runner does not run inside itself. */
async function outcomeOf(fixture: string, mark: string, timeoutMs: number): Promise<Outcome> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const driver = fileURLToPath(new URL('fixtures/run-one.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [driver, fixture, mark, String(timeoutMs)], { env });
  return JSON.parse(stdout) as Outcome;
}

describe('a test file under the runner', { skip: process.platform !== 'linux', concurrency: 2 }, () => {
  const mark = (name: string): string => `self-test-${process.pid}/${name}`;

  test('is counted test by test', async () => {
    const outcome = await outcomeOf('mixed.ts', mark('mixed'), 30_000);
    deepEqual(outcome, { passed: 1, failed: 1, skipped: 1, failures: ['fails'] });
  });

  test('passes with a test that is still to do', async () => {
    const outcome = await outcomeOf('passes.ts', mark('passes'), 30_000);
    deepEqual(outcome, { passed: 1, failed: 0, skipped: 1, failures: [] });
  });

  test('fails when it holds no test', async () => {
    const outcome = await outcomeOf('no-tests.ts', mark('none'), 30_000);
    deepEqual(outcome, { passed: 0, failed: 1, skipped: 0, failures: ['holds no test'] });
  });

  test('fails when it throws while it is read', async () => {
    const outcome = await outcomeOf('throws.ts', mark('throws'), 30_000);
    deepEqual(outcome, { passed: 0, failed: 1, skipped: 0, failures: ['the file itself failed'] });
  });

  test('fails with its hook', async () => {
    const outcome = await outcomeOf('failing-hook.ts', mark('hook'), 30_000);
    equal(outcome.passed, 0);
    equal(outcome.failed > 0, true);
  });

  test('is stopped with everything it started when it takes too long', async () => {
    const outcome = await outcomeOf('hangs.ts', mark('hangs'), 2_000);
    match(outcome.failures.join('\n'), /took longer than 2 s/);
    deepEqual(findMarked(mark('hangs')), []);
  });

  test('fails when it leaves a process, which is ended', async () => {
    const outcome = await outcomeOf('leaves-process.ts', mark('leaves'), 30_000);
    equal(outcome.passed, 1);
    equal(outcome.failed, 1);
    match(outcome.failures.join('\n'), /left processes running: \d+ sleep 600/);
    deepEqual(findMarked(mark('leaves')), []);
  });
});
