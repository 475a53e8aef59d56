/**
 * One recording on its way to disk: items are gathered into blocks, sealed, and written one after the other.
 *
 *   opening ─ key, header, first segment and audit entry are there ─→ open ─ close ─→ closed
 *      └──────────────── whatever cannot be written ─────────────────→ failed
 *
 * A block is sealed once and written once: where a write fails, the recording ends, and nothing is ever sealed again
 * under a nonce that was used.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, statfs } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import { recordingBlockBytes, recordingBlockBytesMax } from '../lib/limits.ts';
import type { RecordingEvents, RecordingLoss, RecordingTotals } from './events.ts';
import {
  blockHeaderBytes,
  blockKinds,
  blockTagBytes,
  deriveKeys,
  encodeItem,
  recordingDigest,
  sealBlock,
  segmentDigest,
  segmentHeader,
  segmentHeaderBytes,
} from './format.ts';
import type { BlockKind, Digest, RecordingKeys, StoredItem } from './format.ts';
import { keyContext, pathsOf } from './header.ts';
import type { RecordingHeader, RecordingPaths } from './header.ts';
import type { KeyWrapper } from './key-wrapper.ts';

const folderMode = 0o700;
const fileMode = 0o600;

export interface WriterOptions {
  readonly directory: string;
  readonly header: RecordingHeader;
  readonly wrapper: KeyWrapper;
  readonly events: RecordingEvents;
  readonly segmentBytesMax: number;
  /** Less than this is left alone: a disk that is full takes the audit log with it. */
  readonly freeBytesMin: number;
  /** Something changed in `state` or `queuedBytes`. */
  readonly changed: () => void;
  /** Bytes of all recordings that wait for the disk. */
  readonly pool: { bytes: number };
}

interface Counted {
  readonly items: number;
  readonly records: number;
  readonly itemBytes: number;
}

/** Parts of a file that are to be written. The counts are of the items that end in them. */
interface Chunk extends Counted {
  readonly segment: number;
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  readonly kind: BlockKind;
}

export class RecordingWriter {
  readonly header: RecordingHeader;
  readonly keys: RecordingKeys;
  readonly #options: WriterOptions;
  readonly #paths: RecordingPaths;
  readonly #dataKey: Buffer = randomBytes(32);
  #state: 'opening' | 'open' | 'closed' | 'failed' = 'opening';
  #failure = '';
  #ending = false;
  #pumping = false;
  /** Not sealed yet. */
  #plain: Buffer[] = [];
  #plainBytes = 0;
  #plainItems = { items: 0, records: 0, itemBytes: 0 };
  #segment = 1;
  #block = 0;
  /** Of the segment, with what is not written yet. */
  #segmentBytes = segmentHeaderBytes;
  #chunks: Chunk[] = [];
  #queued = 0;
  /** Of `queuedBytes`, what the pool knows of. */
  #pooled = 0;
  #file: FileHandle | null = null;
  #digest: Digest;
  readonly #digests: Buffer[] = [];
  readonly #written = { segments: 0, items: 0, records: 0, bytes: 0 };
  #working: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.header = options.header;
    this.#paths = pathsOf(options.directory, options.header.session, options.header.recording);
    this.keys = deriveKeys(this.#dataKey, options.header.recording);
    this.#digest = segmentDigest(this.keys, options.header.recording, 1).update(segmentHeader(1));
    this.#working = this.#open().then(
      () => this.#pump(),
      (error: unknown) => this.fail(messageOf(error)),
    );
  }

  get state(): 'opening' | 'open' | 'closed' | 'failed' {
    return this.#state;
  }

  /** Why it failed; empty where it did not. */
  get failure(): string {
    return this.#failure;
  }

  /** Bytes in memory that wait for the disk. */
  get queuedBytes(): number {
    return this.#plainBytes + this.#queued;
  }

  /** Takes an item, unless the recording has failed or is being closed. @returns whether it was taken */
  append(item: Omit<StoredItem, 'payload'> & { readonly payload: Buffer | null }): boolean {
    if (this.#state === 'failed' || this.#ending) return false;
    const bytes = encodeItem(item);
    // A segment begins with an item, so that each can be read by itself.
    if (this.#segmentBytes + this.#plainBytes > this.#options.segmentBytesMax) this.#seal(blockKinds.segmentEnd);
    for (let from = 0; from < bytes.length; from += recordingBlockBytesMax) {
      this.#plain.push(bytes.subarray(from, from + recordingBlockBytesMax));
      this.#plainBytes += Math.min(recordingBlockBytesMax, bytes.length - from);
      if (this.#plainBytes >= recordingBlockBytesMax) this.#seal(blockKinds.inner);
    }
    this.#plainItems.items += 1;
    this.#plainItems.records += item.records;
    this.#plainItems.itemBytes += bytes.length;
    if (this.#plainBytes >= recordingBlockBytes) this.#seal(blockKinds.inner);
    this.#pool();
    return true;
  }

  /** Lets what was taken go to disk now, however little it is. */
  flush(): void {
    if (this.#plainBytes > 0 && this.#state !== 'failed') this.#seal(blockKinds.inner);
  }

  /** Seals it. Resolves when all is on disk and told, or when it failed. Never rejects. */
  async close(): Promise<void> {
    if (!this.#ending && this.#state !== 'failed') {
      this.#ending = true;
      this.#seal(blockKinds.recordingEnd);
    }
    while (this.#state === 'opening' || this.#state === 'open') await this.#working;
  }

  /** Ends it where it is. */
  fail(cause: string): void {
    if (this.#state === 'failed' || this.#state === 'closed') return;
    this.#state = 'failed';
    this.#failure = cause;
    const lost = this.#lost();
    this.#chunks = [];
    this.#plain = [];
    this.#plainBytes = 0;
    this.#queued = 0;
    this.#pool();
    void this.#file?.close().catch(() => undefined);
    this.#file = null;
    this.#options.events.failed(this.header, cause, this.#totals(), lost);
    this.#options.changed();
  }

  async #open(): Promise<void> {
    const { directory, header, wrapper, events } = this.#options;
    const headerText = `${JSON.stringify(header, null, 2)}\n`;
    await mkdir(this.#paths.folder, { recursive: true, mode: folderMode });
    await mkdir(dirname(this.#paths.key), { recursive: true, mode: folderMode });
    await this.checkSpace();
    const wrapped = await wrapper.wrap(this.#dataKey, keyContext(headerText));
    // The key first: files that no key reads are of no use, and the header makes the recording seen.
    await writeWhole(this.#paths.key, `${JSON.stringify(wrapped, null, 2)}\n`);
    await writeWhole(this.#paths.header, headerText);
    await this.#beginSegment(1);
    await syncFolder(this.#paths.folder);
    await syncFolder(dirname(this.#paths.key));
    await syncFolder(directory);
    await events.started(header);
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#options.changed();
  }

  /** @throws where the disk has too little room left */
  async checkSpace(): Promise<void> {
    const { directory, freeBytesMin } = this.#options;
    const { bavail, bsize } = await statfs(directory);
    if (bavail * bsize < freeBytesMin)
      throw new Error(`less than ${freeBytesMin} bytes are free in ${directory} (recording.limits.minFree)`);
  }

  #seal(kind: BlockKind): void {
    const place = {
      recording: this.header.recording,
      segment: this.#segment,
      index: this.#block,
      kind,
      plainBytes: this.#plainBytes,
    };
    const parts = sealBlock(this.keys.blocks, place, this.#plain);
    const bytes = blockHeaderBytes + this.#plainBytes + blockTagBytes;
    this.#chunks.push({ segment: this.#segment, parts, bytes, kind, ...this.#plainItems });
    this.#queued += bytes;
    this.#segmentBytes += bytes;
    this.#plain = [];
    this.#plainBytes = 0;
    this.#plainItems = { items: 0, records: 0, itemBytes: 0 };
    this.#block += 1;
    if (kind === blockKinds.segmentEnd) {
      this.#segment += 1;
      this.#block = 0;
      this.#segmentBytes = segmentHeaderBytes;
    }
    if (this.#state === 'open' && !this.#pumping) this.#working = this.#pump();
  }

  /** Writes what is queued; one of it runs at a time. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#next(); next.length > 0 && this.#state === 'open'; next = this.#next()) {
        await this.#write(next);
        if (this.#state !== 'open') return;
        this.#chunks.splice(0, next.length);
        this.#queued -= bytesOf(next);
        this.#pool();
        this.#options.changed();
      }
    } catch (error) {
      this.fail(messageOf(error));
    } finally {
      this.#pumping = false;
    }
  }

  /** What goes to disk in one piece: up to a few blocks of one segment. */
  #next(): Chunk[] {
    let bytes = 0;
    const end = this.#chunks.findIndex(({ kind, bytes: own }) => {
      bytes += own;
      return kind !== blockKinds.inner || bytes >= recordingBlockBytesMax;
    });
    return this.#chunks.slice(0, end < 0 ? this.#chunks.length : end + 1);
  }

  async #write(chunks: readonly Chunk[]): Promise<void> {
    const file = this.#file;
    const last = chunks.at(-1);
    if (file === null || last === undefined) throw new Error('the segment is not open');
    const { kind, segment } = last;
    const parts = chunks.flatMap((chunk) => chunk.parts);
    for (const part of parts) this.#digest.update(part);
    await writeAll(file, parts, bytesOf(chunks));
    if (this.#state !== 'open') return;
    for (const { bytes, items, records } of chunks) {
      this.#written.bytes += bytes;
      this.#written.items += items;
      this.#written.records += records;
    }
    if (kind === blockKinds.inner) return;
    await file.sync();
    await file.close();
    this.#file = null;
    const digest = this.#digest.digest();
    this.#digests.push(digest);
    if (kind === blockKinds.segmentEnd) {
      this.#options.events.rotated(this.header, segment, this.#written.bytes, digest.toString('hex'));
      await this.checkSpace();
      await this.#beginSegment(segment + 1);
      return;
    }
    this.#state = 'closed';
    const whole = recordingDigest(this.keys, this.header.recording, this.#digests);
    this.#options.events.closed(this.header, this.#totals(), whole);
    this.#options.changed();
  }

  async #beginSegment(segment: number): Promise<void> {
    const header = segmentHeader(segment);
    const file = await open(this.#paths.segment(segment), 'wx', fileMode);
    this.#file = file;
    await writeAll(file, [header], header.length);
    if (segment > 1) this.#digest = segmentDigest(this.keys, this.header.recording, segment).update(header);
    this.#written.segments = segment;
    this.#written.bytes += header.length;
  }

  #pool(): void {
    this.#options.pool.bytes += this.queuedBytes - this.#pooled;
    this.#pooled = this.queuedBytes;
  }

  #totals(): RecordingTotals {
    return { ...this.#written };
  }

  #lost(): RecordingLoss {
    const waiting: readonly Counted[] = [...this.#chunks, this.#plainItems];
    const sum = (of: (one: Counted) => number): number => waiting.reduce((all, one) => all + of(one), 0);
    return { items: sum((one) => one.items), records: sum((one) => one.records), bytes: sum((one) => one.itemBytes) };
  }
}

function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function writeAll(file: FileHandle, parts: readonly Buffer[], bytes: number): Promise<void> {
  let left = [...parts];
  let written = 0;
  while (written < bytes) {
    const { bytesWritten } = await file.writev(left);
    if (bytesWritten <= 0) throw new Error('the disk takes nothing');
    written += bytesWritten;
    if (written < bytes) left = rest(left, bytesWritten);
  }
}

function rest(parts: readonly Buffer[], taken: number): Buffer[] {
  let skip = taken;
  return parts.flatMap((part) => {
    const from = Math.min(skip, part.length);
    skip -= from;
    return from < part.length ? [part.subarray(from)] : [];
  });
}

async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', fileMode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
