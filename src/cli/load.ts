/** What `check`, `serve` and the `policy` commands read before they do their own work. */
import { join } from 'node:path';
import { loadSettings, readPolicyPath, shownPath } from '../config/config.ts';
import type { ConfigProblem } from '../config/config.ts';
import { SluiceError } from '../lib/errors.ts';
import { policyContext, settingsChecks } from '../main.ts';
import type { Settings } from '../model/settings.ts';
import { compilePolicies } from '../policy/policy.ts';
import type { PolicySet } from '../policy/policy.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError, plural } from './output.ts';

export interface Loaded {
  readonly settings: Settings;
  readonly warnings: readonly ConfigProblem[];
}

/** @throws CommandError with the problems */
export async function loadConfiguration(path: string): Promise<Loaded> {
  const result = await loadSettings(path, settingsChecks);
  if (result.ok) return result;
  throw new CommandError(
    exitCodes.problems,
    `The configuration has ${plural(result.problems.length, 'problem')}.`,
    result.problems,
  );
}

/** @throws CommandError where the files cannot be read */
export async function loadPolicyFiles(path: string): ReturnType<typeof readPolicyPath> {
  try {
    return await readPolicyPath(path);
  } catch (error) {
    if (error instanceof SluiceError) throw new CommandError(exitCodes.problems, error.message);
    throw error;
  }
}

/** A policy problem names its file within the folder; here it gets the path that an editor can open. */
export function shownProblem(folder: string, problem: ConfigProblem): ConfigProblem {
  return { ...problem, path: shownPath(join(folder, problem.path)) };
}

/** @throws CommandError with the problems */
export async function compileOrFail(path: string, settings: Settings, nowMs: number): Promise<PolicySet> {
  const { folder, files } = await loadPolicyFiles(path);
  const result = compilePolicies(files, policyContext(settings), nowMs);
  if (result.ok) return result.policies;
  const problems = result.problems.map((problem) => shownProblem(folder, problem));
  throw new CommandError(
    exitCodes.problems,
    `The policies in ${shownPath(path)} have ${plural(problems.length, 'problem')}.`,
    problems,
  );
}
