/**
 * Reads a recording. Who may, is asked first; that somebody reads is told before the first item is given out; and
 * every byte is authenticated before it is. What was altered throws; what was cut off at the end is told.
 */
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createHmac } from 'node:crypto';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { recordingBlockBytesMax, recordingItemBytesMax } from '../lib/limits.ts';
import type { StoredRecording, StoredSegment } from './catalogue.ts';
import {
  blockHeaderBytes,
  blockKinds,
  blockTagBytes,
  decodeItem,
  deriveKeys,
  openBlock,
  recordingDigest,
  segmentDigest,
  segmentHeader,
  segmentHeaderBytes,
} from './format.ts';
import type { BlockKind, RecordingKeys, StoredItem } from './format.ts';
import { keyContext, pathsOf } from './header.ts';
import type { RecordingHeader } from './header.ts';
import type { KeyWrapper, WrappedKey } from './key-wrapper.ts';

/** Somebody wants to read a recording. */
export interface Reading {
  readonly recording: RecordingHeader;
  /** `show`, `verify`, `into TOPIC`, … */
  readonly purpose: string;
}

export interface ReadParts {
  readonly wrapper: KeyWrapper;
  /** @returns why not; `null` where it may be read. The control plane puts a policy decision here. */
  readonly mayRead: (reading: Reading) => Promise<string | null>;
  /** Enters in the log that it is read. Where it throws, nothing is read. */
  readonly announce: (reading: Reading) => Promise<void>;
}

export interface ReadResult {
  /** `cut`: the end is missing; what was there was given out. */
  readonly ended: 'complete' | 'cut';
  /** Bytes after the last whole block, which are no block. */
  readonly tornBytes: number;
  readonly segments: number;
  readonly items: number;
  readonly records: number;
  readonly bytes: number;
  /** As the audit log has them, in hex: per finished segment, and of the whole where it is complete. */
  readonly segmentDigests: readonly string[];
  readonly digest: string | null;
}

export interface OpenRecording {
  readonly header: RecordingHeader;
  /** In the order of recording. Once. @throws SluiceError `recording-altered` */
  items(): AsyncGenerator<StoredItem, ReadResult>;
  /** As `SessionRecorder.digest`: for holding what a broker has now against what was recorded. */
  digest(parts: readonly Buffer[]): Buffer;
}

/**
 * @throws SluiceError `recording-erased`, `recording-key-unusable`, `recording-read-refused`, `recording-altered`, and
 *   whatever `announce` throws
 */
export async function openRecording(
  directory: string,
  stored: StoredRecording,
  parts: ReadParts,
  purpose: string,
): Promise<OpenRecording> {
  const { header, headerText } = stored;
  const reading: Reading = { recording: header, purpose };
  const refusal = await parts.mayRead(reading);
  if (refusal !== null)
    throw new SluiceError('recording-read-refused', `Recording ${header.recording} may not be read: ${refusal}`);
  const wrapped = await wrappedKey(directory, stored);
  const dataKey = await parts.wrapper.unwrap(wrapped, keyContext(headerText));
  await parts.announce(reading);
  const keys = deriveKeys(dataKey, header.recording);
  return {
    header,
    items: () => readItems(stored, keys),
    digest(chunks) {
      const hmac = createHmac('sha256', keys.reference);
      for (const chunk of chunks) hmac.update(chunk);
      return hmac.digest();
    },
  };
}

async function wrappedKey(directory: string, { header, erasure }: StoredRecording): Promise<WrappedKey> {
  const { key } = pathsOf(directory, header.session, header.recording);
  if (erasure !== null)
    throw new SluiceError(
      'recording-erased',
      `Recording ${header.recording} was erased on ${erasure.at} (${erasure.cause === 'retention' ? 'its retention was over' : 'somebody asked for it'}).`,
    );
  try {
    const found: unknown = JSON.parse(await readFile(key, 'utf8'));
    const field = (name: string): string => {
      const value: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, name) : undefined;
      if (typeof value !== 'string') throw new Error(`it has no "${name}"`);
      return value;
    };
    return { wrapper: field('wrapper'), keyId: field('keyId'), wrapped: field('wrapped') };
  } catch (cause) {
    const gone = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (gone)
      throw new SluiceError(
        'recording-erased',
        `The key of recording ${header.recording} is gone (${key}): without it nobody can read the recording again.`,
        { cause },
      );
    throw new SluiceError('recording-key-unusable', `The key ${key} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

interface Block {
  readonly kind: BlockKind;
  readonly plain: Buffer;
}

async function* readItems(stored: StoredRecording, keys: RecordingKeys): AsyncGenerator<StoredItem, ReadResult> {
  const { header, segments } = stored;
  const totals = { items: 0, records: 0, bytes: 0, tornBytes: 0 };
  const digests: Buffer[] = [];
  let ended: BlockKind = blockKinds.inner;
  for (const [index, segment] of segments.entries()) {
    const at = `segment ${segment.number}`;
    if (segment.number !== index + 1) throw altered(header, `segment ${index + 1} is missing`);
    if (ended === blockKinds.recordingEnd) throw altered(header, `${at} stands behind its end`);
    if (index > 0 && ended !== blockKinds.segmentEnd) throw altered(header, `segment ${index} was cut off`);
    const reader = new SegmentReader(segment, header, keys);
    const items = new ItemParser(header, at);
    ended = blockKinds.inner;
    for await (const { kind, plain } of reader.blocks()) {
      ended = kind;
      for (const item of items.push(plain)) {
        totals.items += 1;
        totals.records += item.records;
        yield item;
      }
    }
    totals.bytes += reader.bytes;
    totals.tornBytes = reader.tornBytes;
    if (ended === blockKinds.inner) continue;
    if (items.unfinished) throw altered(header, `${at} ends within an item`);
    digests.push(reader.digest);
  }
  const complete = ended === blockKinds.recordingEnd;
  return {
    ended: complete ? 'complete' : 'cut',
    ...totals,
    segments: segments.length,
    segmentDigests: digests.map((digest) => digest.toString('hex')),
    digest: complete ? recordingDigest(keys, header.recording, digests) : null,
  };
}

/** A segment's blocks, each authenticated. Ends where a block is not whole; throws where one is not what was sealed there. */
class SegmentReader {
  readonly #segment: StoredSegment;
  readonly #header: RecordingHeader;
  readonly #keys: RecordingKeys;
  bytes = 0;
  tornBytes = 0;
  digest: Buffer = Buffer.alloc(0);

  constructor(segment: StoredSegment, header: RecordingHeader, keys: RecordingKeys) {
    this.#segment = segment;
    this.#header = header;
    this.#keys = keys;
  }

  async *blocks(): AsyncGenerator<Block> {
    const { path, number } = this.#segment;
    const digest = segmentDigest(this.#keys, this.#header.recording, number);
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const head = await read(file, 0, segmentHeaderBytes);
      if (head.length < segmentHeaderBytes) return void (this.tornBytes = head.length);
      if (!head.equals(segmentHeader(number))) throw this.#altered('its header is not as it was written');
      digest.update(head);
      this.bytes = segmentHeaderBytes;
      for (let index = 0, kind: BlockKind = blockKinds.inner; this.bytes < size; index += 1) {
        if (kind !== blockKinds.inner) throw this.#altered('bytes stand behind its last block');
        const block = await this.#block(file, index, size);
        if (block === null) return;
        kind = block.kind;
        digest.update(block.sealed);
        this.bytes += block.sealed.length;
        if (kind !== blockKinds.inner && this.bytes === size) this.digest = digest.digest();
        yield block;
      }
    } finally {
      await file.close();
    }
  }

  async #block(file: FileHandle, index: number, size: number): Promise<(Block & { sealed: Buffer }) | null> {
    const left = size - this.bytes;
    const head = await read(file, this.bytes, blockHeaderBytes);
    const plainBytes = head.length < blockHeaderBytes ? 0 : head.readUInt32BE(0);
    if (plainBytes > 2 * recordingBlockBytesMax) throw this.#altered(`block ${index} is not as it was written`);
    const bytes = blockHeaderBytes + plainBytes + blockTagBytes;
    if (head.length < blockHeaderBytes || bytes > left) {
      this.tornBytes = left;
      return null;
    }
    const sealed = await read(file, this.bytes, bytes);
    const kind = kindOf(head.readUInt8(4));
    const place = { recording: this.#header.recording, segment: this.#segment.number, index, plainBytes };
    const plain =
      kind === null ? null : openBlock(this.#keys.blocks, { ...place, kind }, sealed.subarray(blockHeaderBytes));
    if (kind === null || plain === null) throw this.#altered(`block ${index} is not as it was written`);
    return { kind, plain, sealed };
  }

  #altered(what: string): SluiceError<'recording-altered'> {
    return altered(this.#header, `segment ${this.#segment.number}, at byte ${this.bytes}: ${what}`);
  }
}

function kindOf(byte: number): BlockKind | null {
  return Object.values(blockKinds).find((kind) => kind === byte) ?? null;
}

async function read(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Items out of the plain text of one segment's blocks. */
class ItemParser {
  readonly #header: RecordingHeader;
  readonly #at: string;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(header: RecordingHeader, at: string) {
    this.#header = header;
    this.#at = at;
  }

  get unfinished(): boolean {
    return this.#bytes > 0;
  }

  *push(plain: Buffer): Generator<StoredItem> {
    if (plain.length === 0) return;
    this.#parts.push(plain);
    this.#bytes += plain.length;
    if (this.#bytes < this.#needed()) return;
    const whole = this.#parts.length === 1 ? plain : Buffer.concat(this.#parts);
    let position = 0;
    while (whole.length - position >= 4) {
      const length = whole.readUInt32BE(position);
      if (length > recordingItemBytesMax) throw altered(this.#header, `${this.#at}: an item of ${length} bytes`);
      if (whole.length - position - 4 < length) break;
      const item = decodeItem(whole.subarray(position + 4, position + 4 + length));
      if (item === null) throw altered(this.#header, `${this.#at}: an item that no recorder writes`);
      yield item;
      position += 4 + length;
    }
    this.#bytes = whole.length - position;
    this.#parts = this.#bytes === 0 ? [] : [whole.subarray(position)];
  }

  /** So that an item over many blocks is put together once and not with each of them. */
  #needed(): number {
    const [first] = this.#parts;
    return first === undefined || first.length < 4 ? 4 : 4 + first.readUInt32BE(0);
  }
}

function altered(header: RecordingHeader, what: string): SluiceError<'recording-altered'> {
  return new SluiceError('recording-altered', `Recording ${header.recording} was altered: ${what}.`);
}
