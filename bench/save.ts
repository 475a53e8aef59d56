/** The history of figures: bench/results/DATE-COMMIT.json, one file for all scenarios of a day and commit. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const folder = join(import.meta.dirname, 'results');

/** A scenario measured again replaces what the file had of it. @returns the file's path */
export function saveResult(document: { readonly scenario: string; readonly date: string }): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', '../src').length > 0 ? '-changed' : '';
  const commit = `${git('rev-parse', '--short', 'HEAD')}${changed}`;
  const file = join(folder, `${document.date.slice(0, 10)}-${commit}.json`);
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...before, [document.scenario]: document }, null, 1)}\n`);
  return relative(process.cwd(), file);
}
