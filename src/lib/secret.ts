import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SluiceError, messageOf } from './errors.ts';

const commandTimeoutMs = 10_000;
const commandOutputBytesMax = 65_536;

/**
 * Reads a secret from where the configuration says it is: an environment variable, a file or a command's output.
 * One trailing line end is dropped. Read it each time it is needed, so that a rotated secret needs no restart.
 *
 * @throws SluiceError `secret-unreadable`, which names the place and never the value
 */
export async function readSecret(
  source: { readonly env: string } | { readonly file: string } | { readonly command: readonly [string, ...string[]] },
): Promise<string> {
  if ('env' in source) {
    const value = process.env[source.env];
    if (value === undefined || value === '') throw unreadable(`environment variable ${source.env} is not set`);
    return value;
  }
  if ('file' in source) {
    const text = await readFile(source.file, 'utf8').catch((cause: unknown) => {
      throw unreadable(`file ${source.file} cannot be read: ${messageOf(cause)}`, cause);
    });
    return nonEmpty(text, `file ${source.file}`);
  }
  const [program, ...args] = source.command;
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: commandTimeoutMs,
    maxBuffer: commandOutputBytesMax,
  }).catch(() => {
    // The command's own output may hold the secret or part of it: only the program is named.
    throw unreadable(`command ${program} failed or took longer than ${commandTimeoutMs / 1000} s`);
  });
  return nonEmpty(stdout, `the output of command ${program}`);
}

function nonEmpty(text: string, where: string): string {
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw unreadable(`${where} is empty`);
  return value;
}

function unreadable(detail: string, cause?: unknown): SluiceError<'secret-unreadable'> {
  return new SluiceError('secret-unreadable', `A secret could not be read: ${detail}.`, { cause, retriable: true });
}
