/**
 * Removes segments by policy, so that the log can be verified without them:
 *
 *   plan ─→ read them once more: are they what was signed? ─→ tombstones into the log, on disk ─→ a checkpoint over them
 *        ─→ a permit by the log's key ─→ the tree's state without them ─→ their files go, oldest first
 *
 * A crash between any two steps leaves a log that verifies: the files go only when everything else is on disk.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { RetentionSettings } from '../../model/settings.ts';
import type { Checkpointer } from '../checkpoint/checkpointer.ts';
import type { SignerKey, VerifierKey } from '../checkpoint/keys.ts';
import { mustBePermitted, permitName, writePermit } from '../checkpoint/permits.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import { auditEvent } from '../draft.ts';
import type { EntryDraft } from '../draft.ts';
import type { TombstoneData } from '../events.ts';
import { syncFolder } from '../files.ts';
import { listSegments } from '../read/segments.ts';
import { logSteps } from '../read/steps.ts';
import { covers, endOf, findTombstones } from '../read/tombstones.ts';
import type { Tombstone } from '../read/tombstones.ts';
import { planRetention } from './plan.ts';
import type { RetentionPlan } from './plan.ts';
import { makeTombstones } from './tombs.ts';

export interface RetainerParts {
  readonly directory: string;
  readonly settings: RetentionSettings;
  readonly checkpointer: Checkpointer;
  readonly store: CheckpointStore;
  /** The key in force, and all that the log was ever signed with. */
  readonly key: SignerKey;
  readonly keys: readonly VerifierKey[];
  readonly append: (draft: EntryDraft) => string;
  readonly durable: () => Promise<void>;
  readonly status: () => { readonly writable: boolean; readonly lost: number };
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RetentionResult extends Pick<RetentionPlan, 'held' | 'kept'> {
  readonly removed: RetentionPlan['remove'];
}

/** Names of files that are made from a segment begin with its own name without the ending. */
const derivedFolders = ['', 'index', 'derived'];

export class Retainer {
  readonly #parts: RetainerParts;
  #running: Promise<RetentionResult> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failing = false;

  constructor(parts: RetainerParts) {
    this.#parts = parts;
  }

  /** Looks every `everyMs`; what fails is logged, and nothing is removed then. */
  start(): void {
    const { everyMs } = this.#parts.settings;
    this.#timer = setInterval(() => void this.#look(), everyMs).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  /** @throws SluiceError `hold-malformed`, `hold-unreadable`, `audit-tree-broken`, `audit-unavailable`; system errors */
  run(): Promise<RetentionResult> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #look(): Promise<void> {
    const { logger } = this.#parts;
    try {
      const { removed, held } = await this.run();
      if (removed.length > 0)
        logger.info({ segments: removed.length, held: held.length }, 'old segments of the audit log were removed');
      this.#failing = false;
    } catch (cause) {
      if (!this.#failing) logger.error({ cause: messageOf(cause) }, 'retention of the audit log removes nothing');
      this.#failing = true;
    }
  }

  async #run(): Promise<RetentionResult> {
    const { directory, settings, clock, checkpointer } = this.#parts;
    const signed = await checkpointer.sign();
    const mayGo = closedAndSigned(checkpointer, signed);
    const plan = await planRetention(await listSegments(directory), settings, clock.nowMs(), mayGo);
    const { held, kept } = plan;
    if (plan.remove.length === 0) return { removed: [], held, kept };
    const log = await logSteps(directory);
    await mustBePermitted(directory, log.needed, this.#parts.keys);
    const going = new Set(plan.remove.map(({ name }) => name));
    const { keys } = this.#parts;
    const tombs = await makeTombstones(directory, log.steps, going, keys, policyText(settings));
    const removed = plan.remove.filter(({ name }) => tombs.some((data) => covers(data, name)));
    const written = await this.#write(tombs);
    await checkpointer.forget(new Set(removed.map(({ name }) => name)));
    await this.#remove(written, log.tombstones);
    return { removed, held, kept };
  }

  /** The tombstones as they are on disk, under a checkpoint, each with its permit. */
  async #write(tombs: readonly TombstoneData[]): Promise<Tombstone[]> {
    const { directory, checkpointer, key, clock, append, durable, status } = this.#parts;
    const { lost } = status();
    const from = checkpointer.segments.at(-1)?.name ?? '';
    const ids = tombs.map((data) => append(auditEvent('log.tombstone', data, `segment/${data.last_segment}`)));
    await durable();
    if (!status().writable || status().lost !== lost) throw unsigned();
    const size = checkpointer.size;
    if ((await checkpointer.sign()) < size) throw unsigned();
    // From the disk: what is not read back is not relied on.
    const segments = (await listSegments(directory)).filter(({ name }) => name >= from);
    const written = (await findTombstones(segments)).filter(({ id }) => ids.includes(id));
    if (written.length !== tombs.length) throw unsigned();
    for (const tombstone of written) await writePermit(directory, tombstone, key, Math.floor(clock.nowMs() / 1_000));
    await syncFolder(join(directory, 'checkpoints'));
    return written;
  }

  /** All files of the stretches: segments and what was made from them, permits of older tombstones, checkpoints within. */
  async #remove(written: readonly Tombstone[], before: readonly Tombstone[]): Promise<void> {
    const { directory, store } = this.#parts;
    const segments = (await listSegments(directory)).filter(({ name }) =>
      written.some(({ data }) => covers(data, name)),
    );
    for (const { name, path } of segments) {
      await rm(path, { force: true });
      await removeDerived(directory, name.replace(/\.jsonl$/, ''));
    }
    await syncFolder(directory);
    for (const { data } of written) await store.removeWithin(data.first_index, endOf(data));
    const within = (old: Tombstone): boolean =>
      written.some(({ data }) => data.first_index <= old.data.first_index && endOf(old.data) <= endOf(data));
    await store.removeFiles(before.filter(within).map(permitName));
  }
}

function closedAndSigned(checkpointer: Checkpointer, signedSize: number): (name: string) => boolean {
  const { segments } = checkpointer;
  const known = new Map(segments.map(({ name }, at) => [name, segments[at + 1]?.first]));
  const last = segments.at(-1)?.name ?? '';
  return (name) => {
    // Files that are in the folder and not in the tree any more were to go before a crash.
    if (!known.has(name)) return name < last;
    return (known.get(name) ?? Infinity) <= signedSize;
  };
}

function policyText({ keepMs, maxBytes }: RetentionSettings): string {
  const days = keepMs === undefined ? [] : [`keep ${Math.round(keepMs / 1_000)}s`];
  return [...days, ...(maxBytes === undefined ? [] : [`maxBytes ${maxBytes}`])].join(', ');
}

async function removeDerived(directory: string, stem: string): Promise<void> {
  for (const folder of derivedFolders) {
    const names = await readdir(join(directory, folder)).catch(() => []);
    const derived = names.filter((name) => name.startsWith(`${stem}.`));
    for (const name of derived) await rm(join(directory, folder, name), { recursive: true, force: true });
  }
}

function unsigned(): SluiceError<'audit-unavailable'> {
  return new SluiceError(
    'audit-unavailable',
    'Nothing of the audit log is removed: the entry about it could not be written and signed.',
    { retriable: true },
  );
}
