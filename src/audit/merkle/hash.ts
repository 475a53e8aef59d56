/** The hashes of RFC 6962 §2.1. Leaves and nodes are told apart by a first byte, so that neither passes for the other. */
import { hash } from 'node:crypto';

export const hashBytes = 32;

/** What a node is the hash of: 0x01 ‖ left ‖ right. */
const nodeInputBytes = 1 + 2 * hashBytes;
const leftAt = 1;
const rightAt = 1 + hashBytes;
const lineEnd = 0x0a;

/** The hash of a tree without leaves: of the empty string (RFC 6962 §2.1). */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer');

/** SHA-256(0x00 ‖ data). */
export function leafHash(data: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + data.length);
  input[0] = 0;
  input.set(data, 1);
  return sha256(input);
}

/** Kept between calls, as large as the largest batch so far. */
let leafInputs = Buffer.alloc(0);

/**
 * The leaf hashes of many lines at once, `hashBytes` each, one behind the other. The lines are copied as they are, and
 * what ends a line makes room for the 0x00 before the next: a batch costs one copy.
 *
 * @param lines each with its line end, which is not hashed
 */
export function leafHashesOf(lines: Uint8Array, count: number): Buffer {
  if (leafInputs.length <= lines.length) leafInputs = Buffer.allocUnsafeSlow(lines.length + 1);
  leafInputs.set(lines, 1);
  const hashes = Buffer.allocUnsafe(count * hashBytes);
  for (let start = 0, leaf = 0; leaf < count; leaf += 1) {
    leafInputs[start] = 0;
    const end = leafInputs.indexOf(lineEnd, start + 1);
    hashes.write(digest(leafInputs.subarray(start, end)), leaf * hashBytes, 'latin1');
    start = end;
  }
  return hashes;
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(nodeInputBytes);
  input[0] = 1;
  input.set(left, leftAt);
  input.set(right, rightAt);
  return sha256(input);
}

/** Two nodes side by side, as they are hashed into the one above them: made once and used for many. */
export class NodePair {
  readonly #input = Buffer.alloc(nodeInputBytes, 1);

  /** A copy. */
  get left(): Buffer {
    return Buffer.from(this.#input.subarray(leftAt, rightAt));
  }

  /** @param at where in `from` it begins */
  setLeft(from: Uint8Array, at: number = 0): void {
    copyHash(from, at, this.#input, leftAt);
  }

  setRight(from: Uint8Array, at: number = 0): void {
    copyHash(from, at, this.#input, rightAt);
  }

  /** Puts the node above the two into another pair. */
  hashIntoLeft(other: NodePair): void {
    other.#input.write(digest(this.#input), leftAt, 'latin1');
  }

  hashIntoRight(other: NodePair): void {
    other.#input.write(digest(this.#input), rightAt, 'latin1');
  }
}

/** Quicker than by way of a view. */
function copyHash(from: Uint8Array, at: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < hashBytes; i += 1) to[toAt + i] = from[at + i] as number;
}

function sha256(input: Uint8Array): Buffer {
  return Buffer.from(digest(input), 'latin1');
}

/** One character per byte: asked for a buffer, `hash` takes three times as long. */
function digest(input: Uint8Array): string {
  return hash('sha256', input, 'binary');
}
