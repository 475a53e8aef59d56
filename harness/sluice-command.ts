/** The command line, run to its end as a user runs it. */
import { run } from './processes.ts';
import type { Run, RunOptions } from './processes.ts';
import { sluiceProgram } from './program.ts';

export async function sluice(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return await run(process.execPath, [sluiceProgram(), ...args], { timeoutMs: 60_000, ...options });
}
