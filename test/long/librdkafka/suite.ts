/** Which tests are run in which ways, and running them: several at a time, and what differs once more by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from '../../../harness/cache.ts';
import { type Attempt, type Order, attempt } from './attempt.ts';
import type { TestRunner } from './build.ts';
import { type SuiteTest, partsOf, readCatalogue, usesGroups } from './catalogue.ts';
import { type Comparison, compareAgain, compareInTurn, hold, isOpen, isUnsettled } from './compare.ts';
import { type Ground, type Setting, startGround } from './ground.ts';

/** `classic` and `consumer` are how consumers form groups, as ever or as KIP-848 has it; `share` is share consumers. */
export type Groups = 'classic' | 'consumer' | 'share';

export interface Result {
  readonly comparisons: readonly Comparison[];
  readonly tests: readonly SuiteTest[];
}

/** For where minutes count. A number, or a number and a part. */
const handfuls: Readonly<Record<Groups, readonly string[]>> = {
  classic: ['0012', '0073', '0081 do_test_DescribeConfigs', '0129', '0132'],
  consumer: ['0118'],
  share: ['0171 do_test_headers_preserved'],
};
/** These end at their first failure, one for SCRAM users, two on slow machines: part by part the rest is seen. */
const divided = ['0081', '0113', '0174'];
/** This one waits for the end of sessions over and over. The others would trip over it, where machines are slow. */
const reauthenticating = '0142';

/** These subscribe by expressions that match topics of other tests, and those of the other side. */
const alone = ['0033', '0045'];

const settings: readonly Setting[] = [
  { scenario: 'default', briefSessions: false },
  { scenario: 'default', briefSessions: true },
  { scenario: 'noautocreate', briefSessions: false },
];

export interface Choice {
  readonly groups: Groups;
  /** The handful only. */
  readonly short: boolean;
  /** Only these; each a number, or a number and a part. */
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

function ordersOf(runner: TestRunner, setting: Setting, tests: readonly SuiteTest[], choice: Choice): Order[] {
  const { groups, short, only } = choice;
  const applicable = tests.filter(
    (test) =>
      test.leftOut === undefined &&
      test.scenarios.includes(setting.scenario) &&
      (test.number === reauthenticating) === setting.briefSessions &&
      belongs(runner, test, groups),
  );
  const numbers = [...new Set(applicable.map(({ number }) => number))];
  const everything = numbers.flatMap((number) =>
    divided.includes(number) ? partsOf(runner, number).map((part) => `${number} ${part}`) : [number],
  );
  const handful = handfuls[groups];
  const chosen = only ?? (short ? handful : [...handful.filter((one) => everything.includes(one)), ...everything]);
  const expanded = chosen.flatMap((one) =>
    divided.includes(one) ? everything.filter((each) => each.startsWith(one)) : [one],
  );
  return [...new Set(expanded)].flatMap((one) => {
    const [number = '', part] = one.split(' ');
    if (!numbers.includes(number)) return [];
    const order = {
      number,
      tests: applicable.filter((test) => test.number === number),
      setting,
      protocol: groups === 'consumer' ? 'consumer' : 'classic',
    } as const;
    return [part === undefined ? order : { ...order, part }];
  });
}

/** Share consumers are apart, since they take as long as all others. What has nothing to do with groups is run once. */
function belongs(runner: TestRunner, test: SuiteTest, groups: Groups): boolean {
  const isShare = test.name.includes('share_consumer');
  if (groups === 'share' || isShare) return groups === 'share' && isShare;
  return groups === 'classic' || usesGroups(runner, test);
}

async function runOrders(
  runner: TestRunner,
  ground: Ground,
  orders: readonly Order[],
  jobs: number,
): Promise<Comparison[]> {
  const together = orders.filter(({ number }) => !alone.includes(number));
  const first = await runBoth(runner, ground, together, jobs);
  const results: Comparison[] = [];
  for (const order of orders) {
    const before = first.get(order) ?? (await compareInTurn(runner, ground, order));
    const settled = first.has(order) && !before.some(isUnsettled);
    const latest = settled ? before : await compareAgain(runner, ground, order, before);
    if (!settled) tell('by itself', latest);
    results.push(...latest);
  }
  return results;
}

/** Both sides work through the orders at the same time, but never at the same test: some name their groups themselves. */
async function runBoth(
  runner: TestRunner,
  ground: Ground,
  orders: readonly Order[],
  jobs: number,
): Promise<Map<Order, Comparison[]>> {
  const done = new Map<Order, Comparison[]>();
  const halves = new Map<Order, Attempt>();
  const running = new Set<string>();
  const worker = async (index: 0 | 1, waiting: Order[]): Promise<void> => {
    while (waiting.length > 0) {
      const at = waiting.findIndex(({ number }) => !running.has(number));
      const [order] = at === -1 ? [] : waiting.splice(at, 1);
      if (order === undefined) {
        await sleep(200);
        continue;
      }
      running.add(order.number);
      const own = await attempt(runner, ground.sides[index], order);
      running.delete(order.number);
      const other = halves.get(order);
      halves.set(order, own);
      if (other === undefined) continue;
      const comparisons = hold(order, index === 0 ? [own, other] : [other, own]);
      done.set(order, comparisons);
      tell(`${done.size}/${orders.length}`, comparisons);
    }
  };
  const waitings: readonly [Order[], Order[]] = [[...orders], [...orders]];
  await Promise.all(Array.from({ length: jobs }, () => [worker(0, waitings[0]), worker(1, waitings[1])]).flat());
  return done;
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
