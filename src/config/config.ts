/** The door of the configuration: `sluice.yaml` in, typed settings or problems with their places out. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import type { Settings } from '../model/settings.ts';
import { crossCheck } from './cross-checks.ts';
import { parseDocument } from './document.ts';
import type { PlacedDocument } from './document.ts';
import { checkFiles } from './file-checks.ts';
import { gateway } from './gateway-shape.ts';
import type { ConfigProblem, PlacedProblem } from './problem.ts';
import { shapeProblems } from './shape-problems.ts';

export { readPolicyFiles, readPolicyPath, watchPolicyFiles } from './policy-files.ts';
export type { PolicyFile, PolicyReading } from './policy-files.ts';
export type { ConfigProblem, PlacedProblem } from './problem.ts';
export { parseDurationMs } from './units.ts';

const settingsBytesMax = 1_048_576;

export type LoadResult =
  | { readonly ok: true; readonly settings: Settings; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[]; readonly warnings: readonly ConfigProblem[] };

/** A check by another part of what only that part understands, with places in the document. */
export type SettingsCheck = (settings: Settings) => {
  readonly problems: readonly PlacedProblem[];
  readonly warnings: readonly PlacedProblem[];
};

/**
 * Reads a configuration file. Problems of its shape are reported all at once; once the shape holds, so are those
 * between sections and in the files it names. Never throws for what stands in a file.
 *
 * @param checks run once the shape holds
 */
export async function loadSettings(path: string, checks: readonly SettingsCheck[] = []): Promise<LoadResult> {
  const file = resolve(path);
  const shown = shownPath(file);
  const read = await readSettings(file);
  if (!read.ok) return failure([{ path: shown, line: 1, column: 1, message: read.message }]);
  const parsed = parseDocument(shown, read.text);
  if (!parsed.ok) return failure(parsed.problems);
  const { document } = parsed;
  const shaped = gateway(dirname(file)).safeParse(document.value);
  if (!shaped.success) return failure(placeAll(shapeProblems(shaped.error.issues, document), document));
  const settings = shaped.data;
  const files = await checkFiles(settings, (at) => document.has(at), Date.now());
  const others = checks.map((check) => check(settings));
  const problems = [...crossCheck(settings), ...files.problems, ...others.flatMap((found) => found.problems)];
  const warnings = placeAll([...files.warnings, ...others.flatMap((found) => found.warnings)], document);
  if (problems.length > 0) return failure(placeAll(problems, document), warnings);
  return { ok: true, settings, warnings };
}

/** Relative to the working folder where that is shorter to read, so that editors and CI logs can follow it. */
export function shownPath(absolute: string): string {
  const near = relative(process.cwd(), absolute);
  return near === '' || near.startsWith(`..${sep}`) || near === '..' ? absolute : near;
}

async function readSettings(file: string): Promise<{ ok: true; text: string } | { ok: false; message: string }> {
  try {
    const found = await stat(file);
    if (found.isDirectory())
      return { ok: false, message: 'This is a folder. Name the configuration file in it, usually sluice.yaml.' };
    if (found.size > settingsBytesMax)
      return { ok: false, message: `The file is larger than ${settingsBytesMax} bytes.` };
    return { ok: true, text: await readFile(file, 'utf8') };
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const message = missing
      ? 'There is no such file. Name it with --config, or run `sluice init` for a starter file.'
      : `The file cannot be read: ${messageOf(error)}`;
    return { ok: false, message };
  }
}

function failure(problems: readonly ConfigProblem[], warnings: readonly ConfigProblem[] = []): LoadResult {
  return { ok: false, problems, warnings };
}

function placeAll(problems: readonly PlacedProblem[], document: PlacedDocument): readonly ConfigProblem[] {
  return problems.map((problem) => document.place(problem)).sort((a, b) => a.line - b.line || a.column - b.column);
}
