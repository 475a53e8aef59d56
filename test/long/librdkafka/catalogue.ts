/** Which tests librdkafka has, read out of the table in its tests/test.c and out of the tests themselves. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestRunner } from './build.ts';

export interface SuiteTest {
  /** Such as `0081_admin`. */
  readonly name: string;
  /** Its first four digits, by which tests are chosen; tests may share them. */
  readonly number: string;
  /** How the cluster has to be set up. */
  readonly scenarios: readonly string[];
  /** Why it is not run; undefined where it is. */
  readonly leftOut: LeftOut | undefined;
}

export type LeftOut = 'local' | 'known issue' | 'manual';

export const leftOutReasons: Readonly<Record<LeftOut, string>> = {
  local: 'need no broker: they stay in their process or talk to its mock cluster, and never reach the gateway',
  'known issue': 'fail at any broker, says librdkafka; its own runs leave them out too',
  manual: 'are for a person to watch; its own runs leave them out too',
};

const table = /^struct test tests\[\] = \{$([\s\S]*?)^\s*\{NULL\}\};$/m;
const entry = /_TEST\(\s*(\d{4}\w+)\s*,\s*([\w\s|]+?)\s*(?=[,)])([\s\S]*?)(?=_TEST\(|$)/g;

/** @throws where the table is not there or holds next to nothing: its form has changed */
export function readCatalogue({ sources }: TestRunner): SuiteTest[] {
  const source = readFileSync(join(sources, 'test.c'), 'utf8');
  const entries = table.exec(source)?.[1] ?? '';
  const tests = Array.from(entries.matchAll(entry), ([, name = '', flags = '', rest = '']) => ({
    name,
    number: name.slice(0, 4),
    scenarios: /\.scenario = "([\w,]+)"/.exec(rest)?.[1]?.split(',') ?? ['default'],
    leftOut: leftOut(name, flags.split(/[\s|]+/)),
  }));
  if (tests.length < 100) throw new Error(`only ${tests.length} tests were found in librdkafka's tests/test.c`);
  return tests;
}

/** Two tests that use the mock cluster alone are not marked as local ones. */
function leftOut(name: string, flags: readonly string[]): LeftOut | undefined {
  if (flags.includes('TEST_F_LOCAL') || name.endsWith('_mock')) return 'local';
  if (flags.includes('TEST_F_KNOWN_ISSUE')) return 'known issue';
  return flags.includes('TEST_F_MANUAL') ? 'manual' : undefined;
}

/** Whether it has to do with consumer groups. */
export function usesGroups(runner: TestRunner, { number }: SuiteTest): boolean {
  return /subscribe|ConsumerGroup/.test(sourceOf(runner, number));
}

/** The functions of a test that are tests in themselves, as `SUBTESTS` takes them. */
export function partsOf(runner: TestRunner, number: string): string[] {
  const functions = sourceOf(runner, number).split(/^(?=(?:static )?(?:\w+ )?\w+\()/m);
  return functions
    .filter((text) => /\bSUB_TEST(_QUICK)?\(/.test(text.split(/^}$/m)[0] ?? ''))
    .map((text) => /\w+(?=\()/.exec(text)?.[0] ?? '')
    .toSorted();
}

function sourceOf({ sources }: TestRunner, number: string): string {
  return readdirSync(sources)
    .filter((file) => file.startsWith(`${number}-`) && /\.(c|cpp)$/.test(file))
    .map((file) => readFileSync(join(sources, file), 'utf8'))
    .join('\n');
}
