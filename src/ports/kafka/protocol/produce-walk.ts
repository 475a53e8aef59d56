/**
 * A produce request, read without making anything of it:
 *
 *   transactionalId nullable string · acks i16 · timeoutMs i32 · topics · [tags]
 *   topic: (3–12) name, (13) topicId uuid · partitions · [tags]
 *   partition: index i32 · records nullable bytes · [tags]
 *
 * [tags] and compact lengths from version 9 on.
 */
import { ByteReader } from './byte-reader.ts';
import { readUnknownTags } from './compile-reader.ts';
import { topicNames } from './name-cache.ts';
import { ProtocolError } from './protocol-error.ts';
import { uuidBytes, zeroUuid } from './values.ts';

/**
 * Is told what a request holds, in its order. What was told may be followed by a `ProtocolError`: nothing of it may be
 * acted upon before the walk has ended.
 */
export interface ProduceVisitor {
  begin(transactionalId: string | null, acks: number, timeoutMs: number): void;
  /** The same string for the same name, mostly. From version 13 on the name is empty, before it the id is `zeroUuid`. */
  topic(name: string, topicId: string): void;
  /** Where the partition's records lie in the payload: from `recordsStart` to before `recordsEnd`; -1 and -1 for null. */
  partition(index: number, recordsStart: number, recordsEnd: number): void;
}

const versionMin = 3;
const versionMax = 13;

interface Layout {
  readonly label: string;
  readonly flexible: boolean;
  readonly topicIds: boolean;
  readonly topicBytesMin: number;
  readonly partitionBytesMin: number;
}

const layouts: readonly Layout[] = Array.from({ length: versionMax - versionMin + 1 }, (_, index) =>
  layoutOf(versionMin + index),
);

function layoutOf(version: number): Layout {
  const flexible = version >= 9;
  const topicIds = version >= 13;
  const tagBytes = flexible ? 1 : 0;
  const lengthBytes = flexible ? 1 : 4;
  const nameBytes = flexible ? 1 : 2;
  return {
    label: `ProduceRequest v${version}`,
    flexible,
    topicIds,
    topicBytesMin: (topicIds ? uuidBytes : nameBytes) + lengthBytes + tagBytes,
    partitionBytesMin: 4 + lengthBytes + tagBytes,
  };
}

/**
 * Walks a request's body from `offset`, the header's `headerBytes`, to the end, and takes exactly what `decodeRequest`
 * does. Throws `ProtocolError`.
 */
export function walkProduce(payload: Buffer, offset: number, version: number, visitor: ProduceVisitor): void {
  const layout = layouts[version - versionMin];
  if (layout === undefined) {
    throw new ProtocolError('unsupported-version', 0, `ProduceRequest has no version ${version} here`);
  }
  const { flexible } = layout;
  const reader = new ByteReader(payload, offset, layout.label);
  const transactionalId = flexible ? reader.compactNullableString() : reader.nullableString();
  const acks = reader.int16();
  visitor.begin(transactionalId, acks, reader.int32());
  const topics = presentCount(reader, flexible, layout.topicBytesMin);
  for (let left = topics; left > 0; left -= 1) walkTopic(reader, layout, visitor);
  if (flexible) skipTags(reader);
  reader.finish();
}

function walkTopic(reader: ByteReader, layout: Layout, visitor: ProduceVisitor): void {
  const { flexible } = layout;
  if (layout.topicIds) visitor.topic('', reader.rememberedUuid(topicNames));
  else visitor.topic(reader.rememberedString(topicNames, flexible), zeroUuid);
  const partitions = presentCount(reader, flexible, layout.partitionBytesMin);
  for (let left = partitions; left > 0; left -= 1) {
    const index = reader.int32();
    const length = flexible ? reader.uvarint() - 1 : reader.int32();
    const start = reader.position;
    if (length !== -1) reader.skip(length);
    if (flexible) skipTags(reader);
    visitor.partition(index, length === -1 ? -1 : start, length === -1 ? -1 : start + length);
  }
  if (flexible) skipTags(reader);
}

function presentCount(reader: ByteReader, compact: boolean, elementBytesMin: number): number {
  const count = reader.count(compact, elementBytesMin);
  if (count === -1) throw reader.error('bad-value', 'a null array where this version has none');
  return count;
}

function skipTags(reader: ByteReader): void {
  const from = reader.position;
  if (reader.uvarint() === 0) return;
  reader.position = from;
  readUnknownTags(reader);
}
