import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { auditCheckpointSpacingMs } from '../../lib/limits.ts';
import type { Logger } from '../../lib/logger.ts';
import { typePrefix } from '../envelope.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHashesOf } from '../merkle/hash.ts';
import { signCheckpoint } from './checkpoint.ts';
import type { SignerKey } from './keys.ts';
import type { CheckpointPush } from './push.ts';
import type { Witnesses } from './witnesses.ts';
import type { CheckpointStore, SegmentInTree, TreeState } from './store.ts';
import type { Lines } from '../line-queue.ts';

export interface CheckpointerOptions {
  readonly store: CheckpointStore;
  readonly push: CheckpointPush | null;
  readonly witnesses: Witnesses | null;
  /** The key in force, and the one before it as long as a change of keys is not signed by both. */
  readonly key: SignerKey;
  readonly retiring: SignerKey | null;
  readonly everyMs: number;
  /** A checkpoint is made once so many entries are not in one yet. */
  readonly entries: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const keyChanged = `"type":"${typePrefix}log.key-changed"`;

/**
 * Keeps the tree of the entries that are on disk, and signs it: every `everyMs` (also where nothing was added: the
 * time in the signature then says that the log still ends there), after `entries` entries but not more than once a
 * second, and at the end. Hashing happens while the batch is on its way to disk; signing and writing beside it.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #range: CompactRange;
  readonly #segments: SegmentInTree[];
  #retiring: SignerKey | null;
  /** Where in the tree the change of keys stands, once it does. */
  #keyChangedAt: number | null = null;
  #signedSize = -1;
  /** The tree as it was signed last. */
  #signed: TreeState;
  #signedAtMs = 0;
  #writing: Promise<void> | null = null;
  #failing = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(state: TreeState, options: CheckpointerOptions) {
    this.#options = options;
    this.#retiring = options.retiring;
    this.#range = CompactRange.from(state.range.size, state.range.hashes);
    this.#signed = state;
    this.#segments = [...state.segments];
    this.#timer = setInterval(() => void this.#sign(), options.everyMs).unref();
  }

  /** Entries in the tree. */
  get size(): number {
    return this.#range.size;
  }

  /** Hashes lines that are on their way to disk. The result is for `committed`, once they are there. */
  prepare({ bytes, count }: Lines): Buffer {
    if (this.#retiring !== null) {
      const at = bytes.indexOf(keyChanged);
      if (at !== -1) this.#keyChangedAt = this.#range.size + lineEndsIn(bytes.subarray(0, at));
    }
    return leafHashesOf(bytes, count);
  }

  /** @param bytes of the segment up to the end of these lines */
  committed(leaves: Buffer, segment: string, bytes: number): void {
    const last = this.#segments.at(-1);
    const first = last?.name === segment ? last.first : this.#range.size;
    if (last?.name === segment) this.#segments.pop();
    this.#segments.push({ name: segment, first, bytes });
    const { witnesses } = this.#options;
    this.#range.appendLeaves(leaves);
    witnesses?.add(leaves);
    const waiting = this.#range.size - this.#signedSize;
    const spaced = this.#options.clock.nowMs() - this.#signedAtMs >= auditCheckpointSpacingMs;
    // The first entries of a run at once: until then nothing proves that it began.
    if (this.#signedSize === -1 || (waiting >= this.#options.entries && spaced)) void this.#sign();
  }

  /** Segments as far as they are in the tree, oldest first; the last one may be written yet. */
  get segments(): readonly SegmentInTree[] {
    return [...this.#segments];
  }

  /** Signs what is on disk now. @returns entries under the newest checkpoint that is on disk */
  async sign(): Promise<number> {
    // One that is being written may be older than what the caller asks for.
    await this.#writing;
    await this.#sign();
    return this.#signedSize;
  }

  /** Segments that retention is about to remove are no longer looked for at the next start. @throws system errors */
  async forget(names: ReadonlySet<string>): Promise<void> {
    await this.#writing;
    const stays = ({ name }: SegmentInTree): boolean => !names.has(name);
    this.#segments.splice(0, this.#segments.length, ...this.#segments.filter(stays));
    this.#signed = { range: this.#signed.range, segments: this.#signed.segments.filter(stays) };
    await this.#options.store.writeState(this.#signed);
  }

  /** The last checkpoint, over everything that is on disk. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#writing;
    await this.#sign();
    await Promise.all([this.#options.push?.close(), this.#options.witnesses?.close()]);
  }

  #sign(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { key, store, push, clock, logger } = this.#options;
    const range = CompactRange.from(this.#range.size, this.#range.hashes);
    const segments = [...this.#segments];
    const nowMs = clock.nowMs();
    const signers = this.#retiring === null ? [key] : [this.#retiring, key];
    const head = { origin: key.verifier.name, size: range.size, root: range.root() };
    try {
      // Before the change of keys is in the tree, only the old key speaks for it.
      const early = this.#retiring !== null && (this.#keyChangedAt ?? Infinity) >= range.size;
      const note = signCheckpoint(head, early ? signers.slice(0, 1) : signers, Math.floor(nowMs / 1_000));
      await store.write(range.size, note);
      if (range.size !== this.#signedSize) {
        await store.writeState({ range, segments });
        push?.push(range.size, note);
      }
      this.#options.witnesses?.ask(range.size, note);
      this.#signedSize = range.size;
      this.#signed = { range, segments };
      this.#signedAtMs = nowMs;
      if (!early) this.#retiring = null;
      if (this.#failing) logger.info({}, 'checkpoints of the audit log can be written again');
      this.#failing = false;
    } catch (cause) {
      if (!this.#failing) logger.error({ cause: messageOf(cause) }, 'a checkpoint of the audit log cannot be written');
      this.#failing = true;
    }
  }
}

function lineEndsIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf('\n'); at !== -1; at = bytes.indexOf('\n', at + 1)) count += 1;
  return count;
}
