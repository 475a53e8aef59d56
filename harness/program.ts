/** The command line in the form in which users run it: built from the sources, and built anew where those have changed. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const known = new Map<string, string>();

/** @param checkout another one; of a version that is not built, its source. @returns a file for Node to run */
export function sluiceProgram(checkout: string = join(import.meta.dirname, '..')): string {
  let program = known.get(checkout);
  if (program === undefined) known.set(checkout, (program = built(checkout) ?? join(checkout, 'src/cli/sluice.ts')));
  return program;
}

function built(checkout: string): string | null {
  const script = join(checkout, 'scripts/node.sh');
  if (!existsSync(script) || !readFileSync(script, 'utf8').includes('--built)')) return null;
  return execFileSync('sh', [script, '--built'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}
