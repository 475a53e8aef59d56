/**
 * Kafka's message schemas as typed data. The JSON beside this file holds facts of Apache Kafka's own message
 * definitions; the types in `messages.gen.ts` and every reader and writer come from what is built here.
 */
import protocolData from './schema/kafka-protocol.json' with { type: 'json' };

/** Versions from `from` to `to`, both included; empty where `from` is the larger. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

export type ScalarKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records';

export type FieldType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'array'; readonly element: FieldType }
  | { readonly kind: 'struct'; readonly struct: Struct };

export interface Field {
  /** camelCase */
  readonly name: string;
  readonly type: FieldType;
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  /** Versions in which it is a tagged field (KIP-482); in its other versions it stands in line. */
  readonly tagged: VersionRange;
  readonly tag: number;
  /** As written in the schema; undefined means the default of its type. */
  readonly defaultText: string | undefined;
  /** True where a value may be dropped silently in a version that has no such field. */
  readonly ignorable: boolean;
  /** Kept in the old encoding even in flexible versions: `client_id` (KIP-482). */
  readonly neverFlexible: boolean;
  /** Brokers keep the elements of the array in a hash table, and this field is (part of) the key. */
  readonly mapKey: boolean;
}

export interface Struct {
  /** Unique over all messages: the message's name, then the structure's own. */
  readonly name: string;
  readonly fields: readonly Field[];
}

export interface MessageSchema {
  readonly name: string;
  readonly versions: VersionRange;
  readonly flexible: VersionRange;
  readonly struct: Struct;
}

interface RawField {
  name: string;
  type: string;
  versions: string;
  nullableVersions?: string;
  taggedVersions?: string;
  tag?: number;
  default?: string | number | boolean;
  ignorable?: boolean;
  flexibleVersions?: string;
  mapKey?: boolean;
  fields?: RawField[];
}

interface RawMessage {
  name: string;
  validVersions: string;
  flexibleVersions?: string;
  fields?: RawField[];
  commonStructs?: { name: string; fields: RawField[] }[];
}

/** One API as the specification lists it; versions are null where it was removed. */
export interface RawApi {
  apiKey: number;
  name: string;
  minVersion: number | null;
  maxVersion: number | null;
  maxStableVersion: number | null;
  advertisedMinVersion?: number;
  requestHeaderV2From: number | null;
  responseHeaderV1From: number | null;
  listeners: string[];
  clusterAction: boolean;
  forwardable: boolean;
}

// The compiler's own type for the file is a union of hundreds of shapes; the ones above are what the codec relies on.
const data = protocolData as unknown as { apis: RawApi[]; messages: RawMessage[] };

const noVersions: VersionRange = { from: 1, to: 0 };
const versionMax = 32_767;
const scalarKinds: ReadonlySet<string> = new Set<ScalarKind>([
  'bool',
  'int8',
  'int16',
  'uint16',
  'int32',
  'int64',
  'float64',
  'string',
  'uuid',
  'bytes',
  'records',
]);

/** Every API of the specification, removed ones too. */
export const rawApis: readonly RawApi[] = data.apis;

export function includes(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to;
}

function versionRange(text: string | undefined): VersionRange {
  if (text === undefined || text === 'none') return noVersions;
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new Error(`Kafka schema: "${text}" is not a range of versions`);
  const from = Number(match[1]);
  if (match[2] === '+') return { from, to: versionMax };
  return { from, to: match[3] === undefined ? from : Number(match[3]) };
}

function isScalar(type: string): type is ScalarKind {
  return scalarKinds.has(type);
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** Builds one message's structures; a structure used twice in a message is one object. */
class StructBuilder {
  readonly #message: RawMessage;
  readonly #structs = new Map<string, Struct>();

  constructor(message: RawMessage) {
    this.#message = message;
  }

  struct(name: string, fields: readonly RawField[]): Struct {
    return { name, fields: fields.map((field) => this.#field(field)) };
  }

  #field(raw: RawField): Field {
    return {
      name: lowerFirst(raw.name),
      type: this.#type(raw.type, raw),
      versions: versionRange(raw.versions),
      nullable: versionRange(raw.nullableVersions),
      tagged: versionRange(raw.taggedVersions),
      tag: raw.tag ?? -1,
      defaultText: raw.default === undefined ? undefined : String(raw.default),
      ignorable: raw.ignorable ?? false,
      neverFlexible: raw.flexibleVersions === 'none',
      mapKey: raw.mapKey ?? false,
    };
  }

  #type(type: string, raw: RawField): FieldType {
    if (type.startsWith('[]')) return { kind: 'array', element: this.#type(type.slice(2), raw) };
    if (isScalar(type)) return { kind: type };
    return { kind: 'struct', struct: this.#named(type, raw) };
  }

  #named(type: string, raw: RawField): Struct {
    const known = this.#structs.get(type);
    if (known !== undefined) return known;
    const fields = raw.fields ?? this.#message.commonStructs?.find((struct) => struct.name === type)?.fields;
    if (fields === undefined) throw new Error(`Kafka schema: ${this.#message.name} has no structure "${type}"`);
    const struct = this.struct(this.#message.name + type, fields);
    this.#structs.set(type, struct);
    return struct;
  }
}

const rawMessages = new Map(data.messages.map((message) => [message.name, message]));
const schemas = new Map<string, MessageSchema>();

/** The schema of a message by its full name, such as `FetchRequest`; built at first use. Throws for a removed message. */
export function messageSchema(name: string): MessageSchema {
  const known = schemas.get(name);
  if (known !== undefined) return known;
  const raw = rawMessages.get(name);
  if (raw?.fields === undefined) throw new Error(`Kafka schema: there is no message "${name}"`);
  const schema: MessageSchema = {
    name,
    versions: versionRange(raw.validVersions),
    flexible: versionRange(raw.flexibleVersions),
    struct: new StructBuilder(raw).struct(name, raw.fields),
  };
  schemas.set(name, schema);
  return schema;
}
