/**
 * One string for the same name again and again: topics come in every request and response, and making a new string of
 * each costs more than finding the one that was made before. Names decide nothing here: a miss only costs time.
 */
import { isUtf8 } from 'node:buffer';

import { internedNameBytesMax, internedNames, internedNamesMax } from '../../../lib/limits.ts';
import { int32At } from './int-at.ts';
import { uuidBytes } from './values.ts';

const uuidWords = uuidBytes / 4;
// One slot per hash, the newer name taking it: names from the network can fill no more, and cost no search.
if ((internedNames & (internedNames - 1)) !== 0) throw new Error('internedNames must be a power of two');
/** Where names took each other's slots so many times for each slot, there are twice as many. */
const crowdedAt = 4;

/** Text of the bytes from `start` to `end`; null where they are not UTF-8. A view of the bytes is not kept. */
export function textOf(bytes: Buffer, start: number, end: number): string | null {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? null : text;
}

/** Remembers up to `internedNamesMax` names and as many uuids; longer names and those beyond ASCII are made anew. */
export class NameCache {
  readonly #names = new Slots();
  readonly #uuids = new Slots();
  #uuidWords = new Int32Array(internedNames * uuidWords);

  /** As `textOf`, the same string for the same bytes where it is remembered. */
  text(bytes: Buffer, start: number, end: number): string | null {
    if (end - start > internedNameBytesMax) return textOf(bytes, start, end);
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
    const slot = this.#names.slotOf(hash);
    const known = this.#names.at(slot);
    // Each byte is one character only in ASCII, so a name that is not never equals its bytes here.
    if (known !== undefined && isSame(known, bytes, start, end)) return known;
    const text = textOf(bytes, start, end);
    if (text !== null && text.length === end - start) this.#names.put(slot, text);
    return text;
  }

  /** The uuid in the 16 bytes from `start` on, in Kafka's text form. */
  uuid(bytes: Buffer, start: number): string {
    const a = int32At(bytes, start);
    const b = int32At(bytes, start + 4);
    const c = int32At(bytes, start + 8);
    const d = int32At(bytes, start + 12);
    const slot = this.#uuids.slotOf(Math.imul(a ^ b, 0x9e37_79b1 | 0) ^ Math.imul(c ^ d, 0x85eb_ca6b | 0));
    const words = this.#uuidWords;
    const at = slot * uuidWords;
    const known = this.#uuids.at(slot);
    if (known !== undefined && words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) {
      return known;
    }
    const uuid = bytes.toString('base64url', start, start + uuidBytes);
    if (!this.#uuids.put(slot, uuid)) {
      this.#uuidWords = new Int32Array(this.#uuids.size * uuidWords);
      return uuid;
    }
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    return uuid;
  }
}

/** Strings by the hash of their bytes. */
class Slots {
  #strings: (string | undefined)[] = Array.from({ length: internedNames });
  #mask = internedNames - 1;
  #taken = 0;

  get size(): number {
    return this.#mask + 1;
  }

  slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  at(slot: number): string | undefined {
    return this.#strings[slot];
  }

  /** @returns false where there are other, empty slots now */
  put(slot: number, text: string): boolean {
    if (this.#strings[slot] !== undefined && this.#crowded()) return false;
    this.#strings[slot] = text;
    return true;
  }

  /** A slot is taken from another string. */
  #crowded(): boolean {
    this.#taken += 1;
    if (this.#taken < crowdedAt * this.size || this.size >= internedNamesMax) return false;
    this.#strings = Array.from({ length: 2 * this.size });
    this.#mask = this.#strings.length - 1;
    this.#taken = 0;
    return true;
  }
}

/** For all scanners and walkers of a process. */
export const topicNames: NameCache = new NameCache();

function isSame(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
