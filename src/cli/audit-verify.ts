/** `sluice audit verify`: whether a log is what the gateway signed, and whether all of it is there. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { VerifierKey, WitnessKey, parseCheckpoint, renderEntry, verifyLog, verifyProof } from '../audit/audit.ts';
import type { Checkpoint, VerifyOptions, VerifyReport } from '../audit/audit.ts';
import { parseDurationMs } from '../config/config.ts';
import { messageOf } from '../lib/errors.ts';
import { printable } from '../lib/printable.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { CommandError, coloured, plural } from './output.ts';
import type { Output } from './output.ts';
import { createProgress } from './progress.ts';

export interface AuditVerifyOptions {
  readonly key?: readonly string[];
  readonly checkpoint?: string;
  readonly maxAge?: string;
  readonly keep?: string;
  readonly witness?: readonly string[];
  readonly quorum?: string;
  readonly proof?: string;
}

const lineCharsMax = 4_000;

/** @throws CommandError where something cannot be read, or the command line makes no sense */
export async function runAuditVerify(
  folder: string | null,
  options: AuditVerifyOptions,
  output: Output,
): Promise<ExitCode> {
  const keys = await readKeys(options.key ?? []);
  if (options.proof !== undefined) {
    if (folder !== null)
      throw new CommandError(exitCodes.usage, 'A proof is verified without the log: leave the folder out.');
    return runProof(options.proof, keys, output);
  }
  const known = options.checkpoint === undefined ? null : await readKnown(options.checkpoint);
  const report = await verify(
    folder ?? 'audit',
    { ...optionsOf(options), ...(await witnessesOf(options)), keys, known },
    output,
  );
  const { keep, ...shown } = report;
  const code = exitCodeOf(report);
  const kept =
    options.checkpoint !== undefined && keep !== null && report.integrity === 'intact' && code !== exitCodes.incomplete;
  if (options.checkpoint !== undefined && kept) await replaceFile(options.checkpoint, keep);
  output.json({ ok: code === exitCodes.ok, ...shown, compared: known !== null, kept });
  print(report, known, output);
  return code;
}

async function verify(folder: string, options: VerifyOptions, output: Output): Promise<VerifyReport> {
  const progress = createProgress();
  try {
    return await verifyLog(folder, {
      ...options,
      ...(output.format === 'text' && {
        onProgress: ({ bytes, bytesTotal, entries }) => progress.show(bytes, bytesTotal, plural(entries, 'line')),
      }),
    });
  } catch (error) {
    throw new CommandError(exitCodes.problems, `The log in ${folder} cannot be read: ${messageOf(error)}`);
  } finally {
    progress.end();
  }
}

/** Altered before incomplete before unproved before gaps that were reported: the worst decides. */
function exitCodeOf({ integrity, completeness }: VerifyReport): ExitCode {
  if (integrity === 'broken') return exitCodes.altered;
  if (completeness === 'incomplete') return exitCodes.incomplete;
  if (integrity === 'unproved') return exitCodes.unproved;
  return completeness === 'gaps-reported' ? exitCodes.gapsReported : exitCodes.ok;
}

function print(report: VerifyReport, known: Checkpoint | null, output: Output): void {
  const colour = (word: string): string =>
    coloured(
      ['intact', 'complete'].includes(word) ? 'green' : ['broken', 'incomplete'].includes(word) ? 'red' : 'yellow',
      word,
    );
  for (const { at, aspect, message, reported } of report.findings) {
    const place = at === null ? '' : `${[at.file, at.line].filter((part) => part !== undefined).join(':')}: `;
    const entry = at?.entryId === undefined ? '' : ` (${at.entryId})`;
    // The log may be anybody's by now: what stands in it is shown without its control characters.
    output.line(
      printable(
        `${place}${reported && aspect === 'completeness' ? 'reported by the gateway: ' : ''}${message}${entry}`,
        lineCharsMax,
      ),
    );
  }
  if (report.findingsTotal > report.findings.length)
    output.line(`and ${report.findingsTotal - report.findings.length} more`);
  const { newest, entries, segments, checkpoints, unsigned } = report;
  output.line(`integrity     ${colour(report.integrity)}${integrityNote(report)}`);
  output.line(`completeness  ${colour(report.completeness)}`);
  output.line(
    `log           ${entries} entries in ${plural(segments, 'segment')}, ${plural(checkpoints, 'checkpoint')}`,
  );
  if (report.retired !== null)
    output.line(
      `removed       ${report.retired.entries} of them by retention, up to ${report.retired.until}, in ${plural(report.retired.segments, 'segment')}`,
    );
  if (newest !== null)
    output.line(
      `signed        ${newest.size} entries at ${newest.time}${unsigned > 0 ? `, ${unsigned} since then` : ''}`,
    );
  if (report.waiting > 0)
    output.line(`waiting       ${plural(report.waiting, 'question')} about the log, for a gateway to enter in it`);
  if (report.cosigned !== null) output.line(`cosigned      ${report.cosigned} entries`);
  for (const key of report.keys) output.line(`key           ${key}`);
  if (known === null)
    output.note(
      'Not compared with an earlier checkpoint: keep one with --checkpoint, and a log that was cut or replaced shows.',
    );
}

function integrityNote({ integrity, pinned, newest }: VerifyReport): string {
  if (integrity !== 'unproved') return '';
  if (newest === null) return ': no checkpoint of it holds under a key that is trusted';
  return pinned ? '' : ': the key is the one that lies beside the log. Name yours with --key';
}

async function runProof(file: string, keys: readonly VerifierKey[], output: Output): Promise<ExitCode> {
  if (keys.length === 0)
    throw new CommandError(
      exitCodes.usage,
      'A proof is nothing without a key that you have from elsewhere: name it with --key.',
    );
  const report = verifyProof(await read(file), keys);
  const { holds, problem, entry, index, checkpoint, signedAt } = report;
  output.json({ ok: holds, problem, entry, index, checkpoint, signedAt });
  if (holds && entry !== null && checkpoint !== null) {
    output.line(
      `${coloured('green', 'holds')}: entry ${index} of ${checkpoint.size} in ${checkpoint.origin}, signed at ${signedAt}`,
    );
    output.line(printable(renderEntry(entry), lineCharsMax));
  } else {
    output.line(`${coloured('red', 'does not hold')}: ${problem}`);
  }
  return holds ? exitCodes.ok : exitCodes.altered;
}

export async function readKeys(given: readonly string[]): Promise<VerifierKey[]> {
  const lines = await keyLines(given);
  try {
    const keys = lines.map((line) => VerifierKey.parse(line));
    if (given.length > 0 && keys.length === 0) throw new Error('There is no key in the file.');
    return keys;
  } catch (error) {
    throw new CommandError(exitCodes.usage, `--key: ${messageOf(error)}`);
  }
}

function isKey(text: string): boolean {
  return /^[^+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(text);
}

/** `null` where there is none yet: it is kept from this time on. */
async function readKnown(path: string): Promise<Checkpoint | null> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new CommandError(exitCodes.problems, `${path} cannot be read: ${messageOf(error)}`);
  }
  try {
    return parseCheckpoint(bytes);
  } catch (error) {
    throw new CommandError(exitCodes.problems, `${path}: ${messageOf(error)}`);
  }
}

function optionsOf({ maxAge, keep }: AuditVerifyOptions): Pick<VerifyOptions, 'maxAgeMs' | 'keepMs'> {
  const maxAgeMs = lengthOf('--max-age', maxAge, '1m');
  const keepMs = lengthOf('--keep', keep, '400d');
  return { ...(maxAgeMs !== null && { maxAgeMs }), ...(keepMs !== null && { keepMs }) };
}

function lengthOf(name: string, text: string | undefined, example: string): number | null {
  if (text === undefined) return null;
  const ms = parseDurationMs(text);
  if (ms === null)
    throw new CommandError(exitCodes.usage, `${name} takes a length of time with its unit, such as ${example}.`);
  return ms;
}

async function witnessesOf({
  witness = [],
  quorum,
}: AuditVerifyOptions): Promise<Pick<VerifyOptions, 'witnesses' | 'quorum'>> {
  if (witness.length === 0 && quorum !== undefined)
    throw new CommandError(exitCodes.usage, '--quorum goes with --witness: who has to have signed.');
  if (witness.length === 0) return {};
  const lines = await keyLines(witness);
  const least = quorum === undefined ? lines.length : Number(quorum);
  if (!Number.isSafeInteger(least) || least < 1 || least > lines.length)
    throw new CommandError(
      exitCodes.usage,
      `--quorum takes a number from 1 to ${lines.length}, the witnesses that are named.`,
    );
  try {
    return { witnesses: lines.map((line) => WitnessKey.parse(line)), quorum: least };
  } catch (error) {
    throw new CommandError(exitCodes.usage, `--witness: ${messageOf(error)}`);
  }
}

async function keyLines(given: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(
    given.map(async (one) => (isKey(one) ? [one] : (await read(one)).toString().split(/\r?\n/))),
  );
  return [...new Set(texts.flat().filter((line) => line !== '' && !line.startsWith('#')))];
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandError(exitCodes.problems, `${path} cannot be read: ${messageOf(error)}`);
  }
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new CommandError(exitCodes.problems, `${path} cannot be written: ${messageOf(error)}`);
  }
}
