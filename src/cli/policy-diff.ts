/** `sluice policy diff`: what changes between two policy folders or files, rule by rule. */
import { resolve } from 'node:path';
import { diffPolicies, formatDiff } from '../policy/policy.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { compileOrFail, loadConfiguration } from './load.ts';
import { coloured } from './output.ts';
import type { Output } from './output.ts';

/** Both are held against the ports and issuers of one configuration. @throws CommandError where one of them has problems */
export async function runPolicyDiff(
  before: string,
  after: string,
  options: { readonly config: string },
  output: Output,
): Promise<ExitCode> {
  const { settings } = await loadConfiguration(options.config);
  const nowMs = Date.now();
  const old = await compileOrFail(resolve(before), settings, nowMs);
  const young = await compileOrFail(resolve(after), settings, nowMs);
  const diff = diffPolicies(old, young);
  const differs = diff.documents.length > 0;
  output.json({ differs, ...diff });
  output.line(formatDiff(diff).trimEnd().split('\n').map(paint).join('\n'));
  return differs ? exitCodes.differs : exitCodes.ok;
}

function paint(line: string): string {
  if (line.startsWith('+')) return coloured('green', line);
  return line.startsWith('-') ? coloured('red', line) : line;
}
