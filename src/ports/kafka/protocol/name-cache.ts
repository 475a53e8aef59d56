/**
 * One string for the same name again and again: topics come in every request and response, and making a new string of
 * each costs more than finding the one that was made before. Names decide nothing here: a miss only costs time.
 */
import { isUtf8 } from 'node:buffer';

import { internedNameBytesMax, internedNames } from '../../../lib/limits.ts';
import { uuidBytes } from './values.ts';

const uuidWords = uuidBytes / 4;
const slotMask = internedNames - 1;
// One slot per hash, the newer name taking it: names from the network can fill no more, and cost no search.
if ((internedNames & slotMask) !== 0) throw new Error('internedNames must be a power of two');

/** Text of the bytes from `start` to `end`; null where they are not UTF-8. A view of the bytes is not kept. */
export function textOf(bytes: Buffer, start: number, end: number): string | null {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? null : text;
}

/** Remembers up to `internedNames` names and as many uuids; longer names and those beyond ASCII are made anew. */
export class NameCache {
  readonly #names: (string | undefined)[] = Array.from({ length: internedNames });
  readonly #uuids: (string | undefined)[] = Array.from({ length: internedNames });
  readonly #uuidWords = new Int32Array(internedNames * uuidWords);

  /** As `textOf`, the same string for the same bytes where it is remembered. */
  text(bytes: Buffer, start: number, end: number): string | null {
    if (end - start > internedNameBytesMax) return textOf(bytes, start, end);
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
    const slot = (hash ^ (hash >>> 15)) & slotMask;
    const known = this.#names[slot];
    // Each byte is one character only in ASCII, so a name that is not never equals its bytes here.
    if (known !== undefined && isSame(known, bytes, start, end)) return known;
    const text = textOf(bytes, start, end);
    if (text !== null && text.length === end - start) this.#names[slot] = text;
    return text;
  }

  /** The uuid in the 16 bytes from `start` on, in Kafka's text form. */
  uuid(bytes: Buffer, start: number): string {
    const a = bytes.readInt32BE(start);
    const b = bytes.readInt32BE(start + 4);
    const c = bytes.readInt32BE(start + 8);
    const d = bytes.readInt32BE(start + 12);
    const hash = Math.imul(a ^ b, 0x9e37_79b1 | 0) ^ Math.imul(c ^ d, 0x85eb_ca6b | 0);
    const slot = (hash ^ (hash >>> 15)) & slotMask;
    const words = this.#uuidWords;
    const at = slot * uuidWords;
    const known = this.#uuids[slot];
    if (known !== undefined && words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) {
      return known;
    }
    const uuid = bytes.toString('base64url', start, start + uuidBytes);
    this.#uuids[slot] = uuid;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    return uuid;
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
