/**
 * Snappy as Kafka's clients write it: Java frames it as xerial's snappy-java does (a 16-byte header, then blocks, each
 * with its compressed length in four bytes before it); others write one raw snappy block.
 */
import { createRequire } from 'node:module';
import type * as snappy from 'snappy';
import { ProtocolError } from './protocol-error.ts';

const headerBytes = 16;
const header: Buffer = Buffer.from('82534e41505059000000000100000001', 'hex');
const magicBytes = 8;
/** What Kafka's Java client puts into one block. */
const blockBytes = 32_768;
/** Snappy's longest copy gives 64 bytes for 3, so no honest block claims more than this many bytes for each it takes. */
const expansionMax = 64;

let loaded: typeof snappy | null = null;

/** Native code, loaded with the first batch that needs it: most gateways see none, and it takes memory. */
function library(): typeof snappy {
  return (loaded ??= createRequire(import.meta.url)('snappy') as typeof snappy);
}

/** Decompresses to at most `bytesMax` bytes. Claims are held against their bounds before anything is set aside. */
export function decompressSnappy(compressed: Buffer, bytesMax: number): Buffer {
  const blocks = isFramed(compressed) ? framedBlocks(compressed) : [compressed];
  let total = 0;
  for (const block of blocks) total += claimedBytes(block);
  if (total > bytesMax) {
    throw new ProtocolError('bad-compression', 0, `A snappy batch of ${total} bytes is over the limit of ${bytesMax}`);
  }
  const [first] = blocks;
  if (blocks.length === 1 && first !== undefined) return decompressBlock(first);
  return Buffer.concat(blocks.map(decompressBlock), total);
}

/** Compresses in xerial's framing, which every Kafka client reads. */
export function compressSnappy(bytes: Buffer): Buffer {
  const parts: Buffer[] = [header];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = library().compressSync(bytes.subarray(at, at + blockBytes), { copyOutputData: true });
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function isFramed(compressed: Buffer): boolean {
  return compressed.length >= headerBytes && compressed.compare(header, 0, magicBytes, 0, magicBytes) === 0;
}

function framedBlocks(compressed: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let at = headerBytes;
  while (at < compressed.length) {
    if (compressed.length - at < 4) throw broken(at, 'the length of a block is cut off');
    const length = compressed.readInt32BE(at);
    at += 4;
    if (length <= 0 || length > compressed.length - at) throw broken(at, `a block of ${length} bytes does not fit`);
    blocks.push(compressed.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

/** The length a raw block says it decompresses to: an unsigned varint at its start. */
function claimedBytes(block: Buffer): number {
  let value = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = block[index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte >= 0x80) continue;
    if (value > block.length * expansionMax) break;
    return value;
  }
  throw broken(0, 'the length at the start of a block is not possible');
}

function decompressBlock(block: Buffer): Buffer {
  const { uncompressSync } = library();
  try {
    return uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer;
  } catch (cause) {
    throw new ProtocolError('bad-compression', 0, 'A record batch does not decompress as snappy', { cause });
  }
}

function broken(byteOffset: number, what: string): ProtocolError {
  return new ProtocolError('bad-compression', byteOffset, `A snappy batch is broken: ${what}`);
}
