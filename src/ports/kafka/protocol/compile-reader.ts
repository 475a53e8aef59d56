/** Turns the schema of one message in one version into a reader, once: nothing about versions is asked while reading. */
import { messageNestingMax, taggedFieldsMax } from '../../../lib/limits.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Fields } from './defaults.ts';
import { defaultMaker, shapeOf } from './defaults.ts';
import type { Field, FieldType, MessageSchema, ScalarKind, Struct } from './schema.ts';
import { includes } from './schema.ts';
import type { UnknownTag } from './values.ts';

export type Read = (reader: ByteReader) => unknown;

interface Compiled {
  readonly read: Read;
  /** The least that one value takes, in bytes. */
  readonly bytesMin: number;
}

interface Context {
  readonly version: number;
  readonly flexible: boolean;
  readonly depth: number;
}

const scalars: Record<Exclude<ScalarKind, 'string' | 'bytes' | 'records'>, Compiled> = {
  bool: { read: (reader) => reader.bool(), bytesMin: 1 },
  int8: { read: (reader) => reader.int8(), bytesMin: 1 },
  int16: { read: (reader) => reader.int16(), bytesMin: 2 },
  uint16: { read: (reader) => reader.uint16(), bytesMin: 2 },
  int32: { read: (reader) => reader.int32(), bytesMin: 4 },
  int64: { read: (reader) => reader.int64(), bytesMin: 8 },
  float64: { read: (reader) => reader.float64(), bytesMin: 8 },
  uuid: { read: (reader) => reader.uuid(), bytesMin: 16 },
};

/** A reader of the message's body in this version, which the schema must have. */
export function compileReader(schema: MessageSchema, version: number): Read {
  return compileStruct(schema.struct, { version, flexible: includes(schema.flexible, version), depth: 0 }).read;
}

function compileStruct(struct: Struct, context: Context): Compiled {
  if (context.depth > messageNestingMax) throw new Error(`Kafka schema: ${struct.name} nests too deep`);
  const inner = { ...context, depth: context.depth + 1 };
  const reads: Record<string, Read> = {};
  let bytesMin = context.flexible ? 1 : 0;
  for (const field of struct.fields) {
    const inLine = includes(field.versions, context.version) && !includes(field.tagged, context.version);
    const compiled = inLine ? compileField(field, inner) : { read: defaultMaker(field), bytesMin: 0 };
    reads[field.name] = compiled.read;
    bytesMin += compiled.bytesMin;
  }
  // The fields of an object literal are read in the order of the schema, which is that of the wire.
  const readInLine = shapeOf(struct.name)(reads);
  if (!context.flexible) return { read: readInLine, bytesMin };
  const readTags = compileTags(struct, inner);
  const read = (reader: ByteReader): unknown => {
    const fields = readInLine(reader);
    const count = reader.uvarint();
    if (count !== 0) readTags(reader, fields as Fields, count);
    return fields;
  };
  return { read, bytesMin };
}

/** Reads a tagged section of which no tag is known, as headers have it. */
export function readUnknownTags(reader: ByteReader): readonly UnknownTag[] {
  const count = reader.uvarint();
  if (count === 0) return [];
  const fields: { unknownTags?: UnknownTag[] } = {};
  readTagsOnly(reader, fields, count);
  return fields.unknownTags ?? [];
}

type ReadTags = (reader: ByteReader, fields: Fields, count: number) => void;

/** KIP-482: "tags must be in ascending order", so one that is not, or that comes twice, is refused. */
function compileTags(struct: Struct, context: Context): ReadTags {
  const known = new Map<number, { name: string; read: Read }>();
  for (const field of struct.fields) {
    if (!includes(field.tagged, context.version)) continue;
    known.set(field.tag, { name: field.name, read: compileField(field, context).read });
  }
  return (reader, fields, count) => {
    if (count > taggedFieldsMax) throw reader.error('bad-length', `${count} tagged fields`);
    let unknown: UnknownTag[] | undefined;
    let before = -1;
    for (let index = 0; index < count; index += 1) {
      const tag = reader.uvarint();
      if (tag <= before) throw reader.error('bad-value', `tag ${tag} comes after tag ${before}`);
      before = tag;
      const length = reader.uvarint();
      if (length > reader.remaining) throw reader.error('truncated', `a tagged field of ${length} bytes`);
      const field = known.get(tag);
      if (field === undefined) {
        unknown ??= [];
        unknown.push({ tag, data: reader.view(length) });
        continue;
      }
      const end = reader.position + length;
      fields[field.name] = field.read(reader);
      if (reader.position !== end)
        throw reader.error('bad-length', `tagged field "${field.name}" is not ${length} bytes`);
    }
    if (unknown !== undefined) fields['unknownTags'] = unknown;
  };
}

const readTagsOnly = compileTags({ name: '', fields: [] }, { version: 0, flexible: true, depth: 0 });

function compileField(field: Field, context: Context): Compiled {
  const compact = context.flexible && !field.neverFlexible;
  return compileType(field.type, includes(field.nullable, context.version), compact, context);
}

function compileType(type: FieldType, nullable: boolean, compact: boolean, context: Context): Compiled {
  switch (type.kind) {
    case 'string':
      return { read: stringRead(nullable, compact), bytesMin: compact ? 1 : 2 };
    case 'bytes':
    case 'records':
      return { read: bytesRead(nullable, compact), bytesMin: compact ? 1 : 4 };
    case 'array':
      return compileArray(type.element, nullable, compact, context);
    case 'struct':
      return nullable ? nullableStruct(type.struct, context) : compileStruct(type.struct, context);
    default:
      return scalars[type.kind];
  }
}

// One function for each way to read, whatever the field, so that the compiler can see through the calls.
const readString: Read = (reader) => reader.string();
const readNullableString: Read = (reader) => reader.nullableString();
const readCompactString: Read = (reader) => reader.compactString();
const readCompactNullableString: Read = (reader) => reader.compactNullableString();
const readBytes: Read = (reader) => reader.bytes();
const readNullableBytes: Read = (reader) => reader.nullableBytes();
const readCompactBytes: Read = (reader) => reader.compactBytes();
const readCompactNullableBytes: Read = (reader) => reader.compactNullableBytes();

function stringRead(nullable: boolean, compact: boolean): Read {
  if (compact) return nullable ? readCompactNullableString : readCompactString;
  return nullable ? readNullableString : readString;
}

function bytesRead(nullable: boolean, compact: boolean): Read {
  if (compact) return nullable ? readCompactNullableBytes : readCompactBytes;
  return nullable ? readNullableBytes : readBytes;
}

function compileArray(elementType: FieldType, nullable: boolean, compact: boolean, context: Context): Compiled {
  const element = compileType(elementType, false, compact, context);
  const { read: readElement, bytesMin } = element;
  // Bytes bound what an array takes in memory only where each element takes some.
  if (bytesMin === 0) throw new Error('Kafka schema: an array whose elements take no bytes');
  const read = (reader: ByteReader): unknown[] | null => {
    const count = reader.count(compact, bytesMin);
    if (count === -1) {
      if (nullable) return null;
      throw reader.error('bad-value', 'a null array where this version has none');
    }
    const elements: unknown[] = [];
    for (let index = 0; index < count; index += 1) elements.push(readElement(reader));
    return elements;
  };
  return { read, bytesMin: compact ? 1 : 4 };
}

/** One byte tells whether the structure is there: below 0 it is null. */
function nullableStruct(struct: Struct, context: Context): Compiled {
  const { read } = compileStruct(struct, context);
  return { read: (reader) => (reader.int8() < 0 ? null : read(reader)), bytesMin: 1 };
}
