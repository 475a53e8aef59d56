/** What commands print, for people or for programs, and how they fail. */
import { styleText } from 'node:util';
import type { ConfigProblem } from '../config/config.ts';
import type { ExitCode } from './exit-codes.ts';

export type OutputFormat = 'text' | 'json';

export interface Output {
  readonly format: OutputFormat;
  /** A line of the result, on standard output; nothing in JSON form. */
  line(text: string): void;
  /** A line beside the result, on standard error; nothing in JSON form. */
  note(text: string): void;
  /** The result as one JSON document on standard output; nothing in text form. */
  json(value: unknown): void;
}

export interface Streams {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
}

export function createOutput(
  format: OutputFormat,
  streams: Streams = { out: process.stdout, err: process.stderr },
): Output {
  const text = format === 'text';
  return {
    format,
    line: (line) => void (text && streams.out.write(`${line}\n`)),
    note: (line) => void (text && streams.err.write(`${line}\n`)),
    json: (value) => void (text || streams.out.write(`${JSON.stringify(value, null, 2)}\n`)),
  };
}

/** A command that cannot go on: printed without a stack, with its exit code. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly problems: readonly ConfigProblem[];

  constructor(exitCode: ExitCode, message: string, problems: readonly ConfigProblem[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.problems = problems;
  }
}

type Colour = 'red' | 'yellow' | 'green' | 'bold' | 'dim';

/** Coloured where standard output is a terminal and NO_COLOR is not set. */
export function coloured(colour: Colour, text: string): string {
  return styleText(colour, text, { stream: process.stdout });
}

/** `file:line:column: message`, problems before warnings. */
export function printProblems(
  output: Output,
  problems: readonly ConfigProblem[],
  warnings: readonly ConfigProblem[],
): void {
  for (const problem of problems) output.line(formatProblem(problem));
  for (const warning of warnings)
    output.line(formatProblem({ ...warning, message: `${coloured('yellow', 'warning:')} ${warning.message}` }));
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** `path:line:column: message`, the form that editors and CI logs can follow. */
export function formatProblem(problem: ConfigProblem): string {
  return `${problem.path}:${problem.line}:${problem.column}: ${problem.message}`;
}
