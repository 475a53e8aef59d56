import { stringBytesMax } from './byte-reader.ts';
import { topicNames } from './name-cache.ts';
import { uuidBytes } from './values.ts';

/**
 * Reads what a message mostly looks like, from bytes that may end before it does. It throws nothing: what is not there or
 * is out of the ordinary clears `usual`, after which every reading gives 0, and the message is left to the codec.
 */
export class GlanceReader {
  usual = false;
  at = 0;
  #bytes: Buffer = empty;
  #limit = 0;

  /**
   * Begins to read the bytes from `start` to before `limit`, and holds them until it begins with others: letting go of
   * them after each message costs as much as reading a field or two.
   */
  begin(bytes: Buffer, start: number, limit: number): void {
    if (this.#bytes !== bytes) this.#bytes = bytes;
    this.at = start;
    this.#limit = limit;
    this.usual = true;
  }

  #take(count: number): number {
    const at = this.at;
    if (!this.usual || count < 0 || at + count > this.#limit) {
      this.usual = false;
      return -1;
    }
    this.at = at + count;
    return at;
  }

  /** Whether the next `count` bytes have come. */
  sees(count: number): boolean {
    return this.at + count <= this.#limit;
  }

  skip(count: number): void {
    this.#take(count);
  }

  int8(): number {
    const at = this.#take(1);
    return at === -1 ? 0 : this.#byte(at);
  }

  int16(): number {
    const at = this.#take(2);
    return at === -1 ? 0 : ((this.#byte(at) << 24) | (this.#byte(at + 1) << 16)) >> 16;
  }

  int32(): number {
    const at = this.#take(4);
    return at === -1 ? 0 : this.#int32(at);
  }

  /** An offset; unusual where it is negative or no safe integer. */
  offset(): number {
    const at = this.#take(8);
    if (at === -1) return 0;
    const high = this.#int32(at);
    if (high < 0 || high >= 0x20_0000) this.usual = false;
    return high * 0x1_0000_0000 + (this.#int32(at + 4) >>> 0);
  }

  /** Unsigned varint of at most four bytes. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.int8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.usual = false;
    return 0;
  }

  /** The length or count that stands before bytes or an array; null is unusual. */
  length(compact: boolean): number {
    const length = compact ? this.uvarint() - 1 : this.int32();
    if (length < 0) this.usual = false;
    return length;
  }

  /** Skips a string that may be null. */
  nullableString(compact: boolean): void {
    const length = compact ? this.uvarint() - 1 : this.int16();
    if (length > 0) this.skip(length);
    else if (length < -1) this.usual = false;
  }

  /** No tagged fields: they are unusual. */
  noTags(flexible: boolean): void {
    if (flexible && this.int8() !== 0) this.usual = false;
  }

  /** What a topic is called by: the same string for the same bytes, mostly. */
  topicKey(ids: boolean, compact: boolean): string {
    return ids ? this.uuid() : this.name(compact);
  }

  uuid(): string {
    const at = this.#take(uuidBytes);
    return at === -1 ? '' : topicNames.uuid(this.#bytes, at);
  }

  /** A string; null is unusual, and so is what is not UTF-8. */
  name(compact: boolean): string {
    const length = compact ? this.uvarint() - 1 : this.int16();
    const at = this.#take(length);
    if (at === -1 || length === 0) return '';
    if (length > stringBytesMax) this.usual = false;
    const name = topicNames.text(this.#bytes, at, at + length);
    if (name === null) this.usual = false;
    return name ?? '';
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #int32(at: number): number {
    return (this.#byte(at) << 24) | (this.#byte(at + 1) << 16) | (this.#byte(at + 2) << 8) | this.#byte(at + 3);
  }
}

const empty: Buffer = Buffer.alloc(0);
