/**
 * The form of a recording on disk; docs/recording.md describes it for others.
 *
 *   segment  magic "SLUICER1" · number u32 · blocks
 *   block    plain length u32 · kind u8 · ciphertext · tag, 16 bytes
 *   plain    items one after the other, which may go on in the next block of the segment
 *   item     length of what follows u32 · kind u8 · time f64, ms since the epoch · records u32 · meta length u32 · meta, JSON · payload
 *
 * All numbers are big-endian. Nonces are the segment's and the block's number, which never come again under one key: a
 * key belongs to one recording, and a recording to one run of one process.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { JsonObject } from '../model/json.ts';

export const formatName = 'sluice-recording/1';
export const segmentHeaderBytes: number = 12;
export const blockHeaderBytes: number = 5;
export const blockTagBytes: number = 16;
const magic = Buffer.from('SLUICER1');
const itemHeaderBytes = 21;

/** What a block is: one of several, the last of its segment, the last of the recording. */
export const blockKinds = { inner: 0, segmentEnd: 1, recordingEnd: 2 } as const;
export type BlockKind = (typeof blockKinds)[keyof typeof blockKinds];

export type StoredKind = 'request' | 'produced' | 'answered' | 'delivered' | 'gap';
const storedKinds: readonly StoredKind[] = ['request', 'produced', 'answered', 'delivered', 'gap'];

/** An item as it was kept. A `gap` stands where items could not be kept, and counts them. */
export interface StoredItem {
  readonly kind: StoredKind;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly records: number;
  readonly meta: JsonObject;
  readonly payload: Buffer;
}

/** One recording's keys, all from its data key. */
export interface RecordingKeys {
  readonly blocks: Buffer;
  /** For the digests in the audit log. */
  readonly digest: Buffer;
  /** For the digests in items of level `reference`. */
  readonly reference: Buffer;
}

export function deriveKeys(dataKey: Buffer, recording: string): RecordingKeys {
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', dataKey, Buffer.from(recording), `${formatName} ${purpose}`, 32));
  return { blocks: derive('blocks'), digest: derive('digest'), reference: derive('reference') };
}

export function segmentHeader(segment: number): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  magic.copy(header);
  header.writeUInt32BE(segment, magic.length);
  return header;
}

export interface BlockPlace {
  readonly recording: string;
  readonly segment: number;
  /** Within the segment, from 0. */
  readonly index: number;
  readonly kind: BlockKind;
  readonly plainBytes: number;
}

function nonceOf({ segment, index }: BlockPlace): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(segment, 0);
  nonce.writeBigUInt64BE(BigInt(index), 4);
  return nonce;
}

/** Whatever would let a block pass for another is authenticated with it. */
function associatedData({ recording, segment, index, kind, plainBytes }: BlockPlace): Buffer {
  return Buffer.from(`${formatName}\n${recording}\n${segment}\n${index}\n${kind}\n${plainBytes}`);
}

/** @returns the block's parts in the order of the file */
export function sealBlock(key: Buffer, place: BlockPlace, plain: readonly Buffer[]): Buffer[] {
  const head = Buffer.alloc(blockHeaderBytes);
  head.writeUInt32BE(place.plainBytes, 0);
  head.writeUInt8(place.kind, 4);
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place)).setAAD(associatedData(place));
  const [first] = plain;
  // Each call of a cipher costs more than copying what a small item has.
  const sealed = cipher.update(plain.length === 1 && first !== undefined ? first : Buffer.concat(plain));
  cipher.final();
  return [head, sealed, cipher.getAuthTag()];
}

/** @returns `null` where the block is not what was sealed at this place */
export function openBlock(key: Buffer, place: BlockPlace, sealed: Buffer): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place)).setAAD(associatedData(place));
  decipher.setAuthTag(sealed.subarray(place.plainBytes, place.plainBytes + blockTagBytes));
  try {
    const plain = decipher.update(sealed.subarray(0, place.plainBytes));
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}

export type Digest = ReturnType<typeof createHmac>;

/** HMAC-SHA-256 over a segment's bytes, block by block as they are written. */
export function segmentDigest(keys: RecordingKeys, recording: string, segment: number): Digest {
  return createHmac('sha256', keys.digest).update(`${formatName}\n${recording}\n${segment}\n`);
}

/** Over the digests of all segments in order: what the audit log says of the whole. */
export function recordingDigest(keys: RecordingKeys, recording: string, segments: readonly Buffer[]): string {
  return createHmac('sha256', keys.digest)
    .update(`${formatName}\n${recording}\nall\n`)
    .update(Buffer.concat(segments))
    .digest('hex');
}

/** One copy of everything: what was handed over may be lent. */
export function encodeItem(item: Omit<StoredItem, 'payload'> & { readonly payload: Buffer | null }): Buffer {
  const meta = Buffer.from(JSON.stringify(item.meta));
  const payloadBytes = item.payload?.length ?? 0;
  const bytes = Buffer.allocUnsafe(itemHeaderBytes + meta.length + payloadBytes);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  bytes.writeUInt8(storedKinds.indexOf(item.kind), 4);
  bytes.writeDoubleBE(item.atMs, 5);
  bytes.writeUInt32BE(item.records, 13);
  bytes.writeUInt32BE(meta.length, 17);
  meta.copy(bytes, itemHeaderBytes);
  item.payload?.copy(bytes, itemHeaderBytes + meta.length);
  return bytes;
}

/** @param bytes without the length @returns `null` for what no recorder writes */
export function decodeItem(bytes: Buffer): StoredItem | null {
  if (bytes.length < itemHeaderBytes - 4) return null;
  const kind = storedKinds[bytes.readUInt8(0)];
  const metaBytes = bytes.readUInt32BE(13);
  const start = itemHeaderBytes - 4;
  if (kind === undefined || start + metaBytes > bytes.length) return null;
  const meta = JSON.parse(bytes.toString('utf8', start, start + metaBytes)) as JsonObject;
  const payload = bytes.subarray(start + metaBytes);
  return { kind, atMs: bytes.readDoubleBE(1), records: bytes.readUInt32BE(9), meta, payload };
}
