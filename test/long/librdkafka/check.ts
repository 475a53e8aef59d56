/** What the test files share: a run of the suite with one kind of groups, its report, its verdict. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { SluiceError } from '../../../src/lib/errors.ts';
import { ensureTestRunner } from './build.ts';
import { isOpen } from './compare.ts';
import { acceptedDifferences } from './differences.ts';
import { report } from './report.ts';
import { type Groups, runSuite } from './suite.ts';

const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
const only = process.env['SLUICE_LIBRDKAFKA']?.split(',');
const jobs = Number(process.env['SLUICE_LIBRDKAFKA_JOBS'] ?? 2);

export async function checkSuite(t: TestContext, groups: Groups): Promise<void> {
  const runner = await ensureTestRunner().catch((error: unknown) => {
    // No compiler, no apt, no network: a gap to be told, not a defect of the gateway.
    if (error instanceof SluiceError && error.retriable) return error;
    throw error;
  });
  if (runner instanceof SluiceError) return t.skip(runner.message);
  const { comparisons, tests } = await runSuite(runner, { groups, short, only, jobs });
  if (comparisons.length === 0) return t.skip('none of the tests in SLUICE_LIBRDKAFKA has to do with it');
  for (const line of report(comparisons, tests)) t.diagnostic(line);
  const open = comparisons.filter(isOpen).map(({ test }) => test);
  assert.deepEqual(open, [], 'unexplained differences, printed above');
  const passed = comparisons.filter(({ gateway }) => gateway.state === 'passed').length;
  assert.ok(only !== undefined || passed > comparisons.length / 2, 'most tests pass, else the comparison says little');
  const stale = acceptedDifferences.filter(
    (one) =>
      one.sometimes !== true &&
      comparisons.some(
        ({ test, protocol, accepted }) =>
          test === one.test && (one.protocol ?? protocol) === protocol && accepted !== one,
      ),
  );
  assert.deepEqual(stale, [], 'accepted differences that no longer occur');
}
