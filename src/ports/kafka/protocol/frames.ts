import { ProtocolError } from './protocol-error.ts';

const sizeBytes = 4;

/**
 * Cuts a stream of chunks into frames: four bytes of size, then that many bytes. A frame that lies within one chunk is a
 * view of it; one that spans chunks is copied once into a buffer of its own, so that small pieces do not keep large
 * chunks alive. The chunks that were pushed must not be changed afterwards.
 */
export class FrameReader {
  /** Largest frame taken, in bytes without the size; counts from the next frame on. */
  limit: number;
  /** Chunks not yet read; the first from `#start` on. */
  #chunks: Buffer[] = [];
  #start = 0;
  #waitingBytes = 0;
  /** The frame that is being put together, filled up to `#filled`. */
  #partial: Buffer | null = null;
  #filled = 0;

  constructor(maxBytes: number) {
    this.limit = maxBytes;
  }

  /** Bytes held: taken in and not yet given out as a frame. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#filled;
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
    if (this.#partial !== null) return this.#finishPartial(this.#partial);
    if (this.#waitingBytes < sizeBytes) return null;
    const size = this.#peekSize();
    if (size < 0)
      throw new ProtocolError('bad-length', 0, `A frame says it has ${size} bytes: this is not Kafka's protocol`);
    if (size > this.limit) {
      throw new ProtocolError('frame-too-large', 0, `A frame of ${size} bytes is over the limit of ${this.limit}`);
    }
    this.#skip(sizeBytes);
    const first = this.#chunks[0];
    if (size === 0 || (first !== undefined && first.length - this.#start >= size)) return this.#take(size);
    this.#partial = Buffer.allocUnsafeSlow(size);
    this.#fill(this.#partial);
    return this.#finishPartial(this.#partial);
  }

  #finishPartial(partial: Buffer): Buffer | null {
    if (this.#filled < partial.length) return null;
    this.#partial = null;
    this.#filled = 0;
    return partial;
  }

  /** A view of the first `size` bytes of the first chunk. */
  #take(size: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined) return Buffer.alloc(0);
    const frame = first.subarray(this.#start, this.#start + size);
    this.#skip(size);
    return frame;
  }

  #fill(partial: Buffer): void {
    let used = 0;
    for (const chunk of this.#chunks) {
      const from = used === 0 ? this.#start : 0;
      const copied = chunk.copy(partial, this.#filled, from);
      this.#filled += copied;
      this.#waitingBytes -= copied;
      if (from + copied < chunk.length) {
        this.#start = from + copied;
        break;
      }
      this.#start = 0;
      used += 1;
    }
    if (used > 0) this.#chunks.splice(0, used);
  }

  #peekSize(): number {
    const first = this.#chunks[0];
    if (first !== undefined && first.length - this.#start >= sizeBytes) return first.readInt32BE(this.#start);
    let value = 0;
    let left = sizeBytes;
    let from = this.#start;
    for (const chunk of this.#chunks) {
      for (let at = from; at < chunk.length && left > 0; at += 1) {
        value = (value << 8) | (chunk[at] ?? 0);
        left -= 1;
      }
      if (left === 0) break;
      from = 0;
    }
    return value;
  }

  /** Drops bytes from the front. */
  #skip(count: number): void {
    let left = count;
    this.#waitingBytes -= count;
    while (left > 0) {
      const first = this.#chunks[0];
      if (first === undefined) return;
      const available = first.length - this.#start;
      if (available > left) {
        this.#start += left;
        return;
      }
      left -= available;
      this.#start = 0;
      this.#chunks.shift();
    }
  }
}
