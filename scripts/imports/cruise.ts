/** Reads a tree's imports and holds them against the rules. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { isPlaced, ruleSet } from './rules.ts';

export interface Breach {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly comment: string;
}

export interface Findings {
  /** Files of the tree that were read; 0 means that the check saw nothing, which must not pass. */
  readonly modules: number;
  readonly dependencies: number;
  readonly breaches: readonly Breach[];
}

const folders = ['src', 'test', 'harness', 'demo', 'bench', 'scripts'];

export async function findBreaches(baseDir: string): Promise<Findings> {
  const present = folders.filter((folder) => existsSync(join(baseDir, folder)));
  const { output } = await cruise(present, {
    baseDir,
    ruleSet,
    validate: true,
    // Counts type imports too; dependency-cruiser needs `typescript` below 7 for it, and reads nothing without.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^test/.*/fixtures/' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.d.ts', '.json'],
      conditionNames: ['import', 'node', 'types', 'default'],
      exportsFields: ['exports'],
    },
  });
  if (typeof output === 'string')
    throw new Error('dependency-cruiser answered with text where its result was expected');
  return toFindings(output);
}

function toFindings(result: ICruiseResult): Findings {
  const own = result.modules.filter(({ source }) => /^(src|test|harness|demo|bench|scripts)\/.*\.ts$/.test(source));
  const comments = new Map((ruleSet.forbidden ?? []).map(({ name, comment }) => [name ?? '', comment ?? '']));
  const breaches = result.summary.violations.map(({ rule, from, to, cycle }) => ({
    rule: rule.name,
    from,
    to: cycle === undefined ? to : cycle.map(({ name }) => name).join(' → '),
    comment: comments.get(rule.name) ?? '',
  }));
  const unplaced = own
    .filter(({ source }) => !isPlaced(source))
    .map(({ source }) => ({
      rule: 'known-part',
      from: source,
      to: '',
      comment: 'The file is in no part that scripts/imports/rules.ts knows.',
    }));
  return {
    modules: own.length,
    dependencies: result.summary.totalDependenciesCruised ?? 0,
    breaches: [...breaches, ...unplaced],
  };
}
