/** The command line, run to its end as a user runs it. */
import { fileURLToPath } from 'node:url';
import { run } from './processes.ts';
import type { Run, RunOptions } from './processes.ts';

const cli = fileURLToPath(new URL('../src/cli/sluice.ts', import.meta.url));

export async function sluice(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return await run(process.execPath, [cli, ...args], { timeoutMs: 60_000, ...options });
}
