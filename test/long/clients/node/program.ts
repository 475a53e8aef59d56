/** What the Node programs have in common: the task in, the answer out, tokens, and the pace of the steady step. */
import type {
  AdministerAnswer,
  Administer,
  Auth,
  Copy,
  CopyAnswer,
  Denials,
  DenialsAnswer,
  RoundTrip,
  RoundTripAnswer,
  Steady,
  SteadyAnswer,
  Task,
} from '../task.ts';

export interface Steps {
  roundtrip(task: RoundTrip): Promise<RoundTripAnswer>;
  denials(task: Denials): Promise<DenialsAnswer>;
  steady(task: Steady): Promise<SteadyAnswer>;
  copy(task: Copy): Promise<CopyAnswer>;
  administer(task: Administer): Promise<AdministerAnswer>;
}

/** Reads the task, carries it out, prints the answer and ends the process, whatever a library leaves running. */
export async function main(steps: Steps): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const task = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Task;
  const answer = await perform(steps, task);
  await new Promise((resolve) => process.stdout.write(`\n${JSON.stringify(answer)}\n`, resolve));
  process.exit(0);
}

async function perform(steps: Steps, task: Task): Promise<object> {
  switch (task.step) {
    case 'roundtrip':
      return await steps.roundtrip(task);
    case 'denials':
      return await steps.denials(task);
    case 'steady':
      return await steps.steady(task);
    case 'copy':
      return await steps.copy(task);
    case 'administer':
      return await steps.administer(task);
    case 'streams':
      throw new Error('not a step of this client');
  }
}

export interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** Client credentials (RFC 6749 §4.4), as an application's own callback would ask. */
export async function fetchToken(auth: Auth): Promise<Token> {
  if (auth.kind === 'mtls') throw new Error('no token with mTLS');
  const basic = Buffer.from(`${auth.clientId}:${auth.clientSecret}`).toString('base64');
  const response = await fetch(auth.tokenUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: value, expires_in: seconds } = (await response.json()) as {
    access_token: string;
    expires_in: number;
  };
  return { value, expiresAtMs: Date.now() + seconds * 1_000 };
}

/** Sends `0` to `count - 1` at the task's pace, each without waiting for the one before. */
export async function paced(
  { count, intervalMs }: Steady,
  send: (index: number) => Promise<unknown>,
): Promise<Pick<SteadyAnswer, 'acknowledged' | 'failures'>> {
  const acknowledged: number[] = [];
  const failures: string[] = [];
  const sends: Promise<unknown>[] = [];
  const begun = performance.now();
  for (let index = 0; index < count; index += 1) {
    await pause(begun + index * intervalMs - performance.now());
    sends.push(
      send(index).then(
        () => acknowledged.push(index),
        (error: unknown) => failures.push(`${index}: ${wordsOf(error)}`),
      ),
    );
  }
  await Promise.all(sends);
  return { acknowledged, failures };
}

/** Resolves when the condition holds, or when the time is over: what is missing shows in the answer. */
export async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition() && performance.now() < deadline) await pause(20);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

/** What the work was refused with; `none` where it was not. */
export async function refusal(work: () => Promise<unknown>): Promise<string> {
  return await work().then(
    () => 'none',
    (error: unknown) => wordsOf(error),
  );
}

/** Names and messages of an error and all that caused it. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { type = '', code = '' } = error as { type?: string; code?: string | number };
  const own = `${error.name} ${type} ${code} ${error.message}`;
  const more = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return [own, ...more.map(wordsOf), ...(error.cause === undefined ? [] : [wordsOf(error.cause)])].join(' | ');
}

export function decoded(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

export function encoded(bytes: Buffer | string | null | undefined): string {
  return Buffer.from(bytes ?? '').toString('base64');
}
