/** `sluice audit prove`: a proof that one entry is in the signed log. */
import { writeFile } from 'node:fs/promises';
import { proveEntry } from '../audit/audit.ts';
import type { Proof } from '../audit/audit.ts';
import { messageOf } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError } from './output.ts';
import type { Output } from './output.ts';

export interface AuditProveOptions {
  readonly directory: string;
  readonly file?: string;
}

/** @throws CommandError where the entry is not there or not signed, or a file cannot be read or written */
export async function runAuditProve(id: string, options: AuditProveOptions, output: Output): Promise<ExitCode> {
  const { text, index, size, entry } = await prove(id, options.directory);
  const { file } = options;
  try {
    if (file !== undefined) await writeFile(file, text);
  } catch (error) {
    throw new CommandError(exitCodes.problems, `${file} cannot be written: ${messageOf(error)}`);
  }
  output.json({ ok: true, index, size, entry, ...(file === undefined ? { proof: text } : { file }) });
  output.line(file === undefined ? text.trimEnd() : `entry ${index} of ${size}: ${file}`);
  return exitCodes.ok;
}

async function prove(id: string, directory: string): Promise<Proof> {
  try {
    return await proveEntry(directory, id);
  } catch (error) {
    throw new CommandError(exitCodes.problems, messageOf(error));
  }
}
