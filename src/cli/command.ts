/** What the definitions of all commands share. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { createOutput } from './output.ts';
import type { Output, OutputFormat } from './output.ts';

interface Common {
  readonly output: OutputFormat;
}

export interface Given {
  readonly output: Output;
  readonly args: readonly string[];
  /** As the option definitions of the command fill it in. */
  readonly options: unknown;
}

let exitCode = 0;

/** What the command that ran ended with. */
export function lastExitCode(): number {
  return exitCode;
}

/** Every command's action: its result is the exit code. */
export function runs(work: (given: Given) => Promise<number>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.opts<Common>();
    exitCode = await work({ output: createOutput(options.output), options, args: command.args });
  };
}

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'text for people, json for programs').choices(['text', 'json']).default('text');
export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration file').default('sluice.yaml').env('SLUICE_CONFIG');

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}
