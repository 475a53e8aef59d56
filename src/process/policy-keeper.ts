/** Keeps the policies in force: the first load must be good; a later broken edit is reported and the last good revision stays. */
import { watchPolicyFiles } from '../config/config.ts';
import type { ConfigProblem, PolicyFile, PolicyReading } from '../config/config.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';

export interface Revisioned {
  readonly revision: string;
}

export type Compiled<Policies extends Revisioned> =
  | { readonly ok: true; readonly policies: Policies; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

export interface KeeperOptions<Policies extends Revisioned> {
  readonly directory: string;
  readonly compile: (files: readonly PolicyFile[]) => Compiled<Policies> | Promise<Compiled<Policies>>;
  /** Another revision is in force from now on. `previous` is null for the first. */
  readonly onLoaded: (policies: Policies, previous: Policies | null, warnings: readonly ConfigProblem[]) => void;
  /** An edit that cannot be taken; `inForce` stays. */
  readonly onRejected: (problems: readonly ConfigProblem[], inForce: Policies) => void;
}

export interface PolicyKeeper<Policies extends Revisioned> {
  current(): Policies;
  /** Whether the files as they last were are the ones in force. */
  lastLoadOk(): boolean;
  /** Reads and compiles the files now; resolves with whether they are in force. */
  reload(): Promise<boolean>;
  close(): void;
}

/** Problems of a first load, for whoever prints them. */
export class PolicyLoadError extends SluiceError<'policy-invalid'> {
  readonly problems: readonly ConfigProblem[];

  constructor(directory: string, problems: readonly ConfigProblem[]) {
    const first = problems[0];
    const where = first === undefined ? '' : ` First: ${first.path}:${first.line}:${first.column}: ${first.message}`;
    super(
      'policy-invalid',
      `The policies in ${directory} have ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}.${where}`,
    );
    this.problems = problems;
  }
}

/**
 * @param files what the folder held when the caller read it
 * @throws PolicyLoadError where they do not compile
 */
export async function keepPolicies<Policies extends Revisioned>(
  files: readonly PolicyFile[],
  options: KeeperOptions<Policies>,
): Promise<PolicyKeeper<Policies>> {
  const first = await options.compile(files);
  if (!first.ok) throw new PolicyLoadError(options.directory, first.problems);
  let inForce = first.policies;
  let ok = true;
  let closed = false;
  options.onLoaded(inForce, null, first.warnings);

  const take = async (reading: PolicyReading): Promise<void> => {
    const result = reading.ok
      ? await compile(reading.files, options)
      : rejected(options.directory, reading.error.message);
    if (closed) return;
    ok = result.ok;
    if (!result.ok) return options.onRejected(result.problems, inForce);
    const previous = inForce;
    inForce = result.policies;
    options.onLoaded(inForce, previous, result.warnings);
  };
  const watch = watchPolicyFiles(options.directory, files, take);
  return {
    current: () => inForce,
    lastLoadOk: () => ok,
    reload: async () => {
      await watch.reload();
      return ok;
    },
    close: () => {
      closed = true;
      watch.close();
    },
  };
}

/** A defect that an edit brings to light must not end a gateway that runs: the edit is rejected like any other. */
async function compile<Policies extends Revisioned>(
  files: readonly PolicyFile[],
  options: KeeperOptions<Policies>,
): Promise<Compiled<Policies>> {
  try {
    return await options.compile(files);
  } catch (error) {
    return rejected(
      options.directory,
      `A defect in Sluice keeps these policies from being compiled: ${messageOf(error)}`,
    );
  }
}

function rejected(directory: string, message: string): { ok: false; problems: readonly ConfigProblem[] } {
  return { ok: false, problems: [{ path: directory, line: 1, column: 1, message }] };
}
