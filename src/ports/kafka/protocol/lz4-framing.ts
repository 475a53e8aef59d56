/**
 * LZ4 frames, as the LZ4 frame format 1.6 has them. The decompressor has no bound of its own, so the block headers are
 * walked first and the most they can decompress to is held against the bound.
 */
import { createRequire } from 'node:module';
import type * as lz4 from 'lz4-napi';
import { ProtocolError } from './protocol-error.ts';

const magic = 0x18_4d_22_04;
const flagVersionMask = 0b1100_0000;
const flagVersion = 0b0100_0000;
const flagBlockChecksum = 0b0001_0000;
const flagContentSize = 0b0000_1000;
const flagContentChecksum = 0b0000_0100;
const flagDictionary = 0b0000_0001;
/** Bits 4 to 6 of the block descriptor. */
const blockBytesByCode: readonly (number | undefined)[] = [
  undefined,
  undefined,
  undefined,
  undefined,
  65_536,
  262_144,
  1_048_576,
  4_194_304,
];
const uncompressedBit = 0x8000_0000;
/** One byte of a match's length gives at most 255 bytes. */
const expansionMax = 255;

let loaded: typeof lz4 | null = null;

/** Native code, loaded with the first batch that needs it: most gateways see none, and it takes memory and threads of its own. */
function library(): typeof lz4 {
  return (loaded ??= createRequire(import.meta.url)('lz4-napi') as typeof lz4);
}

/** Decompresses one frame to at most `bytesMax` bytes. */
export function decompressLz4(compressed: Buffer, bytesMax: number): Buffer {
  const most = mostBytes(compressed);
  if (most > bytesMax) {
    throw new ProtocolError(
      'bad-compression',
      0,
      `An LZ4 batch of up to ${most} bytes is over the limit of ${bytesMax}`,
    );
  }
  const { decompressFrameSync } = library();
  try {
    return decompressFrameSync(compressed);
  } catch (cause) {
    throw new ProtocolError('bad-compression', 0, 'A record batch does not decompress as LZ4', { cause });
  }
}

/** Compresses to one frame of independent blocks, which is all that Kafka's Java client reads. */
export function compressLz4(bytes: Buffer): Buffer {
  return library().compressFrameSync(bytes);
}

/** The most that the frame can decompress to. Throws where it is not exactly one frame. */
function mostBytes(frame: Buffer): number {
  if (frame.length < 7 || frame.readUInt32LE(0) !== magic) throw broken(0, 'it does not start as a frame');
  const flags = frame.readUInt8(4);
  if ((flags & flagVersionMask) !== flagVersion) throw broken(4, 'its version is not 1');
  if ((flags & flagDictionary) !== 0) throw broken(4, 'it wants a dictionary');
  const blockBytes = blockBytesByCode[(frame.readUInt8(5) >> 4) & 7];
  if (blockBytes === undefined) throw broken(5, 'its block size is not one of the four');
  const headerBytes = 7 + ((flags & flagContentSize) === 0 ? 0 : 8);
  const checksumBytes = (flags & flagBlockChecksum) === 0 ? 0 : 4;
  let most = 0;
  let at = headerBytes;
  for (;;) {
    if (frame.length - at < 4) throw broken(at, 'it is cut off');
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const length = word & ~uncompressedBit;
    most += Math.min(blockBytes, word >= uncompressedBit ? length : length * expansionMax);
    at += length + checksumBytes;
  }
  at += (flags & flagContentChecksum) === 0 ? 0 : 4;
  if (at !== frame.length) throw broken(at, 'it does not end where its bytes do');
  if ((flags & flagContentSize) !== 0 && frame.readBigUInt64LE(6) > BigInt(most)) {
    throw broken(6, 'its content size is not possible');
  }
  return most;
}

function broken(byteOffset: number, what: string): ProtocolError {
  return new ProtocolError('bad-compression', byteOffset, `An LZ4 batch is broken: ${what}`);
}
