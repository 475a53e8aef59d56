/** `sluice demo`: runs the demo of a source checkout with the remaining arguments. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';

/** @throws CommandError where the demo's files are not beside this one */
export async function runDemo(args: readonly string[]): Promise<number> {
  const main = fileURLToPath(new URL('../../demo/main.ts', import.meta.url));
  if (!existsSync(main)) {
    throw new CommandError(
      exitCodes.problems,
      'The demo is part of the source checkout and is not here. Clone the repository and run `npm run demo` in it.',
    );
  }
  const child = spawn(process.execPath, [main, ...args], { stdio: 'inherit' });
  // The terminal sends its signals to the child as well; what arrives here alone is passed on, and the child decides when to end.
  const relay = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', () => {});
  process.on('SIGTERM', relay);
  process.on('SIGHUP', relay);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : 15)));
  });
}
