/** What a field is when it is not there, as Kafka's own generator has it. */
import type { Field, Struct } from './schema.ts';
import { zeroUuid } from './values.ts';

const noBytes = Buffer.alloc(0);

/** A structure with its fields by name, before anything is known of its type. */
export type Fields = Record<string, unknown>;

/** Gives the default of a field; arrays and structures are made anew each time, since messages may be changed. */
export function defaultMaker(field: Field): () => unknown {
  const { type } = field;
  if (field.defaultText === 'null') return () => null;
  if (type.kind === 'array') return () => [];
  if (type.kind === 'struct') {
    const { struct } = type;
    return () => defaultStruct(struct);
  }
  const value = scalarDefault(field);
  return () => value;
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

/** A structure in which every field has its default. */
export function defaultStruct(struct: Struct): Fields {
  const fields: Fields = {};
  for (const field of struct.fields) fields[field.name] = defaultMaker(field)();
  return fields;
}

/** Tells whether a value given for a field is what the field is when it is left out. */
export function defaultTest(field: Field): (value: unknown) => boolean {
  const { type } = field;
  if (field.defaultText === 'null') return (value) => value === null;
  if (type.kind === 'array') return (value) => Array.isArray(value) && value.length === 0;
  if (type.kind === 'struct') {
    const { struct } = type;
    return (value) => value !== null && isDefaultStruct(struct, value as Fields);
  }
  if (type.kind === 'bytes' || type.kind === 'records')
    return (value) => value !== null && (value as Buffer).length === 0;
  const expected = scalarDefault(field);
  return (value) => value === expected;
}

function isDefaultStruct(struct: Struct, value: Fields): boolean {
  if (Array.isArray(value['unknownTags']) && value['unknownTags'].length > 0) return false;
  return struct.fields.every((field) => {
    const given = value[field.name];
    return given === undefined || defaultTest(field)(given);
  });
}
