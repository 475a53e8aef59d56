/** What a field is when it is not there, as Kafka's own generator has it. */
import { ByteReader } from './byte-reader.ts';
import type { Field, Struct } from './schema.ts';
import type { Shape } from './shapes.gen.ts';
import { shapes } from './shapes.gen.ts';
import { zeroUuid } from './values.ts';

const noBytes = Buffer.alloc(0);

/** A structure with its fields by name, before anything is known of its type. */
export type Fields = Record<string, unknown>;

/** The generated shape of a structure, by its name. */
export function shapeOf(name: string): Shape {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`Kafka schema: no shape was generated for ${name}`);
  return shape;
}

/** Gives the default of a field; arrays and structures are made anew each time, since messages may be changed. */
export function defaultMaker(field: Field): () => unknown {
  const { type } = field;
  if (field.defaultText === 'null') return () => null;
  if (type.kind === 'array') return () => [];
  if (type.kind === 'struct') return structMaker(type.struct);
  const value = scalarDefault(field);
  return () => value;
}

const noReader = new ByteReader(noBytes, 0, 'defaults');

/** Makes a structure in which every field has its default; it is of the same hidden class as one that was read. */
function structMaker(struct: Struct): () => unknown {
  const makers = Object.fromEntries(struct.fields.map((field) => [field.name, defaultMaker(field)]));
  const make = shapeOf(struct.name)(makers);
  return () => make(noReader);
}

function scalarDefault(field: Field): unknown {
  const text = field.defaultText;
  switch (field.type.kind) {
    case 'bool':
      return text === 'true';
    case 'int64':
      return BigInt(text ?? 0);
    case 'string':
      return text ?? '';
    case 'uuid':
      return zeroUuid;
    case 'bytes':
    case 'records':
      return noBytes;
    default:
      return Number(text ?? 0);
  }
}

/** Tells whether a value given for a field is what the field is when it is left out. */
export function defaultTest(field: Field): (value: unknown) => boolean {
  const { type } = field;
  if (field.defaultText === 'null') return (value) => value === null;
  if (type.kind === 'array') return (value) => Array.isArray(value) && value.length === 0;
  if (type.kind === 'struct') return structTest(type.struct);
  if (type.kind === 'bytes' || type.kind === 'records')
    return (value) => value !== null && (value as Buffer).length === 0;
  const expected = scalarDefault(field);
  return (value) => value === expected;
}

function structTest(struct: Struct): (value: unknown) => boolean {
  const tests = struct.fields.map((field) => [field.name, defaultTest(field)] as const);
  return (value) => {
    if (value === null) return false;
    const fields = value as Fields;
    for (const [name, isDefault] of tests) {
      const given = fields[name];
      if (given !== undefined && !isDefault(given)) return false;
    }
    const unknownTags = fields['unknownTags'] as readonly unknown[] | undefined;
    return unknownTags === undefined || unknownTags.length === 0;
  };
}
