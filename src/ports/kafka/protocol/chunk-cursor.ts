import { arrayLengthMax, messageElementsMax } from '../../../lib/limits.ts';
import { stringBytesMax } from './byte-reader.ts';
import type { ProtocolErrorCode } from './protocol-error.ts';
import { ProtocolError } from './protocol-error.ts';

const nothing: Buffer = Buffer.alloc(0);
const scratchBytesMin = 64;

/**
 * Reads values in order from one payload that comes in chunks, of which it keeps none. A reading that gives a boolean
 * gives false where the chunk ends before the value does: the same reading is done again with the next chunk, and what
 * was there of the value is kept in a scratch buffer till then. Lengths are held against the payload's bytes that are
 * left, whether they have come or not; whatever does not fit throws `ProtocolError`.
 */
export class ChunkCursor {
  /** What the last reading of a number gave; -1 for a count or length that stands for null. */
  value = 0;
  /** Bytes that the last varint took. */
  numberBytes = 1;
  /** Where the last `take` or `sees` found its bytes, until the next reading. */
  bytes: Buffer = nothing;
  at = 0;
  readonly #payloadBytes: number;
  readonly #label: string;
  // All three count from the chunk's first byte. A skip may lead beyond the chunk's end: nothing is looked at on the way.
  #chunk: Buffer = nothing;
  #position = 0;
  #end = 0;
  /** Where the payload ends. */
  #limit: number;
  /** What is there of a value that straddles chunks. */
  #scratch: Buffer = nothing;
  #filled = 0;
  #varintLow = 0;
  #varintShift = 0;
  #elementsLeft = messageElementsMax;

  /** `label` names what is read, for errors. */
  constructor(payloadBytes: number, label: string) {
    this.#payloadBytes = payloadBytes;
    this.#limit = payloadBytes;
    this.#label = label;
  }

  /** Bytes of the payload after the position. */
  get left(): number {
    return this.#limit - this.#position;
  }

  /** Bytes of the payload before the position. */
  get offset(): number {
    return this.#payloadBytes - this.left;
  }

  /** Bytes that were skipped and have not come yet. */
  get ahead(): number {
    return Math.max(0, this.#position - this.#end);
  }

  error(code: ProtocolErrorCode, what: string): ProtocolError {
    return new ProtocolError(code, this.offset, `${this.#label}: ${what}`);
  }

  /** Goes on with the bytes of `chunk` from `start` to `end`. Throws `ProtocolError` for more than the payload has. */
  feed(chunk: Buffer, start: number, end: number): void {
    const shift = start - this.#end;
    this.#position += shift;
    this.#limit += shift;
    this.#end = end;
    this.#chunk = chunk;
    if (end > this.#limit) throw this.error('trailing-bytes', `${end - this.#limit} bytes more than the frame has`);
  }

  /** Lets go of the chunk. */
  release(): void {
    this.#chunk = nothing;
    this.bytes = nothing;
  }

  /** True where the next `length` bytes lie in the chunk: they are at `bytes` and `at`, and still to be read. */
  sees(length: number): boolean {
    if (this.#filled !== 0 || this.#position + length > this.#end) return false;
    this.bytes = this.#chunk;
    this.at = this.#position;
    return true;
  }

  /** Takes `length` bytes, which are then at `bytes` and `at`. */
  take(length: number): boolean {
    if (!this.sees(length)) return this.#gather(length, false);
    this.#position += length;
    return true;
  }

  /** As `take`, but in the chunks the bytes become 0. */
  takeAndBlank(length: number): boolean {
    return this.#gather(length, true);
  }

  /** Puts another value in place of the byte that was read last, which must have been read from this chunk. */
  overwriteLast(byte: number): void {
    this.#chunk[this.#position - 1] = byte;
  }

  skip(length: number): void {
    if (length > this.left) throw this.error('truncated', `${length} bytes wanted, ${this.left} left`);
    this.#position += length;
  }

  int32(): boolean {
    if (!this.take(4)) return false;
    this.value = this.bytes.readInt32BE(this.at);
    return true;
  }

  int16(): boolean {
    if (!this.take(2)) return false;
    this.value = this.bytes.readInt16BE(this.at);
    return true;
  }

  /** Unsigned 32-bit varint of at most 5 bytes. */
  uvarint(): boolean {
    if (this.#varintShift === 0 && this.#position < this.#end) {
      const byte = this.#chunk[this.#position] ?? 0;
      if (byte < 0x80) {
        this.#position += 1;
        this.value = byte;
        this.numberBytes = 1;
        return true;
      }
    }
    return this.#longUvarint();
  }

  #longUvarint(): boolean {
    while (this.#position < this.#end) {
      const byte = this.#chunk[this.#position] ?? 0;
      this.#position += 1;
      if (this.#varintShift === 28 && byte > 0x0f) {
        throw this.error('bad-length', 'a variable-length number takes more than 32 bits');
      }
      this.#varintLow |= (byte & 0x7f) << this.#varintShift;
      this.#varintShift += 7;
      if (byte >= 0x80) continue;
      this.value = this.#varintLow >>> 0;
      this.numberBytes = this.#varintShift / 7;
      this.#varintLow = 0;
      this.#varintShift = 0;
      return true;
    }
    if (this.left === 0) throw this.error('truncated', 'a number wanted, 0 bytes left');
    return false;
  }

  /** The length of a string, which may not be null. */
  stringLength(compact: boolean): boolean {
    if (compact ? !this.uvarint() : !this.int16()) return false;
    if (compact) this.value -= 1;
    if (this.value === -1) throw this.error('bad-value', 'null where this version has none');
    if (this.value > stringBytesMax) throw this.error('bad-length', `a string of ${this.value} bytes`);
    this.#checkLength(this.value);
    return true;
  }

  /** The length of what follows, -1 for null. */
  length(compact: boolean): boolean {
    if (compact ? !this.uvarint() : !this.int32()) return false;
    if (compact) this.value -= 1;
    this.#checkLength(this.value);
    return true;
  }

  #checkLength(length: number): void {
    if (length < -1) throw this.error('bad-length', `a length of ${length}`);
    if (length > this.left) throw this.error('truncated', `${length} bytes wanted, ${this.left} left`);
  }

  /** The count of an array, -1 for null; `elementBytesMin` is the least that one element takes. */
  count(compact: boolean, elementBytesMin: number): boolean {
    if (compact ? !this.uvarint() : !this.int32()) return false;
    if (compact) this.value -= 1;
    const count = this.value;
    if (count === -1) return true;
    if (count < 0 || count > arrayLengthMax) throw this.error('bad-length', `an array of ${count} elements`);
    if (count * elementBytesMin > this.left) {
      throw this.error('truncated', `an array of ${count} elements, with ${this.left} bytes left`);
    }
    this.#elementsLeft -= count;
    if (this.#elementsLeft < 0)
      throw this.error('bad-length', `more than ${messageElementsMax} elements in one message`);
    return true;
  }

  /** Adds what the chunk has to the scratch buffer, until `length` bytes are there. */
  #gather(length: number, blank: boolean): boolean {
    const missing = length - this.#filled;
    if (missing > this.left) throw this.error('truncated', `${missing} bytes wanted, ${this.left} left`);
    const from = this.#position;
    const to = Math.min(from + missing, this.#end);
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafe(Math.max(length, scratchBytesMin));
    if (to > from) {
      this.#chunk.copy(this.#scratch, this.#filled, from, to);
      if (blank) this.#chunk.fill(0, from, to);
      this.#filled += to - from;
      this.#position = to;
    }
    if (this.#filled < length) return false;
    this.#filled = 0;
    this.bytes = this.#scratch;
    this.at = 0;
    return true;
  }
}
