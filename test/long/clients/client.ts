/** A client under test: how it is fetched, what it can do, and how a task is handed to it. */
import { type Run, run } from '../../../harness/processes.ts';
import type { Ground } from './ground.ts';
import type { Task } from './task.ts';

/** The columns of the matrix. */
export const columns = [
  'OIDC',
  'callback',
  'PLAIN',
  'mTLS',
  're-auth',
  'classic',
  'KIP-848',
  'share',
  'transactions',
  'admin',
] as const;
export type Column = (typeof columns)[number];

export interface Client {
  /** With its version, as the matrix shows it. */
  readonly name: string;
  /** A word for topics, groups and client ids. */
  readonly id: string;
  /** Cells that are not tried, each with its reason. */
  readonly without: Readonly<Partial<Record<Column, string>>>;
  /** What it says of a denied group or transactional id, where it does not name the error. */
  readonly saysOfDenied?: { readonly group?: RegExp; readonly transaction?: RegExp };
  /** It reads lines of text and gives all of them the same headers. */
  readonly textOnly?: true;
  /** It closes at the end of a token and comes again, instead of renewing it on the open connection. */
  readonly reconnects?: true;
  /** Its own way to the cell of transactions. */
  transactions?(ground: Ground): Promise<string>;
  /** Fetches what it needs; @throws where that cannot be had, with what to do */
  prepare(): Promise<void>;
  /** Runs the task to its end; `said` is handed its log then. @throws with what the program said last */
  run<Answer>(task: Task, said?: (log: string) => void): Promise<Answer>;
}

/** Programs get this much longer than their task before they are killed. */
const graceMs = 20_000;

/** Runs a program that speaks the lines of task.ts. */
export async function runProgram<Answer>(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  task: Task,
  said?: (log: string) => void,
): Promise<Answer> {
  const done = await run(command, args, {
    env,
    stdin: `${JSON.stringify(task)}\n`,
    timeoutMs: task.timeoutMs + graceMs,
  });
  said?.(done.stderr);
  return answerOf(done);
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a line of JSON is taken for is said where it is asked for
export function answerOf<Answer>({ code, stdout, stderr }: Run): Answer {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (code === 0 && line.startsWith('{')) return JSON.parse(line) as Answer;
  throw new Error(
    `the program ended with code ${code}: ${(stderr + line).trimEnd().split('\n').slice(-25).join('\n')}`,
  );
}
