/** What the two test files share: a run of the suite with one protocol of consumer groups, its report, its verdict. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { ensureTestRunner } from './build.ts';
import { isOpen } from './compare.ts';
import { acceptedDifferences } from './differences.ts';
import { report } from './report.ts';
import { type Protocol, runSuite } from './suite.ts';

const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
const only = process.env['SLUICE_LIBRDKAFKA']?.split(',');
const jobs = Number(process.env['SLUICE_LIBRDKAFKA_JOBS'] ?? 2);

export async function checkSuite(t: TestContext, protocol: Protocol): Promise<void> {
  const { comparisons, tests } = await runSuite(await ensureTestRunner(), { protocol, short, only, jobs });
  if (comparisons.length === 0) return t.skip('none of the tests in SLUICE_LIBRDKAFKA has to do with it');
  for (const line of report(comparisons, tests)) t.diagnostic(line);
  const open = comparisons.filter(isOpen).map(({ test }) => test);
  assert.deepEqual(open, [], 'unexplained differences, printed above');
  if (short || only !== undefined) return;
  assert.ok(comparisons.filter(({ gateway }) => gateway.state === 'passed').length > comparisons.length / 2);
  const used = new Set(comparisons.map(({ accepted }) => accepted));
  const stale = acceptedDifferences.filter((one) => !used.has(one));
  assert.deepEqual(stale, [], 'accepted differences that no longer occur');
}
