/** What must not stand in any file of the project: places that exist on one machine, and the hosts of registries. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

const fileBytesMax = 2_000_000;
/** One letter of each name stands in brackets, so that this file passes its own check. */
const forbidden: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(?<![\w.$}/-])\/(?:home|Users|work|root)\/[\w.-]/, what: 'a path of one machine' },
  { pattern: /registry\.npm[j]s\.|repo1?\.[m]aven\.|\/[a]rtifactory\/|_auth[T]oken/, what: 'a registry' },
  { pattern: /^\s*"resolved": "http/, what: 'a download address in the lock file (run scripts/lock.sh)' },
];

/** Files that git tracks or would track. */
export function projectFiles(root: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 16_777_216 });
  return listed.split('\0').filter((file) => file !== '' && isReadable(join(root, file)));
}

export function problemsInTree(root: string, files: readonly string[]): Problem[] {
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return text.includes('\0') ? [] : problemsInText(file, text);
  });
}

export function problemsInText(file: string, text: string): Problem[] {
  return text
    .split('\n')
    .flatMap((content, index) =>
      forbidden
        .filter(({ pattern }) => pattern.test(content))
        .map(({ what }) => ({ file, line: index + 1, message: `names ${what}` })),
    );
}

function isReadable(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile() && stat.size <= fileBytesMax;
}
