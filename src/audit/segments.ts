import type { Clock } from '../lib/clock.ts';
import type { LogFiles, SegmentFile } from './files.ts';
import { nextSegmentName } from './segment-name.ts';

/** A segment whose end could not be cleaned after a failed write: bytes after `completeBytes` are no entries. */
export interface Leftover {
  readonly segment: string;
  readonly completeBytes: number;
}

export interface SegmentEnd {
  readonly name: string;
  /** Bytes that are on disk for certain. */
  readonly bytes: number;
}

interface OpenSegment {
  readonly name: string;
  readonly file: SegmentFile;
  /** Bytes that are on disk for certain. */
  durableBytes: number;
}

/**
 * Batches into append-only segments. A batch is on disk when `write` resolves, and not in the log when it rejects:
 * the caller writes it again. After a failure the segment is never written again, because a kernel may forget pages
 * whose sync failed, and report success the next time.
 */
export class Segments {
  readonly #files: LogFiles;
  readonly #clock: Clock;
  readonly #segmentBytesMax: number;
  #lastName: string;
  #open: OpenSegment | null = null;
  #leftovers: Leftover[] = [];

  constructor(files: LogFiles, lastName: string, clock: Clock, segmentBytesMax: number) {
    this.#files = files;
    this.#lastName = lastName;
    this.#clock = clock;
    this.#segmentBytesMax = segmentBytesMax;
  }

  /** @returns where the batch ends */
  async write(batch: Uint8Array): Promise<SegmentEnd> {
    const segment = await this.#segmentFor(batch.length);
    try {
      await segment.file.write(batch);
      await segment.file.sync();
      segment.durableBytes += batch.length;
      return { name: segment.name, bytes: segment.durableBytes };
    } catch (cause) {
      this.#open = null;
      await this.#abandon(segment);
      throw cause;
    }
  }

  /** What failed writes left on disk since the last call. */
  takeLeftovers(): Leftover[] {
    const leftovers = this.#leftovers;
    this.#leftovers = [];
    return leftovers;
  }

  async close(): Promise<void> {
    await this.#closeSegment();
    await this.#files.release();
  }

  async #segmentFor(batchBytes: number): Promise<OpenSegment> {
    const current = this.#open;
    if (current !== null && current.durableBytes + batchBytes <= this.#segmentBytesMax) return current;
    await this.#closeSegment();
    const name = nextSegmentName(this.#lastName, this.#clock.nowMs());
    // Remembered before it exists: a name that failed once is not tried again.
    this.#lastName = name;
    const file = await this.#files.create(name);
    this.#open = { name, file, durableBytes: 0 };
    return this.#open;
  }

  async #closeSegment(): Promise<void> {
    const segment = this.#open;
    this.#open = null;
    await segment?.file.close();
  }

  /** Takes back what was never acknowledged; what cannot be taken back for certain is reported. */
  async #abandon(segment: OpenSegment): Promise<void> {
    let clean = true;
    try {
      await segment.file.truncate(segment.durableBytes);
      await segment.file.sync();
    } catch {
      clean = false;
    }
    await segment.file.close().catch(() => undefined);
    if (segment.durableBytes === 0) clean = await this.#removed(segment.name);
    if (!clean) this.#leftovers.push({ segment: segment.name, completeBytes: segment.durableBytes });
  }

  #removed(name: string): Promise<boolean> {
    return this.#files.remove(name).then(
      () => true,
      () => false,
    );
  }
}
