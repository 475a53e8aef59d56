/** Two attempts at the same tests, held against each other; what differs is tried again before it counts. */
import { type Attempt, type Order, type Outcome, attempt } from './attempt.ts';
import type { TestRunner } from './build.ts';
import { type AcceptedDifference, acceptedDifferences } from './differences.ts';
import type { Ground } from './ground.ts';

export interface Comparison {
  readonly test: string;
  readonly protocol: string;
  /** How many parts of the test told that they passed or were skipped; most tests have none. */
  readonly parts: number;
  readonly direct: Outcome;
  readonly gateway: Outcome;
  /** What differs, in lines; empty where nothing does. */
  readonly differences: readonly string[];
  /** What differed in earlier tries, and no longer did in the last one. */
  readonly unsteady: readonly string[];
  readonly accepted: AcceptedDifference | undefined;
  readonly logs: readonly string[];
}

/** Tests that hang on time fail now and then, on either side. */
const triesMax = 3;

/** One side after the other. */
export async function compareInTurn(runner: TestRunner, ground: Ground, order: Order): Promise<Comparison[]> {
  const [direct, gateway] = ground.sides;
  return hold(order, [await attempt(runner, direct, order), await attempt(runner, gateway, order)]);
}

/**
 * What differed, again, and with the machine to itself; a test that ends alike once counts as equal. So with what failed
 * on both sides, where nothing can be said of what comes after the failure.
 */
export async function compareAgain(
  runner: TestRunner,
  ground: Ground,
  order: Order,
  first: readonly Comparison[],
): Promise<Comparison[]> {
  let latest = [...first];
  for (let tries = 1; tries < triesMax && latest.some(isUnsettled); tries += 1) {
    const next = await compareInTurn(runner, ground, order);
    latest = latest.map((before, index) => {
      const now = next[index];
      if (now === undefined || !isUnsettled(before)) return before;
      return { ...now, unsteady: [...before.unsteady, ...before.differences] };
    });
  }
  return latest.map((one) => (isOpen(one) ? { ...one, unsteady: [] } : one));
}

/** Whether it is worth another try. */
export function isUnsettled(one: Comparison): boolean {
  return isOpen(one) || (one.direct.state === 'failed' && one.gateway.state === 'failed');
}

/** Whether it differs and no reason is known. */
export function isOpen({ differences, accepted }: Comparison): boolean {
  return differences.length > 0 && accepted === undefined;
}

/** Holds two attempts at the same tests against each other. */
export function hold(order: Order, [direct, gateway]: readonly [Attempt, Attempt]): Comparison[] {
  const parts = partsThatDiffer(direct.parts, gateway.parts);
  // The tests of a number share their output, so its parts are told with the one that ended otherwise, or the first.
  const ended = order.tests.findIndex(({ name }) => outcome(direct, name).state !== outcome(gateway, name).state);
  const telling = Math.max(0, ended);
  return order.tests.map(({ name }, index) => {
    const test = order.part === undefined ? name : `${name} ${order.part}`;
    const ours = outcome(gateway, name);
    const theirs = outcome(direct, name);
    const differences = [
      ...(ours.state === theirs.state ? [] : [`direct ${told(theirs)}, gateway ${told(ours)}`]),
      ...(index === telling ? parts : []),
    ];
    const accepted = acceptedDifferences.find(
      (one) =>
        one.test === test &&
        (one.protocol ?? order.protocol) === order.protocol &&
        one.direct === theirs.state &&
        one.gateway === ours.state,
    );
    return {
      test,
      parts: gateway.parts.length,
      protocol: order.protocol,
      direct: theirs,
      gateway: ours,
      differences,
      unsteady: [],
      accepted: differences.length > 0 ? accepted : undefined,
      logs: [direct.log, gateway.log],
    };
  });
}

function outcome({ outcomes }: Attempt, name: string): Outcome {
  return outcomes.get(name) ?? { state: 'failed', reason: 'not run', seconds: 0 };
}

function told({ state, reason }: Outcome): string {
  return reason === '' ? state : `${state} (${reason})`;
}

function partsThatDiffer(direct: readonly string[], gateway: readonly string[]): string[] {
  return [
    ...without(direct, gateway).map((part) => `direct only: ${part}`),
    ...without(gateway, direct).map((part) => `gateway only: ${part}`),
  ];
}

/** As bags: what comes twice here and once there differs. */
function without(these: readonly string[], those: readonly string[]): string[] {
  const rest = [...those];
  return these.filter((one) => {
    const at = rest.indexOf(one);
    if (at === -1) return true;
    rest.splice(at, 1);
    return false;
  });
}
