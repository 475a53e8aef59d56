import type { FrameHolder, FrameMemory } from './frame-memory.ts';
import { ProtocolError } from './protocol-error.ts';

const sizeBytes = 4;
/** Largest buffer kept for the next frame that spans chunks. */
const spareBytesMax = 4_194_304;

/** Takes the bytes of one frame as they come, instead of the frame being put together. */
export interface FrameSink {
  /** A view that is only good during the call. */
  push(bytes: Buffer): void;
  end(): void;
}

/**
 * Cuts a stream of chunks into frames: four bytes of size, then that many bytes.
 *
 * A frame that lies within one chunk is a view of it. One that spans chunks is put together in a buffer of its own,
 * so that small pieces do not keep large chunks alive. A chunk's memory must not change while `unreadBytes` is above 0
 * or a view of it is in use.
 */
export class FrameReader {
  /** Largest frame taken, in bytes without the size; counts from the next frame on. */
  limit: number;
  /**
   * Asked when a frame begins that does not end in its chunk, with its size and at least the first eight bytes of its
   * payload: a sink takes the frame's bytes as they come, `null` has it put together.
   */
  onLarge: ((size: number) => FrameSink | null) | null = null;
  /** Chunks not yet read; the first from `#start` on. */
  readonly #chunks: Buffer[] = [];
  #start = 0;
  #waitingBytes = 0;
  /** The size of a frame while it is still spread over chunks: as much of it as has come, and how many bytes that is. */
  #prefix = 0;
  #prefixFilled = 0;
  /** The frame that is being put together, its size first, filled up to `#filled`. */
  #partial: Buffer | null = null;
  #filled = 0;
  /** The frame put together and given out last. */
  #lent: Buffer | null = null;
  #spare: Buffer | null = null;
  #sink: FrameSink | null = null;
  #sinkLeft = 0;
  #memory: FrameMemory | null = null;
  #holder: FrameHolder | null = null;

  constructor(maxBytes: number) {
    this.limit = maxBytes;
  }

  /** From here on frames that come in pieces take memory that others take from as well. */
  share(memory: FrameMemory, holder: FrameHolder): void {
    this.#memory = memory;
    this.#holder = holder;
  }

  /** Nothing is read any more: lets go of the frame under way. */
  drop(): void {
    if (this.#holder !== null) this.#memory?.release(this.#holder);
    this.#memory = null;
    this.#partial = null;
    this.#spare = null;
  }

  /** Bytes held: taken in and not yet given out as a frame. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#prefixFilled + (this.#partial === null ? 0 : this.#filled - sizeBytes);
  }

  /** True where nothing is held and no frame is under way: a chunk that comes now begins with a frame. */
  get empty(): boolean {
    return this.#waitingBytes === 0 && this.#prefixFilled === 0 && this.#partial === null && this.#sink === null;
  }

  /** Bytes of chunks that were not looked at yet; those of a frame that is being put together are not among them. */
  get unreadBytes(): number {
    return this.#waitingBytes;
  }

  /** What the frame under way still lacks; 0 where none is, or where its size has not come whole. */
  get missingBytes(): number {
    if (this.#waitingBytes > 0) return 0;
    if (this.#sink !== null) return this.#sinkLeft;
    return this.#partial === null ? 0 : this.#partial.length - this.#filled;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#partial !== null) this.#fill(this.#partial);
  }

  /**
   * The next whole frame without its size, or null until more is pushed. Throws `ProtocolError` for a size that is
   * negative or over the limit, before anything is set aside for it; after that the stream cannot be read on.
   */
  next(): Buffer | null {
    const frame = this.nextFrame();
    return frame === null ? null : frame.subarray(sizeBytes);
  }

  /** As `next`, with the four bytes of the size before the payload. A view of the chunk where it lies within one. */
  nextFrame(): Buffer | null {
    if (this.#sink !== null && !this.#feedSink(this.#sink)) return null;
    if (this.#partial !== null) return this.#finishPartial(this.#partial);
    const first = this.#chunks[0];
    if (this.#prefixFilled === 0 && first !== undefined && first.length - this.#start >= sizeBytes) {
      const size = this.#checked(first.readInt32BE(this.#start));
      const end = this.#start + sizeBytes + size;
      if (end <= first.length) return this.#take(first, end);
      return this.#beginLarge(first, size);
    }
    if (!this.#gatherPrefix()) return null;
    const size = this.#checked(this.#prefix);
    this.#prefixFilled = 0;
    return this.#assemble(size);
  }

  /** Says that the frame given out last is no longer needed: where it was put together, its memory serves again. */
  recycle(): void {
    const lent = this.#lent;
    this.#lent = null;
    if (lent === null || lent.buffer.byteLength > spareBytesMax) return;
    if (this.#spare !== null && this.#spare.length >= lent.buffer.byteLength) return;
    this.#spare = Buffer.from(lent.buffer);
  }

  #checked(size: number): number {
    if (size < 0)
      throw new ProtocolError('bad-length', 0, `A frame says it has ${size} bytes: this is not Kafka's protocol`);
    if (size > this.limit) {
      throw new ProtocolError('frame-too-large', 0, `A frame of ${size} bytes is over the limit of ${this.limit}`);
    }
    return size;
  }

  /** A frame that lies within the first chunk. */
  #take(first: Buffer, end: number): Buffer {
    this.#lent = null;
    const frame = first.subarray(this.#start, end);
    this.#skip(frame.length);
    return frame;
  }

  #beginLarge(first: Buffer, size: number): Buffer | null {
    const enough = first.length - this.#start >= sizeBytes + 8;
    const sink = enough ? (this.onLarge?.(size) ?? null) : null;
    if (sink === null) {
      this.#skip(sizeBytes);
      return this.#assemble(size);
    }
    this.#sink = sink;
    this.#sinkLeft = sizeBytes + size;
    return this.#feedSink(sink) ? this.nextFrame() : null;
  }

  /** @returns whether the sink has its whole frame now */
  #feedSink(sink: FrameSink): boolean {
    while (this.#sinkLeft > 0) {
      const first = this.#chunks[0];
      if (first === undefined) return false;
      const bytes = first.subarray(this.#start, Math.min(first.length, this.#start + this.#sinkLeft));
      this.#sinkLeft -= bytes.length;
      sink.push(bytes);
      this.#skip(bytes.length);
    }
    this.#sink = null;
    sink.end();
    return true;
  }

  #gatherPrefix(): boolean {
    while (this.#prefixFilled < sizeBytes) {
      const first = this.#chunks[0];
      if (first === undefined) return false;
      this.#prefix = (this.#prefix << 8) | (first[this.#start] ?? 0);
      this.#prefixFilled += 1;
      this.#skip(1);
    }
    return true;
  }

  #assemble(size: number): Buffer | null {
    const bytes = sizeBytes + size;
    const spare = this.#spare;
    this.#spare = null;
    const partial = spare !== null && spare.length >= bytes ? spare.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
    partial.writeInt32BE(size, 0);
    this.#partial = partial;
    this.#filled = sizeBytes;
    return this.#finishPartial(partial);
  }

  #finishPartial(partial: Buffer): Buffer | null {
    this.#fill(partial);
    if (this.#filled < partial.length) return null;
    if (this.#holder !== null) this.#memory?.release(this.#holder);
    this.#partial = null;
    this.#filled = 0;
    this.#lent = partial;
    return partial;
  }

  #fill(partial: Buffer): void {
    const before = this.#filled;
    while (this.#filled < partial.length) {
      const first = this.#chunks[0];
      if (first === undefined) break;
      const copied = first.copy(partial, this.#filled, this.#start);
      this.#filled += copied;
      this.#skip(copied);
    }
    if (this.#holder !== null && this.#filled > before) this.#memory?.hold(this.#holder, this.#filled - before);
  }

  /** Drops bytes of the first chunk; they must be there. */
  #skip(count: number): void {
    this.#waitingBytes -= count;
    this.#start += count;
    if (this.#start < (this.#chunks[0]?.length ?? 0)) return;
    this.#chunks.shift();
    this.#start = 0;
  }
}
