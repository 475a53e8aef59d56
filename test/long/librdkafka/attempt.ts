/** One run of the tests of one number on one side, and what came of it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../harness/processes.ts';
import type { TestRunner } from './build.ts';
import type { SuiteTest } from './catalogue.ts';
import type { Setting, Side } from './ground.ts';

export type State = 'passed' | 'failed' | 'skipped';

export interface Outcome {
  readonly state: State;
  /** Why it failed or was skipped, in its own words. */
  readonly reason: string;
  readonly seconds: number;
}

export interface Attempt {
  /** By name of the test. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** Parts of tests that said how they ended, sorted: `do_test_x: with y: PASS`. */
  readonly parts: readonly string[];
  /** Where its output is. */
  readonly log: string;
}

/** What one run is asked for. */
export interface Order {
  readonly number: string;
  /** Only the parts whose names hold this. */
  readonly part?: string;
  /** Those of the number that apply. */
  readonly tests: readonly SuiteTest[];
  readonly setting: Setting;
  /** Of consumer groups: `classic`, or `consumer` (KIP-848). */
  readonly protocol: string;
}

/** Far above what any test takes; tests have closer limits of their own. */
const timeoutMs = 25 * 60_000;

export async function attempt(runner: TestRunner, side: Side, order: Order): Promise<Attempt> {
  const folder = join(side.folder, `${order.part ?? order.number}-${order.protocol}-${side.attempts++}`);
  mkdirSync(folder, { recursive: true });
  const prefix = `rdkafkatest-${side.name}-${order.number}`;
  const conf = join(folder, 'test.conf');
  writeFileSync(conf, `${side.conf.join('\n')}\ntest.topic.prefix=${prefix}\n`, { mode: 0o600 });
  const report = join(folder, 'report.json');
  // -p1: one after the other. -L, -K: without local tests and known issues.
  const args = ['-p1', '-L', '-K', '-s', order.setting.scenario];
  const { code, stdout, stderr } = await run(runner.program, args, {
    cwd: folder,
    timeoutMs,
    env: {
      ...runner.env,
      ...side.env,
      RDKAFKA_TEST_CONF: conf,
      TESTS: order.number,
      ...(order.part === undefined ? {} : { SUBTESTS: order.part }),
      TEST_CONSUMER_GROUP_PROTOCOL: order.protocol,
      TEST_REPORT: report,
      // Patience: with it the tests wait three times as long.
      CI: 'true',
    },
  });
  rmSync(conf);
  const output = `${stdout}\n${stderr}`;
  const log = join(folder, 'output.log');
  writeFileSync(log, output);
  await side.removeTopics(prefix);
  return { outcomes: outcomesOf(order, report, output, code), parts: partsOf(output, prefix), log };
}

interface Report {
  readonly tests: Readonly<Record<string, { readonly state: string; readonly duration: number }>>;
}

const states: Readonly<Record<string, State>> = { PASSED: 'passed', SKIPPED: 'skipped' };

/** Each test that was asked for has an outcome: one that the report does not know of has failed. */
function outcomesOf(order: Order, file: string, output: string, code: number): Map<string, Outcome> {
  const report = readReport(file);
  const ending = code === 124 ? `stopped after ${timeoutMs / 60_000} min` : `the program ended with ${code}`;
  return new Map(
    order.tests.map(({ name }) => {
      const told = report?.tests[name];
      if (told === undefined) return [name, { state: 'failed', reason: ending, seconds: 0 }];
      const state = states[told.state] ?? 'failed';
      const reason = state === 'passed' ? '' : (reasonOf(name, output) ?? ending);
      return [name, { state, reason, seconds: told.duration }];
    }),
  );
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined; // it ended before it wrote one
  }
}

/** As the test said when it failed, with its part: `(do_test_x:12) expected this, got that`; or why it was skipped. */
function reasonOf(name: string, output: string): string | undefined {
  const lines = plain(output).split('\n');
  const at = lines.findIndex((line) => line.startsWith(`### Test "${name}`) && line.includes(' failed at '));
  if (at !== -1) return `${/\(.*?\)(?=" failed)/.exec(lines[at] ?? '')?.[0] ?? ''} ${lines[at + 1] ?? ''}`.trim();
  // Of the table at the end: `|NAME | SKIPPED | 1.234s | why`.
  const row = lines.find((line) => line.startsWith('|') && line.split('|')[1]?.trim() === name);
  return row?.split('|').slice(4).join('|').trim() || undefined;
}

/** Without what differs from run to run: random names, times, counters of clients. */
function partsOf(output: string, prefix: string): string[] {
  const found = plain(output).matchAll(/\[ (\w+):\d+(: .*?)?: (PASS|SKIP)\b.*? \]$/gm);
  return Array.from(found, ([, name, label = '', state]) =>
    `${name}${label}: ${state}`
      .replaceAll(prefix, 'PREFIX')
      .replaceAll(/rnd[0-9a-f]+/g, 'rnd')
      .replaceAll(/#(producer|consumer)-\d+/g, '#$1'),
  ).toSorted();
}

/** Without colours. */
function plain(output: string): string {
  return output.replaceAll(/\u001B\[[\d;]*m/g, '');
}
