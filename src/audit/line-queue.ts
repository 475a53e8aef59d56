/** Lines of the log in the order in which they were appended, each with its line end, as the bytes that a file takes. */
export interface Lines {
  readonly bytes: Buffer;
  readonly count: number;
}

interface Chunk {
  readonly bytes: Buffer;
  used: number;
  lines: number;
}

/** UTF-8 takes at most so many bytes for a UTF-16 code unit. */
const bytesPerUnitMax = 3;
/** At most so many chunks wait for their next use: one fills up while another is on its way to disk. */
const sparesMax = 2;

/**
 * Entries until they are written. Each line is put where it is written from at once, and its text can go: what waits
 * costs its bytes, and a batch is taken without a copy.
 */
export class LineQueue {
  readonly #chunkBytes: number;
  #chunks: Chunk[] = [];
  #last: Chunk | null = null;
  #spares: Buffer[] = [];

  /** @param chunkBytes most bytes of what `take` gives, but for a single longer line */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** @param line with its line end @returns its bytes */
  add(line: string): number {
    let chunk = this.#last;
    if (chunk === null || !fits(line, chunk)) chunk = this.#begin(line);
    const bytes = chunk.bytes.write(line, chunk.used);
    chunk.used += bytes;
    chunk.lines += 1;
    return bytes;
  }

  /** Where a line may be made in place, from `used` on; `null` where a chunk has to be begun with `add`. */
  get open(): Readonly<Chunk> | null {
    return this.#last;
  }

  /** A line was made there. @param end behind its line end @returns its bytes */
  addMade(end: number): number {
    const chunk = this.#last;
    if (chunk === null || end <= chunk.used || end > chunk.bytes.length) throw new RangeError('no line was made there');
    const bytes = end - chunk.used;
    chunk.used = end;
    chunk.lines += 1;
    return bytes;
  }

  /** The oldest lines; `null` where there are none. What was taken goes back with `release`. */
  take(): Lines | null {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return null;
    if (chunk === this.#last) this.#last = null;
    return { bytes: chunk.bytes.subarray(0, chunk.used), count: chunk.lines };
  }

  /** The lines are on disk. Nobody may hold on to their bytes. */
  release({ bytes }: Lines): void {
    if (bytes.buffer.byteLength !== this.#chunkBytes || this.#spares.length >= sparesMax) return;
    this.#spares.push(Buffer.from(bytes.buffer));
  }

  #begin(line: string): Chunk {
    const long = line.length * bytesPerUnitMax > this.#chunkBytes;
    const bytesNeeded = long ? Buffer.byteLength(line) : 0;
    const bytes =
      bytesNeeded > this.#chunkBytes
        ? Buffer.allocUnsafeSlow(bytesNeeded)
        : (this.#spares.pop() ?? Buffer.allocUnsafeSlow(this.#chunkBytes));
    this.#last = { bytes, used: 0, lines: 0 };
    this.#chunks.push(this.#last);
    return this.#last;
  }
}

/** Most of the time the answer needs no look at the line. */
function fits(line: string, { bytes, used }: Chunk): boolean {
  const room = bytes.length - used;
  return line.length * bytesPerUnitMax <= room || Buffer.byteLength(line) <= room;
}
