import type { ProtocolErrorCode } from './protocol-error.ts';
import { ProtocolError } from './protocol-error.ts';
import { uuidBytes, writeUuid } from './values.ts';

const stringBytesMax = 32_767;

/** Bytes that an unsigned varint takes. */
function uvarintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Bytes that a signed varint (zigzag) takes. */
export function varintBytes(value: number): number {
  return uvarintBytes(zigzag(value));
}

/** Bytes that a signed 64-bit varint (zigzag) takes. */
export function varlongBytes(value: bigint): number {
  let bytes = 1;
  for (let rest = zigzagLong(value) >> 7n; rest > 0n; rest >>= 7n) bytes += 1;
  return bytes;
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function zigzagLong(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes values one after the other into a buffer that grows by doubling. A value that does not fit its type throws `ProtocolError`. */
export class ByteWriter {
  position: number = 0;
  readonly #label: string;
  #bytes: Buffer;
  #view: DataView;

  /** `label` names what is written, for errors. */
  constructor(label: string, bytes: number) {
    this.#label = label;
    this.#bytes = Buffer.allocUnsafe(bytes);
    this.#view = viewOf(this.#bytes);
  }

  error(code: ProtocolErrorCode, what: string): ProtocolError {
    return new ProtocolError(code, this.position, `${this.#label}: ${what}`);
  }

  /** All that was written; a view of the writer's buffer, so the writer must not be used again. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.position);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw this.#range(value, 'int8');
    const at = this.#advance(1);
    this.#bytes[at] = value;
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw this.#range(value, 'int16');
    const at = this.#advance(2);
    this.#view.setInt16(at, value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) throw this.#range(value, 'uint16');
    const at = this.#advance(2);
    this.#view.setUint16(at, value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw this.#range(value, 'int32');
    const at = this.#advance(4);
    this.#view.setInt32(at, value);
  }

  /** Sets four bytes written earlier. */
  int32At(position: number, value: number): void {
    if ((value | 0) !== value) throw this.#range(value, 'int32');
    this.#view.setInt32(position, value);
  }

  int64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw this.#range(value, 'int64');
    const at = this.#advance(8);
    this.#view.setBigInt64(at, value);
  }

  float64(value: number): void {
    const at = this.#advance(8);
    this.#view.setFloat64(at, value);
  }

  bool(value: boolean): void {
    const at = this.#advance(1);
    this.#bytes[at] = value ? 1 : 0;
  }

  /** Unsigned 32-bit varint. */
  uvarint(value: number): void {
    if (value >>> 0 !== value) throw this.#range(value, 'an unsigned varint');
    this.#putUvarint(this.#advance(uvarintBytes(value)), value);
  }

  /** Signed 32-bit varint (zigzag), as record batches have it. */
  varint(value: number): void {
    if ((value | 0) !== value) throw this.#range(value, 'int32');
    this.uvarint(zigzag(value));
  }

  /** Signed 64-bit varint (zigzag). */
  varlong(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw this.#range(value, 'int64');
    let rest = zigzagLong(value);
    while (rest >= 0x80n) {
      this.#byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  uuid(value: string): void {
    const at = this.#advance(uuidBytes);
    writeUuid(this.#bytes, at, value);
  }

  /** Text with its length before it; null is written as null. */
  string(value: string | null, compact: boolean): void {
    if (value === null) {
      this.#nullLength(compact, 2);
      return;
    }
    const length = Buffer.byteLength(value);
    if (length > stringBytesMax) throw this.error('bad-length', `a string of ${length} bytes`);
    if (compact) this.uvarint(length + 1);
    else this.int16(length);
    const at = this.#advance(length);
    this.#bytes.write(value, at, length, 'utf8');
  }

  /** Bytes with their length before them; null is written as null. */
  bytes(value: Uint8Array | null, compact: boolean): void {
    if (value === null) {
      this.#nullLength(compact, 4);
      return;
    }
    if (compact) this.uvarint(value.length + 1);
    else this.int32(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    const at = this.#advance(value.length);
    this.#bytes.set(value, at);
  }

  /** The count of an array; -1 for null. */
  count(count: number, compact: boolean): void {
    if (compact) this.uvarint(count + 1);
    else this.int32(count);
  }

  /** Puts the length of all that was written since `start` before it, as an unsigned varint. */
  insertLength(start: number): void {
    const length = this.position - start;
    const prefixBytes = uvarintBytes(length);
    const end = this.#advance(prefixBytes);
    this.#bytes.copyWithin(start + prefixBytes, start, end);
    this.#putUvarint(start, length);
  }

  #putUvarint(position: number, value: number): void {
    let at = position;
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    this.#bytes[at] = rest;
  }

  #byte(value: number): void {
    const at = this.#advance(1);
    this.#bytes[at] = value;
  }

  #nullLength(compact: boolean, bytes: number): void {
    if (compact) this.uvarint(0);
    else if (bytes === 2) this.int16(-1);
    else this.int32(-1);
  }

  #range(value: number | bigint, type: string): ProtocolError {
    return this.error('bad-value', `${value} does not fit ${type}`);
  }

  /** Makes room for `length` bytes and gives where they start. It may replace the buffer, so it must run before the buffer is named. */
  #advance(length: number): number {
    const start = this.position;
    const end = start + length;
    if (end > this.#bytes.length) this.#grow(end);
    this.position = end;
    return start;
  }

  #grow(least: number): void {
    const grown = Buffer.allocUnsafe(Math.max(least, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.position);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}
