import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

import { compressLz4, decompressLz4 } from './lz4-framing.ts';
import { ProtocolError } from './protocol-error.ts';
import { compressSnappy, decompressSnappy } from './snappy-framing.ts';

export type CompressionCodec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** By the number in the lowest three bits of a batch's attributes. */
export const compressionCodecs: readonly CompressionCodec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

const chunkBytesMin = 16_384;
const chunkBytesMax = 1_048_576;

/** Decompresses the records of a batch to at most `bytesMax` bytes. Throws `ProtocolError` (`bad-compression`). */
export function decompress(codec: CompressionCodec, compressed: Buffer, bytesMax: number): Buffer {
  switch (codec) {
    case 'none':
      return compressed;
    case 'gzip':
      return bounded(codec, bytesMax, () => gunzipSync(compressed, zlibOptions(compressed, bytesMax)));
    case 'snappy':
      return decompressSnappy(compressed, bytesMax);
    case 'lz4':
      return decompressLz4(compressed, bytesMax);
    case 'zstd':
      return bounded(codec, bytesMax, () => decompressZstd(compressed, bytesMax));
  }
}

export function compress(codec: CompressionCodec, bytes: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return bytes;
    case 'gzip':
      return gzipSync(bytes);
    case 'snappy':
      return compressSnappy(bytes);
    case 'lz4':
      return compressLz4(bytes);
    case 'zstd':
      return zstdCompressSync(bytes);
  }
}

/** Node stops after the first zstd frame; Kafka's Java client reads on, so what follows is read as well. */
function decompressZstd(compressed: Buffer, bytesMax: number): Buffer {
  const parts: Buffer[] = [];
  let rest = compressed;
  let left = bytesMax;
  do {
    const { buffer, engine } = zstdDecompressSync(rest, {
      ...zlibOptions(rest, left),
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    parts.push(buffer);
    left -= buffer.length;
    if (engine.bytesWritten <= 0) throw new Error('the decompressor took nothing');
    rest = rest.subarray(engine.bytesWritten);
  } while (rest.length > 0);
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}

function zlibOptions(compressed: Buffer, bytesMax: number): { maxOutputLength: number; chunkSize: number } {
  const guess = Math.min(Math.max(compressed.length * 4, chunkBytesMin), chunkBytesMax);
  return { maxOutputLength: Math.max(1, bytesMax), chunkSize: guess };
}

function bounded(codec: CompressionCodec, bytesMax: number, run: () => Buffer): Buffer {
  try {
    return run();
  } catch (cause) {
    const tooLarge = cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    const what = tooLarge ? `is over the limit of ${bytesMax} bytes` : 'is broken';
    throw new ProtocolError('bad-compression', 0, `A ${codec} batch ${what}`, { cause });
  }
}
