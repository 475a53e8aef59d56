/** Turns the schema of one message in one version into a writer, once: the counterpart of `compile-reader.ts`. */
import { messageNestingMax } from '../../../lib/limits.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Fields } from './defaults.ts';
import { defaultMaker, defaultTest } from './defaults.ts';
import type { Field, FieldType, MessageSchema, Struct } from './schema.ts';
import { includes } from './schema.ts';
import type { UnknownTag } from './values.ts';

export type Write = (writer: ByteWriter, value: unknown) => void;
type WriteFields = (writer: ByteWriter, fields: Fields) => void;

interface Context {
  readonly version: number;
  readonly flexible: boolean;
  readonly depth: number;
}

interface TaggedField {
  readonly tag: number;
  readonly name: string;
  readonly write: Write;
  readonly isDefault: (value: unknown) => boolean;
}

/** A writer of the message's body in this version, which the schema must have. */
export function compileWriter(schema: MessageSchema, version: number): Write {
  const context = { version, flexible: includes(schema.flexible, version), depth: 0 };
  return compileStruct(schema.struct, context);
}

function compileStruct(struct: Struct, context: Context): Write {
  if (context.depth > messageNestingMax) throw new Error(`Kafka schema: ${struct.name} nests too deep`);
  const inner = { ...context, depth: context.depth + 1 };
  const steps: WriteFields[] = [];
  for (const field of struct.fields) {
    if (!includes(field.versions, context.version)) {
      if (!field.ignorable) steps.push(refuse(field, context.version));
    } else if (!includes(field.tagged, context.version)) steps.push(inLine(field, inner));
  }
  steps.push(context.flexible ? compileTags(struct, inner) : refuseTags);
  return (writer, value) => {
    const fields = value as Fields;
    for (let index = 0; index < steps.length; index += 1) (steps[index] as WriteFields)(writer, fields);
  };
}

function inLine(field: Field, context: Context): WriteFields {
  const { name } = field;
  const write = compileField(field, context);
  const makeDefault = defaultMaker(field);
  return (writer, fields) => {
    const value = fields[name];
    write(writer, value === undefined ? makeDefault() : value);
  };
}

/** A value that would be lost must not be lost in silence. */
function refuse(field: Field, version: number): WriteFields {
  const { name } = field;
  const isDefault = defaultTest(field);
  return (writer, fields) => {
    const value = fields[name];
    if (value === undefined || isDefault(value)) return;
    throw writer.error(
      'unsupported-version',
      `version ${version} has no field "${name}", and it is not at its default`,
    );
  };
}

function refuseTags(writer: ByteWriter, fields: Fields): void {
  const unknown = fields['unknownTags'] as readonly UnknownTag[] | undefined;
  if (unknown === undefined || unknown.length === 0) return;
  throw writer.error('unsupported-version', 'this version has no tagged fields');
}

function compileTags(struct: Struct, context: Context): WriteFields {
  const tagged: TaggedField[] = struct.fields
    .filter((field) => includes(field.tagged, context.version))
    .map((field) => ({
      tag: field.tag,
      name: field.name,
      write: compileField(field, context),
      isDefault: defaultTest(field),
    }))
    .sort((a, b) => a.tag - b.tag);
  return (writer, fields) => {
    const unknown = fields['unknownTags'] as readonly UnknownTag[] | undefined;
    if (unknown === undefined && !tagged.some((field) => isGiven(field, fields))) writer.uvarint(0);
    else writeTags(writer, fields, tagged, unknown ?? []);
  };
}

function isGiven({ name, isDefault }: TaggedField, fields: Fields): boolean {
  const value = fields[name];
  return value !== undefined && !isDefault(value);
}

/** Known fields that are not at their default, and unknown ones, in the order of their tags. */
function writeTags(
  writer: ByteWriter,
  fields: Fields,
  tagged: readonly TaggedField[],
  unknown: readonly UnknownTag[],
): void {
  const known = tagged.filter((field) => isGiven(field, fields));
  const sections = [...known, ...unknown].sort((a, b) => a.tag - b.tag);
  writer.uvarint(sections.length);
  let before = -1;
  for (const section of sections) {
    if (section.tag === before) throw writer.error('bad-value', `tag ${section.tag} is given twice`);
    before = section.tag;
    writer.uvarint(section.tag);
    const start = writer.position;
    if ('data' in section) writer.raw(section.data);
    else section.write(writer, fields[section.name]);
    writer.insertLength(start);
  }
}

function compileField(field: Field, context: Context): Write {
  const compact = context.flexible && !field.neverFlexible;
  const write = compileType(field.type, compact, context);
  if (includes(field.nullable, context.version)) {
    return field.type.kind === 'struct' ? nullableStruct(write) : write;
  }
  const { name } = field;
  return (writer, value) => {
    if (value === null) throw writer.error('bad-value', `field "${name}" cannot be null in version ${context.version}`);
    write(writer, value);
  };
}

function compileType(type: FieldType, compact: boolean, context: Context): Write {
  switch (type.kind) {
    case 'string':
      return (writer, value) => writer.string(value as string | null, compact);
    case 'bytes':
    case 'records':
      return (writer, value) => writer.bytes(value as Uint8Array | null, compact);
    case 'array':
      return compileArray(type.element, compact, context);
    case 'struct':
      return compileStruct(type.struct, context);
    case 'int64':
      return (writer, value) => writer.int64(value as bigint);
    case 'bool':
      return (writer, value) => writer.bool(value as boolean);
    case 'uuid':
      return (writer, value) => writer.uuid(value as string);
    default:
      return numberWrite(type.kind);
  }
}

function numberWrite(kind: 'int8' | 'int16' | 'uint16' | 'int32' | 'float64'): Write {
  switch (kind) {
    case 'int8':
      return (writer, value) => writer.int8(value as number);
    case 'int16':
      return (writer, value) => writer.int16(value as number);
    case 'uint16':
      return (writer, value) => writer.uint16(value as number);
    case 'int32':
      return (writer, value) => writer.int32(value as number);
    case 'float64':
      return (writer, value) => writer.float64(value as number);
  }
}

function compileArray(elementType: FieldType, compact: boolean, context: Context): Write {
  const writeElement = compileType(elementType, compact, context);
  return (writer, value) => {
    const elements = value as readonly unknown[] | null;
    if (elements === null) {
      writer.count(-1, compact);
      return;
    }
    writer.count(elements.length, compact);
    for (let index = 0; index < elements.length; index += 1) writeElement(writer, elements[index]);
  };
}

function nullableStruct(write: Write): Write {
  return (writer, value) => {
    writer.int8(value === null ? -1 : 1);
    if (value !== null) write(writer, value);
  };
}
