/** `--verified`: the log is verified, and the answer comes from lines that are held against those that were. */
import { createHash } from 'node:crypto';
import { verifyLog } from '../audit/audit.ts';
import type { VerifierKey } from '../audit/audit.ts';
import { messageOf } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';
import { createProgress } from './progress.ts';

export interface Verifying {
  /** Told of every line that the answer is made from. */
  readonly line: (line: Buffer) => void;
  /** @throws CommandError where those lines are not the ones that were signed */
  readonly hold: () => void;
}

/** @throws CommandError `altered`, `incomplete`, `unproved` as `sluice audit verify` has it */
export async function verifyFirst(directory: string, keys: readonly VerifierKey[]): Promise<Verifying> {
  const progress = createProgress();
  const verified = new LineDigest(Infinity);
  const report = await verifyLog(directory, {
    keys,
    onLine: (line) => verified.add(line),
    onProgress: ({ bytes, bytesTotal }) => progress.show(bytes, bytesTotal, 'verified'),
  })
    .catch((error: unknown) => {
      throw new CommandError(exitCodes.problems, `The log in ${directory} cannot be read: ${messageOf(error)}`);
    })
    .finally(() => progress.end());
  const { integrity, completeness, newest } = report;
  const say = '`sluice audit verify` says where';
  if (integrity === 'broken') throw new CommandError(exitCodes.altered, `Not answered: the log was altered; ${say}.`);
  if (completeness === 'incomplete')
    throw new CommandError(exitCodes.incomplete, `Not answered: entries are missing; ${say}.`);
  if (integrity !== 'intact' || newest === null)
    throw new CommandError(exitCodes.unproved, 'Not answered: no checkpoint of the log holds under the key.');
  const reported = completeness === 'gaps-reported' ? '; the gateway reported gaps' : '';
  const unsigned = report.unsigned > 0 ? `; ${report.unsigned} entries behind them are not signed yet` : '';
  const answered = new LineDigest(verified.lines);
  const wanted = verified.digest();
  return {
    line: (line) => answered.add(line),
    hold: () => {
      if (answered.lines !== verified.lines || answered.digest() !== wanted)
        throw new CommandError(exitCodes.altered, 'Not answered: the log changed after it was verified.');
      process.stderr.write(`Verified: ${newest.size} entries, signed at ${newest.time}${reported}${unsigned}.\n`);
    },
  };
}

/** A digest over lines as they are read; those beyond `linesMax` are passed over. */
class LineDigest {
  readonly #hash = createHash('sha256');
  readonly #linesMax: number;
  #lines = 0;

  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  get lines(): number {
    return this.#lines;
  }

  add(line: Buffer): void {
    if (this.#lines === this.#linesMax) return;
    this.#lines += 1;
    this.#hash.update(line).update('\n');
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
