/**
 * Where what is made from closed segments is kept so that questions are answered quickly: one Parquet file a segment, and
 * beside it a note of what it was made from. It is made anew where it is missing or does not match; the lines stay the
 * truth, and a log is verified from them alone.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, open, readFile, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '../read/file-digest.ts';
import { segmentNames } from '../segment-name.ts';

const folderName = 'index';
const folderMode = 0o700;
const fileMode = 0o600;

/** A file as it was when the note was written. */
export interface NotedFile {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  /** Inode, change time and modification time: a file of which these are the same is not read again to be compared. */
  readonly stamp: string;
}

export interface IndexNote {
  /** Digest of what makes rows of lines; another program makes its own. */
  readonly maker: string;
  /** Of the segment, as far as it is in the file. */
  readonly source: NotedFile;
  readonly parquet: NotedFile;
  readonly lines: number;
  readonly rows: number;
  /** When what is in it was, milliseconds since the epoch; both 0 where it has no rows. */
  readonly fromMs: number;
  readonly toMs: number;
}

const count = z.int().nonnegative();
const file = z.strictObject({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/), stamp: z.string() });
const noteShape: z.ZodType<IndexNote> = z.strictObject({
  maker: z.string(),
  source: file,
  parquet: file,
  lines: count,
  rows: count,
  fromMs: z.number(),
  toMs: z.number(),
});

export interface IndexFolder {
  readonly path: string;
  /** The Parquet file of a segment. */
  file(segment: string): string;
  /** What there is for a segment, where it was made by `maker` and is whole; `null` where there is nothing to be used. */
  read(segment: string, maker: string): Promise<IndexNote | null>;
  /** Puts a file that was made at `draft` in place. */
  put(segment: string, draft: string, note: Omit<IndexNote, 'parquet'>): Promise<IndexNote>;
  /** A name for a file that is being made; nobody else has it. */
  draft(segment: string): string;
  /** Removes what segments that are no longer there have left. */
  sweep(segments: readonly string[]): Promise<void>;
  /** Removes the folder where it is for one question only. */
  close(): Promise<void>;
}

/**
 * In the log's folder; where that cannot be written, in the user's cache; where neither can, for this once.
 *
 * @param fresh always for this once: nothing that was made before is taken
 */
export async function openIndexFolder(directory: string, fresh: boolean): Promise<IndexFolder> {
  const kept = fresh ? null : ((await usable(join(directory, folderName), directory)) ?? (await inCache(directory)));
  if (kept !== null) return folderAt(kept, async () => {});
  const path = await mkdtemp(join(tmpdir(), 'sluice-index-'));
  return folderAt(path, () => rm(path, { recursive: true, force: true }));
}

/** Changes with every write, and with every file that takes the place of another. */
export async function stampOf(path: string): Promise<string> {
  const { ino, ctimeNs, mtimeNs } = await stat(path, { bigint: true });
  return `${ino} ${ctimeNs} ${mtimeNs}`;
}

async function inCache(directory: string): Promise<string | null> {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const name = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex')
    .slice(0, 32);
  return usable(join(base, 'sluice', 'audit-index', name), base);
}

async function usable(path: string, parent: string): Promise<string | null> {
  try {
    await access(parent, constants.W_OK);
    await mkdir(path, { recursive: true, mode: folderMode });
    await access(path, constants.W_OK);
    return path;
  } catch {
    return null;
  }
}

function folderAt(path: string, close: () => Promise<void>): IndexFolder {
  const place = (segment: string, kind: 'parquet' | 'json'): string =>
    join(path, `${segment.replace(/\.jsonl$/, '')}.${kind}`);
  return {
    path,
    file: (segment) => place(segment, 'parquet'),
    draft: (segment) => `${place(segment, 'parquet')}.${process.pid}.new`,
    async read(segment, maker) {
      const note = await readNote(place(segment, 'json'));
      if (note === null || note.maker !== maker) return null;
      return (await isSame(place(segment, 'parquet'), note.parquet)) ? note : null;
    },
    async put(segment, draft, note) {
      const target = place(segment, 'parquet');
      const sha256 = await fileDigest(draft);
      const { size } = await stat(draft);
      await chmod(draft, fileMode);
      await rename(draft, target);
      const whole = { ...note, parquet: { bytes: size, sha256, stamp: await stampOf(target) } };
      await replace(place(segment, 'json'), JSON.stringify(whole));
      return whole;
    },
    async sweep(segments) {
      const wanted = new Set(segments.flatMap((segment) => [place(segment, 'parquet'), place(segment, 'json')]));
      for (const name of await readdir(path)) {
        const own = segmentNames([name.replace(/\.(parquet|json)(\.\d+\.new)?$/, '.jsonl')]).length === 1;
        if (own && !name.endsWith('.new') && !wanted.has(join(path, name))) await rm(join(path, name), { force: true });
      }
    },
    close,
  };
}

async function readNote(path: string): Promise<IndexNote | null> {
  try {
    return noteShape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Whether a file is what was noted of it. It is read where its stamp is another. */
async function isSame(path: string, noted: NotedFile): Promise<boolean> {
  try {
    if ((await stat(path)).size !== noted.bytes) return false;
    return (await stampOf(path)) === noted.stamp || (await fileDigest(path)) === noted.sha256;
  } catch {
    return false;
  }
}

/** By rename: a reader finds one whole text or the other. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  const handle = await open(draft, 'w', fileMode);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
  await rename(draft, path);
}
