/** What the suite prints: each test on both sides, how many came out how, and every difference. */
import type { State } from './attempt.ts';
import { type LeftOut, type SuiteTest, leftOutReasons } from './catalogue.ts';
import { type Comparison, isOpen } from './compare.ts';

/** Of a test that goes wrong altogether its first differences say enough. */
const linesMax = 12;

export function report(comparisons: readonly Comparison[], all: readonly SuiteTest[]): string[] {
  return [
    '',
    `${'test'.padEnd(56)} parts  direct          gateway`,
    ...comparisons.map(line),
    ...leftOutLines(all),
    ...acceptedLines(comparisons),
    ...section(
      'Different once, the same when run again:',
      comparisons.filter(({ unsteady }) => unsteady.length > 0),
      ({ unsteady }) => unsteady,
    ),
    ...section('Unexplained differences:', comparisons.filter(isOpen), ({ differences, logs }) => [
      ...differences,
      ...logs,
    ]),
    ...failedLines(comparisons),
    '',
    `${' '.repeat(10)} passed  failed  skipped`,
    totals('direct', comparisons),
    totals('gateway', comparisons),
    `${comparisons.length} tests, ${comparisons.filter(isOpen).length} with unexplained differences`,
  ];
}

function line({ test, parts, direct, gateway }: Comparison): string {
  const cell = ({ state, seconds }: Comparison['direct']): string =>
    `${state.padEnd(7)} ${seconds.toFixed(0).padStart(4)} s`;
  const mark = direct.state === gateway.state ? '' : '  ≠';
  return `${test.padEnd(56)} ${String(parts || '').padStart(5)}  ${cell(direct)}  ${cell(gateway)}${mark}`;
}

function leftOutLines(all: readonly SuiteTest[]): string[] {
  const count = (reason: LeftOut): number => all.filter(({ leftOut }) => leftOut === reason).length;
  const reasons = Object.entries(leftOutReasons) as [LeftOut, string][];
  return ['', 'Left out:', ...reasons.map(([reason, why]) => `  ${String(count(reason)).padStart(3)} ${why}`)];
}

function acceptedLines(comparisons: readonly Comparison[]): string[] {
  const lines = comparisons.flatMap(({ test, direct, gateway, accepted }) =>
    accepted === undefined ? [] : [`  ${test}: direct ${direct.state}, gateway ${gateway.state} (${accepted.reason})`],
  );
  return lines.length === 0 ? [] : ['', 'Accepted differences:', ...lines];
}

/** Tests that fail on both sides say nothing of the gateway, but a reader will want to know why. */
function failedLines(comparisons: readonly Comparison[]): string[] {
  const both = comparisons.filter(({ direct, gateway }) => direct.state === 'failed' && gateway.state === 'failed');
  return section('Failed on both sides:', both, ({ direct, gateway }) => [
    `direct: ${direct.reason}`,
    `gateway: ${gateway.reason}`,
  ]);
}

function section(
  title: string,
  chosen: readonly Comparison[],
  linesOf: (one: Comparison) => readonly string[],
): string[] {
  if (chosen.length === 0) return [];
  const lines = chosen.flatMap((one) => {
    const own = linesOf(one);
    const rest = own.length - linesMax;
    return [
      `  ${one.test} (${one.protocol})`,
      ...own.slice(0, linesMax).map((text) => `      ${text}`),
      ...(rest > 0 ? [`      and ${rest} more`] : []),
    ];
  });
  return ['', title, ...lines];
}

function totals(side: 'direct' | 'gateway', comparisons: readonly Comparison[]): string {
  const count = (state: State): string =>
    String(comparisons.filter((one) => one[side].state === state).length).padStart(6);
  return `${side.padEnd(10)} ${count('passed')}  ${count('failed')}  ${count('skipped').padStart(7)}`;
}
