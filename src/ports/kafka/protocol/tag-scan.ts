import { gatheredTagBytesMax, taggedFieldsMax } from '../../../lib/limits.ts';
import { ByteReader } from './byte-reader.ts';
import type { ChunkCursor } from './chunk-cursor.ts';
import { ProtocolError } from './protocol-error.ts';

/** What is known of a tagged section (KIP-482). */
export interface TagSection {
  /** Reads a field of this tag, which must end where its bytes do; undefined where the tag is not known. */
  readonly known: readonly ((field: ByteReader) => void)[];
  /** True where the fields that are known must not go on to the receiver. */
  readonly blanked: boolean;
}

/** The last tag that takes one byte. */
const shortTagMax = 127;

const atCount = 0;
const atTag = 1;
const atLength = 2;
const atField = 3;
type State = typeof atCount | typeof atTag | typeof atLength | typeof atField;

/**
 * One tagged section after the other, from chunks. Where a field is blanked, its bytes become 0 and its tag one that
 * nobody knows: the section keeps its length, and "tags must be in ascending order" (KIP-482) goes on to hold, for
 * which tags that follow take the next numbers as far as they must. Kafka numbers the tags of a structure without
 * gaps, so numbers just below 128 mean nothing to a receiver. A field that lost its number so is optional, as all are.
 */
export class TagScan {
  readonly #cursor: ChunkCursor;
  #section: TagSection = { known: [], blanked: false };
  #state: State = atCount;
  #left = 0;
  #tag = -1;
  #lengthBytes = 0;
  /** The tag that was written last, -1 while nothing is changed. */
  #written = -1;

  constructor(cursor: ChunkCursor) {
    this.#cursor = cursor;
  }

  begin(section: TagSection): void {
    this.#section = section;
    this.#state = atCount;
    this.#written = -1;
  }

  /** True when the section has ended; false where it goes on in the next chunk. Throws `ProtocolError`. */
  run(): boolean {
    for (;;) {
      switch (this.#state) {
        case atCount:
          if (!this.#count()) return false;
          break;
        case atTag:
          if (this.#left === 0) return true;
          if (!this.#number()) return false;
          break;
        case atLength:
          if (!this.#length()) return false;
          break;
        default:
          if (!this.#field()) return false;
      }
    }
  }

  #count(): boolean {
    const cursor = this.#cursor;
    if (!cursor.uvarint()) return false;
    if (cursor.value > taggedFieldsMax) throw cursor.error('bad-length', `${cursor.value} tagged fields`);
    this.#left = cursor.value;
    this.#tag = -1;
    this.#state = atTag;
    return true;
  }

  #number(): boolean {
    const cursor = this.#cursor;
    if (!cursor.uvarint()) return false;
    const tag = cursor.value;
    if (tag <= this.#tag) throw cursor.error('bad-value', `tag ${tag} comes after tag ${this.#tag}`);
    this.#tag = tag;
    this.#left -= 1;
    if (this.#section.blanked) this.#renumber(tag);
    this.#state = atLength;
    return true;
  }

  /** Leaves room for a number to each tag that follows. */
  #renumber(tag: number): void {
    const cursor = this.#cursor;
    if (tag < this.#section.known.length) this.#written = shortTagMax - this.#left;
    else if (this.#written === -1) return;
    else if (tag > this.#written) {
      this.#written = tag;
      return;
    } else this.#written += 1;
    if (cursor.numberBytes > 1) throw cursor.error('bad-value', `tag ${tag} takes more bytes than it needs`);
    if (this.#written <= tag) throw cursor.error('bad-value', `more than ${shortTagMax} tags after one to be blanked`);
    cursor.overwriteLast(this.#written);
  }

  #length(): boolean {
    const cursor = this.#cursor;
    if (!cursor.uvarint()) return false;
    const length = cursor.value;
    if (length > cursor.left) throw cursor.error('truncated', `a tagged field of ${length} bytes`);
    this.#lengthBytes = length;
    this.#state = atField;
    if (this.#section.known[this.#tag] === undefined) {
      cursor.skip(length);
      this.#state = atTag;
    } else if (length > gatheredTagBytesMax) {
      throw cursor.error('bad-length', `tagged field ${this.#tag} has ${length} bytes`);
    }
    return true;
  }

  #field(): boolean {
    const cursor = this.#cursor;
    const length = this.#lengthBytes;
    if (!(this.#section.blanked ? cursor.takeAndBlank(length) : cursor.take(length))) return false;
    const field = new ByteReader(cursor.bytes.subarray(cursor.at, cursor.at + length), 0, `tagged field ${this.#tag}`);
    try {
      this.#section.known[this.#tag]?.(field);
      field.finish();
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
      throw new ProtocolError(cause.code, cursor.offset - length + cause.byteOffset, cause.message, { cause });
    }
    this.#state = atTag;
    return true;
  }
}
