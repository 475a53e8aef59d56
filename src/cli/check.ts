/** `sluice check`: the configuration and the policies, every problem at its place. */
import { loadSettings } from '../config/config.ts';
import type { ConfigProblem } from '../config/config.ts';
import { policyContext, settingsChecks } from '../main.ts';
import type { Settings } from '../model/settings.ts';
import { compilePolicies } from '../policy/policy.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { loadPolicyFiles, shownProblem } from './load.ts';
import { CommandError, coloured, plural, printProblems } from './output.ts';
import type { Output } from './output.ts';

interface PolicyFindings {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  readonly revision: string | null;
  readonly policies: readonly string[];
}

export async function runCheck(options: { readonly config: string }, output: Output): Promise<ExitCode> {
  const configuration = await loadSettings(options.config, settingsChecks);
  // Policies are held against ports and issuers: without a configuration that holds there is nothing to hold them against.
  const policies = configuration.ok ? await checkPolicies(configuration.settings) : null;
  const problems = [...(configuration.ok ? [] : configuration.problems), ...(policies?.problems ?? [])];
  const warnings = [...configuration.warnings, ...(policies?.warnings ?? [])];
  const ok = problems.length === 0;
  output.json({
    ok,
    problems,
    warnings,
    policiesChecked: policies !== null,
    revision: policies?.revision ?? null,
    policies: policies?.policies ?? [],
  });
  printProblems(output, problems, warnings);
  if (policies === null)
    output.note('The policies were not checked: they are held against the configuration, which has problems.');
  if (ok && policies !== null)
    output.line(
      `${coloured('green', 'ok')}: ${plural(policies.policies.length, 'policy document')}, revision ${policies.revision?.slice(0, 12)}`,
    );
  else output.note(plural(problems.length, 'problem'));
  return ok ? exitCodes.ok : exitCodes.problems;
}

async function checkPolicies(settings: Settings): Promise<PolicyFindings> {
  const folder = settings.policyDirectory;
  try {
    const { files } = await loadPolicyFiles(folder);
    const result = compilePolicies(files, policyContext(settings), Date.now());
    const shown = (problem: ConfigProblem): ConfigProblem => shownProblem(folder, problem);
    if (!result.ok) return { problems: result.problems.map(shown), warnings: [], revision: null, policies: [] };
    return {
      problems: [],
      warnings: result.warnings.map(shown),
      revision: result.policies.revision,
      policies: result.policies.policies,
    };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return {
      problems: [{ path: folder, line: 1, column: 1, message: error.message }],
      warnings: [],
      revision: null,
      policies: [],
    };
  }
}
