import { arrayLengthMax, messageElementsMax } from '../../../lib/limits.ts';
import { textOf } from './name-cache.ts';
import type { ProtocolErrorCode } from './protocol-error.ts';
import { ProtocolError } from './protocol-error.ts';
import { uuidBytes } from './values.ts';

/** Kafka's own bound on a string, in both encodings. */
export const stringBytesMax: number = 32_767;

/**
 * Reads values in order from one buffer. Every length is held against the bytes that are left before anything is made
 * of it; whatever does not fit throws `ProtocolError`. Bytes are handed out as views of the buffer, never copied.
 */
export class ByteReader {
  position: number;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #label: string;
  #elementsLeft = messageElementsMax;

  /** `label` names what is read, for errors. */
  constructor(bytes: Buffer, position: number, label: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#label = label;
    this.position = position;
    if (!(position >= 0 && position <= bytes.length)) throw this.error('truncated', 'the start lies outside the frame');
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  error(code: ProtocolErrorCode, what: string): ProtocolError {
    return new ProtocolError(code, this.position, `${this.#label}: ${what}`);
  }

  /** Throws unless every byte was read. */
  finish(): void {
    if (this.remaining !== 0) {
      throw this.error('trailing-bytes', `${this.remaining} bytes are left after the end of the message`);
    }
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8));
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8));
  }

  /** Any byte but 0 is true, as it is for Kafka. */
  bool(): boolean {
    return this.#view.getInt8(this.#advance(1)) !== 0;
  }

  /** Unsigned 32-bit varint of at most 5 bytes. */
  uvarint(): number {
    const first = this.#view.getUint8(this.#advance(1));
    return first < 0x80 ? first : this.#longUvarint(first & 0x7f);
  }

  #longUvarint(low: number): number {
    let value = low;
    for (let shift = 7; shift <= 28; shift += 7) {
      const byte = this.#view.getUint8(this.#advance(1));
      if (shift === 28 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.error('bad-length', 'a variable-length number takes more than 32 bits');
  }

  /** Signed 32-bit varint (zigzag), as record batches have it. */
  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Signed 64-bit varint (zigzag) of at most 10 bytes. */
  varlong(): bigint {
    let value = 0n;
    for (let shift = 0n; shift <= 63n; shift += 7n) {
      const byte = this.#view.getUint8(this.#advance(1));
      if (shift === 0n && byte < 0x80) return BigInt((byte >>> 1) ^ -(byte & 1));
      if (shift === 63n && byte > 1) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return (value >> 1n) ^ -(value & 1n);
    }
    throw this.error('bad-length', 'a variable-length number takes more than 64 bits');
  }

  uuid(): string {
    const start = this.#advance(uuidBytes);
    return this.#bytes.toString('base64url', start, start + uuidBytes);
  }

  string(): string {
    return this.#text(this.#present(this.int16()));
  }

  nullableString(): string | null {
    const length = this.int16();
    return length === -1 ? null : this.#text(length);
  }

  compactString(): string {
    return this.#text(this.#present(this.uvarint() - 1));
  }

  compactNullableString(): string | null {
    const length = this.uvarint() - 1;
    return length === -1 ? null : this.#text(length);
  }

  /** As `nullableString`, but bytes that are not UTF-8 become U+FFFD: only for text that decides nothing. */
  lenientNullableString(): string | null {
    const length = this.int16();
    if (length === -1) return null;
    const start = this.#span(length);
    return this.#bytes.toString('utf8', start, this.position);
  }

  bytes(): Buffer {
    return this.view(this.#present(this.int32()));
  }

  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length === -1 ? null : this.view(length);
  }

  compactBytes(): Buffer {
    return this.view(this.#present(this.uvarint() - 1));
  }

  compactNullableBytes(): Buffer | null {
    const length = this.uvarint() - 1;
    return length === -1 ? null : this.view(length);
  }

  /** The next `length` bytes, as a view of the buffer. */
  view(length: number): Buffer {
    const start = this.#span(length);
    return this.#bytes.subarray(start, this.position);
  }

  skip(length: number): void {
    this.#span(length);
  }

  /** Takes the count of an array, -1 for null; `elementBytesMin` is the least that one element takes. */
  count(compact: boolean, elementBytesMin: number): number {
    const count = compact ? this.uvarint() - 1 : this.int32();
    if (count === -1) return -1;
    if (count < 0 || count > arrayLengthMax) throw this.error('bad-length', `an array of ${count} elements`);
    if (count * elementBytesMin > this.remaining) {
      throw this.error('truncated', `an array of ${count} elements, with ${this.remaining} bytes left`);
    }
    this.#elementsLeft -= count;
    if (this.#elementsLeft < 0)
      throw this.error('bad-length', `more than ${messageElementsMax} elements in one message`);
    return count;
  }

  #present(length: number): number {
    if (length === -1) throw this.error('bad-value', 'null where this version has none');
    return length;
  }

  // A name that reached the policy as U+FFFD and the broker as other bytes could mean two things, so text is strict.
  #text(length: number): string {
    if (length > stringBytesMax) throw this.error('bad-length', `a string of ${length} bytes`);
    const start = this.#span(length);
    return this.#strict(textOf(this.#bytes, start, this.position));
  }

  #strict(text: string | null): string {
    if (text === null) throw this.error('bad-value', 'a string that is not UTF-8');
    return text;
  }

  /** Moves past `length` bytes and gives where they start. */
  #span(length: number): number {
    if (length < 0) throw this.error('bad-length', `a length of ${length}`);
    return this.#advance(length);
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) {
      throw this.error('truncated', `${length} bytes wanted, ${this.remaining} left`);
    }
    this.position = start + length;
    return start;
  }
}
