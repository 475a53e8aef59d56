/** Holds what the pages claim against the project as it is. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Claim, anchorsOf, claimsOf } from './markdown.ts';
import type { Problem } from './tree.ts';

/** What claims are checked against; a test hands in its own. */
export interface Project {
  readonly root: string;
  readonly scripts: ReadonlySet<string>;
  /** The subcommands of a command (`[]` for `sluice` itself); null where they cannot be told yet. */
  readonly subcommands: (words: readonly string[]) => ReadonlySet<string> | null;
}

export function problemsInPage(project: Project, file: string, text: string): Problem[] {
  return claimsOf(text).flatMap((claim) => {
    const message = problemOf(project, file, text, claim);
    return message === null ? [] : [{ file, line: claim.line, message }];
  });
}

function problemOf(project: Project, file: string, text: string, claim: Claim): string | null {
  switch (claim.kind) {
    case 'path': {
      // In the words of the pages a part is named from `src/`: `policy/policy.ts`.
      const found = ['.', 'src', dirname(file)].some((base) => exists(join(project.root, base, claim.path)));
      return found ? null : `\`${claim.path}\` does not exist`;
    }
    case 'link':
      return problemOfLink(project, file, text, claim.path, claim.anchor);
    case 'npm-script':
      return project.scripts.has(claim.script) ? null : `package.json has no script \`${claim.script}\``;
    case 'command':
      return problemOfCommand(project, claim.words);
  }
}

function problemOfLink(project: Project, file: string, text: string, path: string, anchor: string): string | null {
  const target = path === '' ? file : normalize(join(dirname(file), path));
  if (!exists(join(project.root, target))) return `the link to ${path} leads nowhere`;
  if (anchor === '' || !target.endsWith('.md')) return null;
  const page = path === '' ? text : readFileSync(join(project.root, target), 'utf8');
  return anchorsOf(page).has(anchor) ? null : `${path} has no heading #${anchor}`;
}

function problemOfCommand(project: Project, words: readonly [string, ...string[]]): string | null {
  const top = project.subcommands([]);
  if (top === null) return null;
  if (!top.has(words[0])) return `there is no command \`sluice ${words[0]}\``;
  if (words[1] === undefined || words[0] === 'help') return null;
  // A command without subcommands takes arguments: the second word may be anything.
  const below = project.subcommands([words[0]]);
  const known = below === null || below.size === 0 || below.has(words[1]);
  return known ? null : `there is no command \`sluice ${words.join(' ')}\``;
}

function exists(path: string): boolean {
  return path.includes('*') ? globSync(path).length > 0 : existsSync(path);
}

/** The project in `root`, with the commands that its `--help` lists. */
export function readProject(root: string): Project {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const main = join(root, 'src/cli/sluice.ts');
  const known = new Map<string, ReadonlySet<string> | null>();
  const subcommands = (words: readonly string[]): ReadonlySet<string> | null => {
    if (!existsSync(main)) return null;
    const key = words.join(' ');
    if (!known.has(key))
      known.set(key, commandsIn(execFileSync(process.execPath, [main, ...words, '--help'], { encoding: 'utf8' })));
    return known.get(key) ?? null;
  };
  return { root, scripts: new Set(Object.keys(manifest.scripts)), subcommands };
}

/** The names below `Commands:` in a help text. */
export function commandsIn(help: string): ReadonlySet<string> {
  const section = /^Commands:\n((?: +.*\n?)+)/m.exec(help)?.[1] ?? '';
  return new Set([...section.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name));
}
