/** The folder `checkpoints` beside the segments: one signed note per size, and where the tree stands. */
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { auditCheckpointFilesMax } from '../../lib/limits.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { isAnchor, parseCheckpoint } from './checkpoint.ts';

export const checkpointFolder = 'checkpoints';

const stateName = 'tree.json';
const namePattern = /^(\d{16})\.checkpoint$/;
const fileMode = 0o600;
/** Of the older half of too many checkpoints, one in so many stays. */
const thinning = 10;

/** A segment as far as it is in the tree. */
export interface SegmentInTree {
  readonly name: string;
  /** Index of its first entry in the tree. */
  readonly first: number;
  /** Up to the end of its last entry. */
  readonly bytes: number;
}

/** Where the tree stood when the last checkpoint was written. It saves reading the whole log at the start, and proves nothing. */
export interface TreeState {
  readonly range: CompactRange;
  readonly segments: readonly SegmentInTree[];
}

const count = z.int().nonnegative();
const stateShape = z.strictObject({
  size: count,
  hashes: z.array(z.base64()),
  segments: z.array(z.strictObject({ name: z.string(), first: count, bytes: count })),
});

/** `0000000000001234.checkpoint`: names sort by size. */
export function checkpointName(size: number): string {
  return `${String(size).padStart(16, '0')}.checkpoint`;
}

/** Sizes of the checkpoints in a log's folder, ascending. */
export async function checkpointSizes(directory: string): Promise<number[]> {
  const names = await readdir(join(directory, checkpointFolder)).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

export class CheckpointStore {
  readonly #folder: string;
  #sizes: number[] = [];
  #turn: Promise<void> = Promise.resolve();

  private constructor(folder: string, sizes: number[]) {
    this.#folder = folder;
    this.#sizes = sizes;
  }

  /** Makes the folder where it is missing. */
  static async open(directory: string): Promise<CheckpointStore> {
    const folder = join(directory, checkpointFolder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new CheckpointStore(folder, await checkpointSizes(directory));
  }

  /** The checkpoint of the largest tree, or `null`. */
  async newest(): Promise<{ readonly path: string; readonly bytes: Buffer } | null> {
    const size = this.#sizes.at(-1);
    if (size === undefined) return null;
    const path = join(this.#folder, checkpointName(size));
    return { path, bytes: await readFile(path) };
  }

  /** One after the other: a checkpoint is signed anew and cosigned at the same time. */
  write(size: number, note: string): Promise<void> {
    return this.#inTurn(() => this.#write(size, note));
  }

  /** Puts a witness's signature below those of a checkpoint, in place of its earlier one. */
  cosign(size: number, line: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#sizes.includes(size)) return;
      const note = await readFile(join(this.#folder, checkpointName(size)), 'utf8');
      const name = `— ${line.split(' ')[1] ?? ''} `;
      const kept = note
        .split('\n')
        .filter((each) => !each.startsWith(name))
        .join('\n');
      await this.#replace(checkpointName(size), `${kept}${line}\n`, true);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Cosignatures are over the text alone, which stays: they stay too. */
  async #cosignaturesOf(size: number, note: string): Promise<string> {
    if (this.#sizes.at(-1) !== size) return '';
    const before = await readFile(join(this.#folder, checkpointName(size)), 'utf8').catch(() => '');
    const cut = before.indexOf('\n\n') + 2;
    if (cut < 2 || before.slice(0, cut) !== note.slice(0, cut)) return '';
    const own = `— ${note.slice(0, note.indexOf('\n'))} `;
    const lines = before.slice(cut).split('\n');
    return lines
      .filter((line) => line !== '' && !line.startsWith(own))
      .map((line) => `${line}\n`)
      .join('');
  }

  async #write(size: number, note: string): Promise<void> {
    await this.#replace(checkpointName(size), note + (await this.#cosignaturesOf(size, note)), true);
    if (this.#sizes.at(-1) !== size) this.#sizes.push(size);
    if (this.#sizes.length > auditCheckpointFilesMax) await this.#thin();
  }

  /** `null` where it is missing or makes no sense: the tree is then made from the segments. */
  async readState(): Promise<TreeState | null> {
    try {
      const { size, hashes, segments } = stateShape.parse(
        JSON.parse(await readFile(join(this.#folder, stateName), 'utf8')),
      );
      const range = CompactRange.from(
        size,
        hashes.map((hash) => Buffer.from(hash, 'base64')),
      );
      return { range, segments };
    } catch {
      return null;
    }
  }

  writeState({ range, segments }: TreeState): Promise<void> {
    const hashes = range.hashes.map((hash) => Buffer.from(hash).toString('base64'));
    return this.#replace(stateName, JSON.stringify({ size: range.size, hashes, segments }), false);
  }

  writePublicKey(text: string): Promise<void> {
    return this.#replace('log.vkey', `${text}\n`, false);
  }

  /** Checkpoints whose trees end within a stretch that was removed: their roots can no longer be made. */
  async removeWithin(first: number, end: number): Promise<void> {
    await this.#remove(this.#sizes.filter((size) => first < size && size < end));
  }

  /** Files that are of no use any more, by name. */
  async removeFiles(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(join(this.#folder, name), { force: true });
  }

  /** By rename: a reader finds one whole text or the other, after a power cut too where it is `synced`. */
  async #replace(name: string, text: string, synced: boolean): Promise<void> {
    const draft = join(this.#folder, `${name}.new`);
    const file = await open(draft, 'w', fileMode);
    try {
      await file.writeFile(text);
      if (synced) await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, join(this.#folder, name));
  }

  async #thin(): Promise<void> {
    const older = this.#sizes.slice(0, this.#sizes.length / 2);
    await this.#remove(older.filter((_, index) => index % thinning !== 0));
  }

  async #remove(sizes: readonly number[]): Promise<void> {
    const gone = new Set<number>();
    for (const size of sizes) {
      if (await this.#isAnchor(size)) continue;
      await rm(join(this.#folder, checkpointName(size)), { force: true });
      gone.add(size);
    }
    this.#sizes = this.#sizes.filter((size) => !gone.has(size));
  }

  async #isAnchor(size: number): Promise<boolean> {
    try {
      return isAnchor(parseCheckpoint(await readFile(join(this.#folder, checkpointName(size)))));
    } catch {
      return false;
    }
  }
}
