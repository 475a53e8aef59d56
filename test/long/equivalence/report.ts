/** What the suite prints: how many cases of which API in which versions, and every difference. */
import { type AcceptedDifference, versionCaps } from './differences.ts';
import { type Outcome, nameOf } from './run.ts';

export function report(outcomes: readonly Outcome[]): string {
  const lines = ['', 'API                            versions  cases  same bytes  accepted  unexplained'];
  for (const [api, own] of byApi(outcomes)) {
    const versions = own.map(({ trial }) => trial.version);
    const count = (condition: (outcome: Outcome) => boolean): string => String(own.filter(condition).length);
    lines.push(
      [
        api.padEnd(30),
        `${Math.min(...versions)}–${Math.max(...versions)}`.padStart(8),
        String(own.length).padStart(6),
        count(({ sameBytes }) => sameBytes).padStart(11),
        count(({ accepted }) => accepted.length > 0).padStart(9),
        count(({ unexplained }) => unexplained.length > 0).padStart(12),
      ].join(' '),
    );
  }
  return [
    ...lines,
    ...capLines(),
    ...acceptedLines(outcomes),
    ...unsteadyLines(outcomes),
    ...unexplainedLines(outcomes),
    '',
    totals(outcomes),
  ].join('\n');
}

function byApi(outcomes: readonly Outcome[]): [string, Outcome[]][] {
  const apis = new Map<string, Outcome[]>();
  for (const outcome of outcomes)
    apis.set(outcome.trial.row.api, [...(apis.get(outcome.trial.row.api) ?? []), outcome]);
  return [...apis];
}

function capLines(): string[] {
  return [
    '',
    'Not served:',
    ...versionCaps.map(({ api, aboveVersion, reason }) => `  ${api} above version ${aboveVersion}: ${reason}`),
  ];
}

function acceptedLines(outcomes: readonly Outcome[]): string[] {
  const counts = new Map<AcceptedDifference, number>();
  for (const { accepted } of outcomes)
    for (const by of new Set(accepted.map((one) => one.by))) counts.set(by, (counts.get(by) ?? 0) + 1);
  const lines = Array.from(
    counts,
    ([by, count]) =>
      `  ${String(count).padStart(4)} × ${by.apis.join(', ')}: broker ${by.broker}; gateway ${by.gateway} (${by.reason})`,
  );
  return lines.length === 0 ? [] : ['', 'Accepted differences:', ...lines];
}

function unsteadyLines(outcomes: readonly Outcome[]): string[] {
  const unsteady = outcomes.filter((outcome) => outcome.unsteady.length > 0);
  if (unsteady.length === 0) return [];
  return [
    '',
    'Different once, the same when run again:',
    ...unsteady.flatMap((outcome) => [`  ${nameOf(outcome.trial)}`, ...linesOf(outcome.unsteady)]),
  ];
}

function unexplainedLines(outcomes: readonly Outcome[]): string[] {
  const different = outcomes.filter(({ unexplained }) => unexplained.length > 0);
  if (different.length === 0) return [];
  return [
    '',
    'Unexplained differences:',
    ...different.flatMap((outcome) => [`  ${nameOf(outcome.trial)}`, ...linesOf(outcome.unexplained)]),
  ];
}

/** Of a case that goes wrong altogether its first differences say enough. */
const linesMax = 6;
const valueCharsMax = 160;

function linesOf(differences: Outcome['unexplained']): string[] {
  const rest = differences.length - linesMax;
  return [...differences.slice(0, linesMax).map(line), ...(rest > 0 ? [`      and ${rest} more`] : [])];
}

function line({ path, broker, gateway }: Outcome['unexplained'][number]): string {
  const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, valueCharsMax);
  return `      ${path}: broker ${shown(broker)}, gateway ${shown(gateway)}`;
}

export function totals(outcomes: readonly Outcome[]): string {
  const apis = new Set(outcomes.map(({ trial }) => trial.row.api)).size;
  const versions = new Set(outcomes.map(({ trial }) => `${trial.row.api} v${trial.version}`)).size;
  const different = outcomes.filter(({ unexplained }) => unexplained.length > 0).length;
  return `${apis} APIs, ${versions} API versions, ${outcomes.length} cases, ${different} with unexplained differences`;
}
