/** `sluice audit key`: the public keys of the log, and a new one. */
import { addKey, readKeyFile } from '../audit/audit.ts';
import { messageOf } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { loadConfiguration } from './load.ts';
import { CommandError } from './output.ts';
import type { Output } from './output.ts';

export interface AuditKeyOptions {
  readonly config: string;
  readonly file?: string;
  readonly rotate: boolean;
}

/** @throws CommandError where the key file is not there or cannot be used */
export async function runAuditKey(options: AuditKeyOptions, output: Output): Promise<ExitCode> {
  const file = options.file ?? (await loadConfiguration(options.config)).settings.audit.checkpoint.keyFile;
  try {
    if (options.rotate) await addKey(file);
    const found = await readKeyFile(file);
    if (found === null) throw new Error(`There is no key ${file} yet: the gateway makes it when it first starts.`);
    const keys = found.keys.map(({ verifier }) => verifier.text);
    output.json({ file, keys, rotated: options.rotate });
    for (const key of keys) output.line(key);
    if (options.rotate) output.note('The gateway signs with the new key once it is started again.');
    return exitCodes.ok;
  } catch (error) {
    throw new CommandError(exitCodes.problems, messageOf(error));
  }
}
