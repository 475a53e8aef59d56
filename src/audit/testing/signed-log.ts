/** Signed logs for tests, written by the gateway's own writer. */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Entry } from '../../model/entry.ts';
import type { CheckpointSettings, RetentionSettings } from '../../model/settings.ts';
import { auditEvent, openAuditLog } from '../audit.ts';
import type { AuditLog, OwnedAuditLog } from '../audit.ts';
import { parseCheckpoint } from '../checkpoint/checkpoint.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { VerifierKey } from '../checkpoint/keys.ts';
import type { LogFiles } from '../files.ts';

/** A log's folder and the file of its key. */
export interface SignedLog {
  readonly log: string;
  readonly key: string;
}

export interface OpenOptions extends Partial<CheckpointSettings> {
  readonly logger?: Logger;
  readonly segmentBytesMax?: number;
  readonly files?: LogFiles;
  readonly retention?: Partial<RetentionSettings>;
}

/** A place for one; removed when the test ends. */
export async function signedLog(t: TestContext): Promise<SignedLog> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return { log: join(folder, 'audit'), key: join(folder, 'audit-key') };
}

/** Signed at the start and the end only, unless told otherwise. */
export function openSigned({ log, key }: SignedLog, options: OpenOptions = {}): Promise<OwnedAuditLog> {
  const { logger = silentLogger, segmentBytesMax, files, retention, ...others } = options;
  const checkpoint = { everyMs: 60_000, entries: 1_000_000, keyFile: key, ...others };
  const base = { directory: log, mode: 'strict', gatewayId: 'gw 1', clock: systemClock, logger, checkpoint } as const;
  const kept = { retention: { everyMs: 3_600_000, hold: [], ...retention } };
  const all = { ...base, ...(retention !== undefined && kept) };
  const bounds = { retryMs: 5, ...(segmentBytesMax !== undefined && { segmentBytesMax }) };
  return openAuditLog(all, files, bounds);
}

export async function writeEntries(log: AuditLog, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    log.append(auditEvent('gateway.stopped', { reason: `n${i}` }));
    if (i % 3 === 0) await log.durable();
  }
  await log.durable();
}

/** One run of a gateway from its start to its end: `count` entries and those about the log. */
export async function runSigned(at: SignedLog, count: number, options: OpenOptions = {}): Promise<void> {
  const log = await openSigned(at, options);
  await writeEntries(log, count);
  await log.close();
}

export async function segmentsOf(at: SignedLog): Promise<string[]> {
  return (await readdir(at.log)).filter((name) => name.endsWith('.jsonl')).sort();
}

export async function linesOfLog(at: SignedLog): Promise<string[]> {
  const texts = await Promise.all((await segmentsOf(at)).map((name) => readFile(join(at.log, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').slice(0, -1));
}

export async function entriesOf(at: SignedLog): Promise<Entry[]> {
  return (await linesOfLog(at)).map((line) => JSON.parse(line) as Entry);
}

/** Ascending by size. */
export async function checkpointsOf(at: SignedLog): Promise<Checkpoint[]> {
  const folder = join(at.log, 'checkpoints');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.checkpoint')).sort();
  return Promise.all(names.map(async (name) => parseCheckpoint(await readFile(join(folder, name)))));
}

/** The key that an auditor would have pinned. */
export async function publicKeyOf(at: SignedLog): Promise<VerifierKey> {
  return VerifierKey.parse((await readFile(join(at.log, 'checkpoints', 'log.vkey'), 'utf8')).trimEnd());
}
