/** The hashes of RFC 6962 §2.1. Leaves and nodes are told apart by a first byte, so that neither passes for the other. */
import { hash } from 'node:crypto';

export const hashBytes = 32;

const nodeInput = 1 + 2 * hashBytes;

/** The hash of a tree without leaves: of the empty string (RFC 6962 §2.1). */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer');

/** SHA-256(0x00 ‖ data). */
export function leafHash(data: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + data.length);
  input[0] = 0;
  input.set(data, 1);
  return sha256(input);
}

/**
 * The leaf hashes of many lines at once. One buffer holds them all, each behind its 0x00, so that a batch costs one
 * copy. No line holds that byte: JSON writes it as an escape.
 */
export function leafHashesOf(lines: readonly string[]): Buffer[] {
  const bytes = Buffer.from(`\0${lines.join('\0')}\0`);
  const hashes: Buffer[] = [];
  for (let start = 0; hashes.length < lines.length;) {
    const end = bytes.indexOf(0, start + 1);
    hashes.push(sha256(bytes.subarray(start, end)));
    start = end;
  }
  return hashes;
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(nodeInput);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + hashBytes);
  return sha256(input);
}

/** By way of a text: asked for a buffer, `hash` takes twice as long. */
function sha256(input: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', input, 'binary'), 'binary');
}
