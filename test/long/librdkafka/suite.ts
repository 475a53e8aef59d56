/** Which tests are run in which ways, and running them: several at a time, and what differs once more by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { say } from '../../../harness/cache.ts';
import type { Order } from './attempt.ts';
import type { TestRunner } from './build.ts';
import { type SuiteTest, partsOfAdmin, readCatalogue, usesGroups } from './catalogue.ts';
import { type Comparison, compare, compareAgain, isOpen, isUnsettled } from './compare.ts';
import { type Ground, type Setting, startGround } from './ground.ts';

/** How consumers form groups: as ever, or as KIP-848 has it. */
export type Protocol = 'classic' | 'consumer';

export interface Result {
  readonly comparisons: readonly Comparison[];
  readonly tests: readonly SuiteTest[];
}

/** For where minutes count: what clients ask of brokers, most kinds once. */
const handfuls: Readonly<Record<Protocol, readonly string[]>> = {
  classic: ['0012', '0019', '0073', '0126', '0140', '0171'],
  consumer: ['0033', '0140'],
};
/** This one ends at its first failure, and SCRAM users make it fail: part by part the rest is seen. */
const divided = '0081';
/** This one waits for the end of sessions over and over. The others would trip over it, where machines are slow. */
const reauthenticating = '0142';

const settings: readonly Setting[] = [
  { scenario: 'default', briefSessions: false },
  { scenario: 'default', briefSessions: true },
  { scenario: 'noautocreate', briefSessions: false },
];

export interface Choice {
  readonly protocol: Protocol;
  /** The handful only. */
  readonly short: boolean;
  /** Only these numbers. */
  readonly only: readonly string[] | undefined;
  /** Tests at a time, each on both sides. */
  readonly jobs: number;
}

export async function runSuite(runner: TestRunner, choice: Choice): Promise<Result> {
  const tests = readCatalogue(runner);
  // The output of what went wrong stays for whoever wants to know why.
  const logs = mkdtempSync(join(tmpdir(), 'sluice-librdkafka-'));
  const comparisons: Comparison[] = [];
  for (const setting of settings) {
    const orders = ordersOf(runner, setting, tests, choice);
    if (orders.length === 0) continue;
    const ground = await startGround(setting, logs);
    try {
      comparisons.push(...(await runOrders(runner, ground, orders, choice.jobs)));
    } finally {
      await ground.stop();
    }
  }
  if (!comparisons.some(isOpen)) rmSync(logs, { recursive: true });
  return { comparisons, tests };
}

/** With the protocol of KIP-848 only what has to do with consumer groups is worth a second run. */
function ordersOf(runner: TestRunner, setting: Setting, tests: readonly SuiteTest[], choice: Choice): Order[] {
  const { protocol, short, only } = choice;
  const applicable = tests.filter(
    (test) =>
      test.leftOut === undefined &&
      test.scenarios.includes(setting.scenario) &&
      (test.number === reauthenticating) === setting.briefSessions &&
      (protocol === 'classic' || usesGroups(runner, test)),
  );
  const chosen = only ?? (short ? handfuls[protocol] : undefined);
  const numbers = [...new Set(applicable.map(({ number }) => number))].filter((one) => chosen?.includes(one) ?? true);
  // The handful first: a defect that everybody meets shows early.
  const rank = (number: string): number => (handfuls[protocol].includes(number) ? 0 : 1);
  numbers.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return numbers.flatMap((number) => {
    const order = { number, tests: applicable.filter((test) => test.number === number), setting, protocol };
    return number === divided ? partsOfAdmin(runner).map((part) => ({ ...order, part })) : [order];
  });
}

async function runOrders(
  runner: TestRunner,
  ground: Ground,
  orders: readonly Order[],
  jobs: number,
): Promise<Comparison[]> {
  const results: Comparison[][] = [];
  const waiting = orders.entries();
  const worker = async (): Promise<void> => {
    for (const [index, order] of waiting) {
      results[index] = await compare(runner, ground, order);
      tell(`${index + 1}/${orders.length}`, results[index]);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  for (const [index, order] of orders.entries()) {
    const first = results[index] ?? [];
    if (!first.some(isUnsettled)) continue;
    results[index] = await compareAgain(runner, ground, order, first);
    tell('again', results[index]);
  }
  return results.flat();
}

/** For the person who waits; the whole table comes at the end. */
function tell(where: string, comparisons: readonly Comparison[]): void {
  for (const one of comparisons) {
    const { test, protocol, direct, gateway } = one;
    const seconds = `${direct.seconds.toFixed(0)} s, ${gateway.seconds.toFixed(0)} s`;
    const mark = isOpen(one) ? `  ≠ ${one.differences[0] ?? ''}` : '';
    say(`librdkafka ${where} ${test} (${protocol}): ${direct.state}, ${gateway.state} (${seconds})${mark}`);
  }
}
