/** Arbitrary messages from the schema, for the tests of the codec. */
import fc from 'fast-check';

import { apis } from '../apis.ts';
import { defaultMaker } from '../defaults.ts';
import type { ApiName } from '../messages.gen.ts';
import { decodeRequest, decodeResponseBody, encodeRequest, encodeResponse } from '../messages.ts';
import type { Field, FieldType, Struct } from '../schema.ts';
import { includes, messageSchema } from '../schema.ts';

/** One API in one version and direction, with its types set aside so that all can stand in one list. */
export interface MessageCase {
  readonly label: string;
  readonly api: ApiName;
  readonly version: number;
  readonly direction: 'request' | 'response';
  readonly flexible: boolean;
  readonly message: fc.Arbitrary<object>;
  /** The body alone, without frame and header. */
  readonly encode: (message: object) => Buffer;
  readonly decode: (body: Buffer) => object;
}

const clientId = 'test';

/** Every API that the codec has, in every version and both directions. */
export function messageCases(): MessageCase[] {
  return apis.flatMap((row) => {
    const cases: MessageCase[] = [];
    for (let version = row.minVersion; version <= row.maxVersion; version += 1) {
      cases.push(requestCase(row.name, version), responseCase(row.name, version));
    }
    return cases;
  });
}

function requestCase(api: ApiName, version: number): MessageCase {
  const schema = messageSchema(`${api}Request`);
  const flexible = includes(schema.flexible, version);
  // Size, key, version, correlation id, client id and, where flexible, the header's tags.
  const bodyFrom = 4 + 2 + 2 + 4 + 2 + clientId.length + (flexible ? 1 : 0);
  return {
    label: `${api} request v${version}`,
    api,
    version,
    direction: 'request',
    flexible,
    message: structArbitrary(schema.struct, version, flexible),
    encode: (message) => encodeRequest(api, version, { correlationId: 7, clientId }, message).subarray(bodyFrom),
    decode: (body) => decodeRequest(api, version, body, 0),
  };
}

function responseCase(api: ApiName, version: number): MessageCase {
  const schema = messageSchema(`${api}Response`);
  const flexible = includes(schema.flexible, version);
  const bodyFrom = 4 + 4 + (flexible && api !== 'ApiVersions' ? 1 : 0);
  return {
    label: `${api} response v${version}`,
    api,
    version,
    direction: 'response',
    flexible,
    message: structArbitrary(schema.struct, version, flexible),
    encode: (message) => encodeResponse(api, version, 7, message).subarray(bodyFrom),
    decode: (body) => decodeResponseBody(api, version, body, 0),
  };
}

const buffers = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
const uuids = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
/** Tags beyond any that a schema has. */
const unknownTags = fc
  .uniqueArray(
    fc.record({ tag: fc.integer({ min: 100, max: 0x7fff_ffff }), data: buffers }, { noNullPrototype: true }),
    {
      maxLength: 2,
      selector: (section) => section.tag,
    },
  )
  .map((sections) => sections.sort((a, b) => a.tag - b.tag));

/** A structure as the decoder gives it: every field there, those the version lacks at their default. */
function structArbitrary(struct: Struct, version: number, flexible: boolean): fc.Arbitrary<object> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of struct.fields) fields[field.name] = fieldArbitrary(field, version, flexible);
  const plain = fc.record(fields, { noNullPrototype: true });
  if (!flexible) return plain;
  return fc
    .tuple(plain, fc.option(unknownTags, { freq: 4, nil: [] }))
    .map(([message, tags]) => (tags.length === 0 ? message : { ...message, unknownTags: tags }));
}

function fieldArbitrary(field: Field, version: number, flexible: boolean): fc.Arbitrary<unknown> {
  if (!includes(field.versions, version)) return fc.constant(null).map(defaultMaker(field));
  const value = typeArbitrary(field.type, version, flexible);
  return includes(field.nullable, version) ? fc.option(value, { nil: null, freq: 3 }) : value;
}

function typeArbitrary(type: FieldType, version: number, flexible: boolean): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -0x80, max: 0x7f });
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case 'uint16':
      return fc.integer({ min: 0, max: 0xffff });
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'float64':
      return fc.double();
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 8 });
    case 'uuid':
      return uuids;
    case 'bytes':
    case 'records':
      return buffers;
    case 'array':
      return fc.array(typeArbitrary(type.element, version, flexible), { maxLength: 2 });
    case 'struct':
      return structArbitrary(type.struct, version, flexible);
  }
}
