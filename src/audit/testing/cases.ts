/** Signed logs for the verifier and for retention: what is done to them, and what the verifier says then. */
import assert from 'node:assert/strict';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { signCheckpoint } from '../checkpoint/checkpoint.ts';
import type { SignerKey, VerifierKey } from '../checkpoint/keys.ts';
import { checkpointName } from '../checkpoint/store.ts';
import { entryProblem } from '../entry-shape.ts';
import type { TombstoneData } from '../events.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHash } from '../merkle/hash.ts';
import { verifyLog } from '../verify/verify.ts';
import type { VerifyOptions, VerifyReport } from '../verify/verify.ts';
import { checkpointsOf, entriesOf, linesOfLog, openSigned, publicKeyOf, runSigned, signedLog } from './signed-log.ts';
import type { OpenOptions, SignedLog } from './signed-log.ts';

export interface Case {
  readonly at: SignedLog;
  readonly keys: readonly [VerifierKey];
}

/** Three runs of eight entries each, a segment per run. */
export async function threeRuns(t: TestContext): Promise<Case> {
  const at = await signedLog(t);
  for (let run = 0; run < 3; run += 1) await runSigned(at, 6);
  return { at, keys: [await publicKeyOf(at)] };
}

/** What the verifier says in short: integrity, completeness, and what it found. */
export function said(report: VerifyReport): string[] {
  return [report.integrity, report.completeness, ...new Set(report.findings.map(({ code }) => code))];
}

export async function verified({ at, keys }: Case, options: VerifyOptions = {}): Promise<string[]> {
  return said(await verifyLog(at.log, { keys, ...options }));
}

/** Of the newest checkpoint. */
export async function newestPath(at: SignedLog): Promise<string> {
  const newest = (await checkpointsOf(at)).at(-1);
  return join(at.log, 'checkpoints', checkpointName(newest?.size ?? 0));
}

/** What someone does who has the folder and no key of ours: signs all that is there with his own. */
export async function signAnew(at: SignedLog, key: SignerKey): Promise<void> {
  const lines = await linesOfLog(at);
  const folder = join(at.log, 'checkpoints');
  for (const name of await readdir(folder)) if (name.endsWith('.checkpoint')) await rm(join(folder, name));
  const range = new CompactRange();
  for (const line of lines) range.append(leafHash(Buffer.from(line)));
  const head = { origin: key.verifier.name, size: range.size, root: range.root() };
  await writeFile(join(folder, checkpointName(range.size)), signCheckpoint(head, [key], (Date.now() / 1_000) | 0));
  await writeFile(join(folder, 'log.vkey'), `${key.verifier.text}\n`);
}

/** Everything that may go, goes. */
export const smallest: { readonly retention: { readonly maxBytes: number } } = { retention: { maxBytes: 1 } };

/** A run that removes what it may and nothing else. */
export async function retain(
  at: SignedLog,
  retention: OpenOptions['retention'] = smallest.retention,
): Promise<string[]> {
  const log = await openSigned(at, { ...(retention !== undefined && { retention }) });
  await log.durable();
  try {
    return (await log.retain()).removed.map(({ name }) => name);
  } finally {
    await log.close();
  }
}

export async function tombstonesOf(at: SignedLog): Promise<TombstoneData[]> {
  const entries = (await entriesOf(at)).filter(({ type }) => type.endsWith('.log.tombstone'));
  for (const entry of entries) assert.equal(entryProblem(entry), null);
  return entries.map(({ data }) => data as unknown as TombstoneData);
}

/**
 * Changes one bit of every `stride`th byte of each file, one at a time, and sees that the verifier finds each.
 * @param names within the log's folder @returns how many were tried
 */
export async function flipEach({ at, keys }: Case, names: readonly string[], stride: number): Promise<number> {
  let tried = 0;
  for (const name of names) {
    const path = join(at.log, name);
    const good = await readFile(path);
    for (let byte = 0; byte < good.length; byte += stride) {
      const bad = Buffer.from(good);
      bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte % 8));
      await writeFile(path, bad);
      const report = await verifyLog(at.log, { keys });
      assert.ok(
        report.integrity === 'broken' || report.completeness === 'incomplete',
        `${name}, byte ${byte}: ${said(report).join(' ')}`,
      );
      tried += 1;
    }
    await writeFile(path, good);
  }
  return tried;
}
