/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { SluiceError } from '../src/lib/errors.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Measured seconds of each run; warm-up comes on top. */
  readonly seconds: number;
  readonly secondsGiven: boolean;
  readonly warmUpSeconds: number;
  readonly gate: boolean;
  readonly profile: boolean;
  readonly json: boolean;
  readonly save: boolean;
  /** Cells of a scenario whose name holds this text; empty: all. */
  readonly only: string;
  /** Another checkout of the gateway, to be measured in the same run; empty: none. */
  readonly beside: string;
}

const usage = `Usage: npm run bench -- SCENARIO [options]

Scenarios: SCENARIOS
  --rounds N      interleaved rounds (5)          --seconds N   measured seconds of each run (3)
  --quick         2 rounds of 1 second            --only TEXT   only the cells whose name holds TEXT
  --gate          exit 1 where a gate is missed   --profile     where the gateway's CPU time goes
  --output json   for machines                    --save        keep the figures in bench/results/
  --beside FOLDER another checkout of the gateway as one more peer (passthrough, latency, connections, fetch-sessions)`;

/** One line for the person who waits; figures go to standard output. */
export function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

/** @throws SluiceError `usage` */
export function readOptions(
  args: readonly string[],
  scenarios: readonly string[],
): { scenario: string; options: BenchOptions } {
  const help = usage.replace('SCENARIOS', scenarios.join(', '));
  const { values, positionals } = parsed(args, help);
  const [scenario, ...rest] = positionals;
  if (scenario === undefined || rest.length > 0 || !scenarios.includes(scenario)) throw new SluiceError('usage', help);
  const number = (text: string | undefined, otherwise: number): number => {
    const value = text === undefined ? otherwise : Number(text);
    if (!(value > 0)) throw new SluiceError('usage', `${text} is not a number above 0.\n${help}`);
    return value;
  };
  const quick = values.quick === true;
  const seconds = number(values.seconds, quick ? 1 : 3);
  return {
    scenario,
    options: {
      rounds: Math.ceil(number(values.rounds, quick ? 2 : 5)),
      seconds,
      secondsGiven: values.seconds !== undefined,
      warmUpSeconds: Math.min(1, seconds / 2),
      gate: values.gate === true,
      profile: values.profile === true,
      json: values.output === 'json',
      save: values.save === true,
      only: values.only ?? '',
      beside: values.beside ?? '',
    },
  };
}

interface Values {
  readonly rounds?: string;
  readonly seconds?: string;
  readonly output?: string;
  readonly only?: string;
  readonly beside?: string;
  readonly gate?: boolean;
  readonly profile?: boolean;
  readonly save?: boolean;
  readonly quick?: boolean;
}

function parsed(args: readonly string[], help: string): { values: Values; positionals: readonly string[] } {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    rounds: text,
    seconds: text,
    output: text,
    only: text,
    beside: text,
    gate: flag,
    profile: flag,
    save: flag,
    quick: flag,
  };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    throw new SluiceError('usage', `${cause instanceof Error ? cause.message : ''}\n${help}`, { cause });
  }
}
