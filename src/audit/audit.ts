/** The door of the audit part: entries in, lines on disk out, signed as a Merkle tree. */
import type { Clock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import {
  auditBatchBytesMax,
  auditQueueBytesHardMax,
  auditQueueBytesMax,
  auditSegmentBytesMax,
  auditStallMs,
} from '../lib/limits.ts';
import type { Logger } from '../lib/logger.ts';
import type { CheckpointSettings, RetentionSettings } from '../model/settings.ts';
import { AccessIntake } from './access/intake.ts';
import { mustBeDurable } from './catalogue.ts';
import { openTree } from './checkpoint/open.ts';
import type { OpenedTree } from './checkpoint/open.ts';
import type { TopicSender } from './checkpoint/push.ts';
import type { EntryDraft } from './draft.ts';
import { openFolder } from './files.ts';
import type { LogFiles } from './files.ts';
import { recoveries } from './recovery.ts';
import { Retainer } from './retention/retainer.ts';
import type { RetentionResult } from './retention/retainer.ts';
import { Segments } from './segments.ts';
import type { SinkStatus } from './sinks/courier.ts';
import { AuditWriter } from './writer.ts';
import type { WriterBounds } from './writer.ts';

export { leaveEntry } from './access/spool.ts';
export { canonicalText, constantData } from './canonical-json.ts';
export { auditEvent } from './draft.ts';
export type { EntryDraft } from './draft.ts';
export type * from './events.ts';
export { catalogue, renderEntry } from './catalogue.ts';
export { describeEvents, describeSession } from './describe.ts';
export { codeOf, entryProblem } from './entry-shape.ts';
export { RemoteAuditLog } from './remote-log.ts';
export type { AuditBatch, AuditReceipt } from './remote-log.ts';
export { parseCheckpoint } from './checkpoint/checkpoint.ts';
export type { Checkpoint } from './checkpoint/checkpoint.ts';
export { addKey, readKeyFile } from './checkpoint/key-file.ts';
export { VerifierKey } from './checkpoint/keys.ts';
export { WitnessKey } from './checkpoint/witness-key.ts';
export { outcomes } from './query/filter.ts';
export type { EntryFacts, Outcome, QueryFilter } from './query/filter.ts';
export { openQuestions } from './query/ask.ts';
export type { AskOptions, Questions } from './query/ask.ts';
export { columns as queryColumns } from './query/columns.ts';
export type { Column } from './query/columns.ts';
export type { Answer } from './query/engine.ts';
export { queryLog } from './query/query.ts';
export type { FoundEntry } from './query/query.ts';
export type { TopicSender } from './checkpoint/push.ts';
export type { SinkStatus } from './sinks/courier.ts';
export { exportLog } from './export/export.ts';
export { bucketTarget, fileTarget, topicTarget, webhookTarget } from './export/targets.ts';
export type { ExportTarget, FileFormat } from './export/targets.ts';
export { previewRetention } from './retention/preview.ts';
export type { RetentionPlan } from './retention/plan.ts';
export type { RetentionResult } from './retention/retainer.ts';
export { proveEntry, verifyProof } from './verify/prove.ts';
export type { Proof, ProofReport } from './verify/prove.ts';
export { verifyLog } from './verify/verify.ts';
export type { VerifyOptions, VerifyReport } from './verify/verify.ts';

export interface AuditStatus {
  /** Whether the last write worked. */
  readonly writable: boolean;
  /** More waits for the disk than `auditQueueBytesMax`: in strict mode wait for `durable()` before going on. */
  readonly backlogged: boolean;
  /** Entries lost so far. */
  readonly lost: number;
  /** Entries appended so far, lost ones included. */
  readonly entries: number;
}

export interface AuditLog {
  /** Queues an entry and returns its id; order is kept. */
  append(draft: EntryDraft): string;
  /**
   * Resolves when every entry appended before the call is on disk (fsync). In `available` mode it resolves as well
   * where the disk cannot be written: the entries stay queued, and those that the queue cannot hold are counted.
   * @throws SluiceError `audit-unavailable` in strict mode where it cannot be written
   */
  durable(): Promise<void>;
  /** One object for the life of the log, kept current: asking on the hot path costs nothing. */
  status(): AuditStatus;
  /** Writes what is queued and a last `log.closed`. Entries appended later are lost. */
  close(): Promise<void>;
}

/** The log with what its owner alone does. */
export interface OwnedAuditLog extends AuditLog {
  /**
   * Removes what the policy lets go, now. @throws SluiceError `retention-off`, `hold-malformed`, `hold-unreadable`,
   * `audit-tree-broken`, `audit-unavailable`: then nothing is removed
   */
  retain(): Promise<RetentionResult>;
  /** How checkpoints fare on their way to other places. */
  sinks(): readonly SinkStatus[];
}

export interface AuditLogOptions {
  /** Made where it is missing (mode 0700); one gateway's alone. */
  readonly directory: string;
  readonly mode: 'strict' | 'available';
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How the log is signed; absent: it is not, and nobody can prove anything with it. */
  readonly checkpoint?: CheckpointSettings;
  /** What is kept; absent: everything. Only of a log that is signed. */
  readonly retention?: RetentionSettings;
  /** Writes into topics, for checkpoints that go into one. */
  readonly sendToTopic?: TopicSender;
}

const defaultBounds: WriterBounds = {
  queueBytesMax: auditQueueBytesMax,
  queueBytesHardMax: auditQueueBytesHardMax,
  batchBytesMax: auditBatchBytesMax,
  stallMs: auditStallMs,
  retryMs: 100,
  retryMsMax: 5_000,
};

/**
 * Opens the log: JSON lines in append-only segments `audit-YYYYMMDD-HHMMSS-NNN.jsonl`, a new one for each run and
 * whenever one is full. What an earlier run left unfinished stays as it is and is reported with `log.recovered`.
 *
 * @param files tests put their own here to make the disk fail
 * @throws SluiceError in either mode: `audit-unavailable` where the folder cannot be made or read, `audit-key-unusable`,
 *   `audit-tree-broken` where the log cannot go on as the one that was signed
 */
export async function openAuditLog(
  options: AuditLogOptions,
  files?: LogFiles,
  bounds: Partial<WriterBounds & { readonly segmentBytesMax: number }> = {},
): Promise<OwnedAuditLog> {
  let folder: LogFiles | null = null;
  try {
    folder = files ?? (await openFolder(options.directory));
    return await openIn(folder, options, bounds);
  } catch (cause) {
    await folder?.release();
    if (cause instanceof SluiceError && ownErrors.includes(String(cause.code))) throw cause;
    throw new SluiceError(
      'audit-unavailable',
      `The audit folder ${options.directory} cannot be used: ${messageOf(cause)}. Give the gateway's user a folder of its own there.`,
      { cause },
    );
  }
}

/** Errors that say themselves what to do. */
const ownErrors: readonly string[] = ['audit-key-unusable', 'audit-tree-broken'];

async function openIn(
  folder: LogFiles,
  options: AuditLogOptions,
  bounds: Partial<WriterBounds & { readonly segmentBytesMax: number }>,
): Promise<OwnedAuditLog> {
  const names = await folder.list();
  const found = await recoveries(folder);
  const segmentBytesMax = bounds.segmentBytesMax ?? auditSegmentBytesMax;
  const segments = new Segments(folder, names.at(-1) ?? '', options.clock, segmentBytesMax);
  // Places that fail are told of in the log; nothing is sent before it is there.
  const report = (draft: EntryDraft): void => void writer.append(draft);
  const context = { ...options, report };
  const tree = options.checkpoint === undefined ? null : await openTree(options.directory, options.checkpoint, context);
  const follower = tree?.checkpointer ?? null;
  const all = { ...defaultBounds, ...bounds };
  const writer: AuditWriter = new AuditWriter({ ...options, segments, bounds: all, follower, mustBeDurable });
  for (const draft of found) {
    options.logger.warn(
      { report: JSON.stringify(draft.data) },
      'an earlier run of the gateway did not close its audit log',
    );
    writer.append(draft);
  }
  for (const draft of tree?.drafts ?? []) writer.append(draft);
  const retainer = retainerFor(options, tree, writer);
  retainer?.start();
  const intake = new AccessIntake(options.directory, writer, options.logger);
  return {
    append: (draft) => writer.append(draft),
    durable: () => writer.durable(),
    status: () => writer.status(),
    sinks: () => tree?.sinks() ?? [],
    retain: () => retainer?.run() ?? Promise.reject(retentionOff()),
    close: async () => {
      await retainer?.stop();
      await intake.close();
      await writer.close();
    },
  };
}

function retainerFor(options: AuditLogOptions, tree: OpenedTree | null, writer: AuditWriter): Retainer | null {
  const { directory, retention: settings, clock, logger } = options;
  if (tree === null || settings === undefined) return null;
  return new Retainer({
    ...tree,
    directory,
    settings,
    clock,
    logger,
    append: (draft) => writer.append(draft),
    durable: () => writer.durable(),
    status: () => writer.status(),
  });
}

function retentionOff(): SluiceError<'retention-off'> {
  return new SluiceError('retention-off', 'Everything is kept: audit.retention says nothing of what may go.');
}
