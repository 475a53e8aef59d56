/** Runs the table: each case on both sides at once, each answer and each effect against the other's. */
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  decodeResponse,
  encodeRequest,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import type { WireClient } from '../../../harness/wire-client.ts';
import { At, sharedToken } from './at.ts';
import { type AcceptedDifference, acceptedDifferences } from './differences.ts';
import { observe } from './effects.ts';
import { type Context, type Difference, type Json, differencesOf, normalise } from './normalise.ts';
import type { AnyRow, Case, Row } from './row.ts';
import type { User } from './rules.ts';
import type { Side } from './side.ts';
import type { Lane } from './world.ts';

/** One case of one API in one version. */
export interface Trial {
  readonly row: AnyRow;
  readonly version: number;
  readonly case: AnyCase;
}

type AnyCase = { [N in ApiName]: Case<N> }[ApiName];

export interface Outcome {
  readonly trial: Trial;
  readonly unexplained: readonly Difference[];
  readonly accepted: readonly { readonly difference: Difference; readonly by: AcceptedDifference }[];
  /** A difference that was gone when the case was run once more. */
  readonly unsteady: readonly Difference[];
  /** The same bytes went to both, or only ids that each side gave out itself differ. */
  readonly sameBytes: boolean;
}

let tokens = 0;

export async function runTrial(trial: Trial, lane: Lane): Promise<Outcome> {
  const first = await compare(trial, lane);
  if (first.unexplained.length === 0) return first;
  const second = await compare(trial, lane);
  return { ...second, unsteady: second.unexplained.length === 0 ? first.unexplained : [] };
}

async function compare(trial: Trial, lane: Lane): Promise<Outcome> {
  tokens += 1;
  const token = trial.row.names === 'shared' ? sharedToken : `q${tokens}`;
  const both = await Promise.all([lane.broker, lane.gateway].map((side) => runOn(trial, side, token)));
  const [broker, gateway] = both;
  if (broker === undefined || gateway === undefined) throw new Error('there are two sides');
  if (!broker.at.hasOwnValues && !broker.frame.equals(gateway.frame))
    throw new Error('the sides were asked different things');
  const effects = await effectsOf(trial, broker.at, gateway.at);
  const answer = differencesOf(...normalised(trial.row.api, broker, gateway), 'answer');
  if (trial.row.names === 'fresh')
    await Promise.all(
      both.map(({ at }) => at.side.deleteTopics([...at.topics].filter((name) => !name.endsWith(`-${sharedToken}`)))),
    );
  const explained = [...answer, ...effects].map((difference) => ({ difference, by: explanationOf(trial, difference) }));
  return {
    trial,
    unexplained: explained.flatMap(({ difference, by }) => (by === undefined ? [difference] : [])),
    accepted: explained.flatMap(({ difference, by }) => (by === undefined ? [] : [{ difference, by }])),
    unsteady: [],
    sameBytes: !broker.at.hasOwnValues,
  };
}

function contextOf(api: ApiName, { side, token }: At): Context {
  return { api, side, token };
}

function normalised(api: ApiName, broker: Result, gateway: Result): [Json, Json] {
  return [normalise(broker.answer, contextOf(api, broker.at)), normalise(gateway.answer, contextOf(api, gateway.at))];
}

/** Changes reach the brokers' own view some time after their answer. */
const settleMs = 40;
const settleTries = 14;

/** What stays different however long one looks. */
async function effectsOf({ row: { api, effects = [] } }: Trial, broker: At, gateway: At): Promise<Difference[]> {
  if (effects.length === 0) return [];
  for (let attempt = 1; ; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, settleMs * attempt));
    const [left, right] = await Promise.all(
      [broker, gateway].map(async (at) => normalise(await observe(at, effects), contextOf(api, at))),
    );
    const differences = differencesOf(left, right, 'effects');
    if (differences.length === 0 || attempt === settleTries) return differences;
  }
}

export function nameOf({ row, version, case: { name } }: Trial): string {
  return `${row.api} v${version} ${name}`;
}

function explanationOf({ row, case: { name } }: Trial, { path }: Difference): AcceptedDifference | undefined {
  return acceptedDifferences.find(
    (accepted) => accepted.apis.includes(row.api) && accepted.cases.test(name) && accepted.path.test(path),
  );
}

interface Result {
  readonly at: At;
  readonly frame: Buffer;
  readonly answer: unknown;
}

async function runOn(trial: Trial, side: Side, token: string): Promise<Result> {
  // Row and case come from one another, `trialsOf` pairs them: any API stands for all.
  const row = trial.row as unknown as Row<'Metadata'>;
  const {
    request,
    prepare,
    as = 'alice',
    followedBy = [],
    noAnswer = false,
  } = trial.case as unknown as Case<'Metadata'>;
  const at = new At(side, trial.version, token);
  await row.prepare?.(at);
  await prepare?.(at);
  const frameOf = (message: ReturnType<typeof request>): Buffer =>
    encodeRequest(row.api, trial.version, { correlationId: 4711, clientId: 'equivalence' }, message);
  const frame = frameOf(request(at));
  try {
    const answers = [await ask(side, as, row.api, trial.version, frame, noAnswer)];
    for (const step of followedBy) {
      await step.before?.(at);
      const before = answers.map((answer) => (answer as { message: ResponseMessages['Metadata'] }).message);
      answers.push(await ask(side, as, row.api, trial.version, frameOf(step.request(at, before)), false));
    }
    return { at, frame, answer: answers.length === 1 ? answers[0] : stepsOf(answers) };
  } catch (error) {
    throw new Error(`the ${side.name}: ${String(error)}`, { cause: error });
  }
}

/** Not as a list: the order of lists carries no meaning. */
function stepsOf(answers: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(answers.map((answer, index) => [`step${index + 1}`, answer]));
}

async function ask(
  side: Side,
  user: User,
  api: ApiName,
  version: number,
  frame: Buffer,
  noAnswer: boolean,
): Promise<unknown> {
  const client = await side.as(user);
  client.write(frame);
  if (noAnswer) return nothing(client);
  const payload = await client.payload();
  if (payload === null) return { closed: true };
  const { correlationId, message } = decodeResponse(api, version, payload);
  return { correlationId, message };
}

/** After a request without an answer the next one is answered, or the connection was closed. */
async function nothing(client: WireClient): Promise<{ closed: boolean; probe?: number }> {
  const probe: Draft<RequestMessages['DescribeCluster']> = {};
  client.write(encodeRequest('DescribeCluster', 0, { correlationId: 4712, clientId: 'equivalence' }, probe));
  const payload = await client.payload();
  return payload === null ? { closed: true } : { closed: false, probe: payload.readInt32BE(0) };
}
