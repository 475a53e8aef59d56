/** What takes several requests to show: the same steps on both sides, each answer against the other's. */
import type { WireClient } from '../../../../harness/wire-client.ts';
import type {
  ApiName,
  Draft,
  RequestMessages,
  ResponseMessages,
} from '../../../../src/ports/kafka/protocol/protocol.ts';
import { At } from '../at.ts';
import { type Effect, observe } from '../effects.ts';
import { type Difference, type Json, differencesOf, normalise } from '../normalise.ts';
import type { User } from '../rules.ts';
import type { Side } from '../side.ts';
import type { Lane } from '../world.ts';

export interface Sequence {
  readonly name: string;
  readonly effects?: readonly Effect[];
  readonly run: (steps: Steps) => Promise<void>;
}

interface Step {
  readonly label: string;
  readonly api: ApiName;
  readonly answer: unknown;
}

const settleMs = 15_000;
const pollMs = 25;

/** One side's way through a sequence. */
export class Steps {
  readonly at: At;
  /** Answers so far; a sequence that asks in its own way adds to them. */
  readonly taken: Step[] = [];
  readonly #clients = new Map<string, WireClient>();

  constructor(side: Side, token: string) {
    this.at = new At(side, 0, token);
  }

  /** Asks on a connection of its own for each `client`, and notes the answer. */
  async ask<N extends ApiName>(
    label: string,
    client: string,
    api: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    const answer = await this.quietly(client, api, version, message);
    this.taken.push({ label, api, answer });
    return answer;
  }

  /** Asks without noting: how often something has to be asked before it is ready is each side's own affair. */
  async quietly<N extends ApiName>(
    client: string,
    api: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    let connection = this.#clients.get(client);
    if (connection === undefined) {
      const [user = 'alice'] = client.split('/');
      connection = await this.at.side.open(user as User);
      this.#clients.set(client, connection);
    }
    return connection.ask(api, version, message);
  }

  /** Asks again until the answer is the one to note. */
  async until<N extends ApiName>(
    label: string,
    api: N,
    ask: () => Promise<ResponseMessages[N]>,
    ready: (answer: ResponseMessages[N]) => boolean,
  ): Promise<ResponseMessages[N]> {
    const giveUpAt = performance.now() + settleMs;
    for (;;) {
      const answer = await ask();
      if (ready(answer) || performance.now() > giveUpAt) {
        this.taken.push({ label, api, answer });
        return answer;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** The connection ends; the next request under this name opens another. */
  leave(client: string): void {
    this.#clients.get(client)?.close();
    this.#clients.delete(client);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

let tokens = 0;

/** @returns what differs; run once more where something does */
export async function compareSequence(
  sequence: Sequence,
  lane: Lane,
): Promise<{ steps: number; differences: readonly Difference[] }> {
  const first = await compareOnce(sequence, lane);
  return first.differences.length === 0 ? first : compareOnce(sequence, lane);
}

async function compareOnce(
  sequence: Sequence,
  lane: Lane,
): Promise<{ steps: number; differences: readonly Difference[] }> {
  tokens += 1;
  const token = `q${500_000 + tokens}`;
  const both = await Promise.all([lane.broker, lane.gateway].map((side) => runOn(sequence, side, token)));
  const [broker, gateway] = both;
  if (broker === undefined || gateway === undefined) throw new Error('there are two sides');
  // By label: of two that are asked at once, either may be answered first.
  const labels = [...new Set([...broker.answers.keys(), ...gateway.answers.keys()])];
  const differences = labels.flatMap((label) =>
    differencesOf(broker.answers.get(label), gateway.answers.get(label), `${sequence.name}: ${label}`),
  );
  const effects = differencesOf(broker.effects, gateway.effects, `${sequence.name}: effects`);
  return {
    steps: labels.length,
    differences: [...differences, ...effects],
  };
}

interface Seen {
  readonly answers: ReadonlyMap<string, Json>;
  readonly effects: Json;
}

async function runOn(sequence: Sequence, side: Side, token: string): Promise<Seen> {
  const steps = new Steps(side, token);
  try {
    await sequence.run(steps);
    const context = (api: ApiName) => ({ api, side, token });
    return {
      answers: new Map(steps.taken.map(({ label, api, answer }) => [label, normalise(answer, context(api))])),
      effects: normalise(await observe(steps.at, sequence.effects ?? []), context('Metadata')),
    };
  } catch (error) {
    throw new Error(
      `${sequence.name} on the side of the ${side.name}, after "${steps.taken.at(-1)?.label ?? 'nothing'}": ${String(error)}`,
      { cause: error },
    );
  } finally {
    steps.close();
  }
}
