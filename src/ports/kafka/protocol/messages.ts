/**
 * Whole messages: headers, bodies, frames. Readers and writers are compiled at first use of a message in a version and kept.
 */
import { apiByKey, apiByName, supportsVersion } from './apis.ts';
import type { ApiRow } from './apis.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Read } from './compile-reader.ts';
import { compileReader, readUnknownTags } from './compile-reader.ts';
import type { Write } from './compile-writer.ts';
import { compileWriter } from './compile-writer.ts';
import type { ApiName, DataMessages, RequestMessages, ResponseMessages } from './messages.gen.ts';
import { ProtocolError } from './protocol-error.ts';
import type { MessageSchema } from './schema.ts';
import { includes, messageSchema } from './schema.ts';
import type { Draft, UnknownTag } from './values.ts';

/** What stands before every request. */
export interface DecodedRequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Tagged fields of header v2; empty for v1. */
  readonly unknownTags: readonly UnknownTag[];
  /** Where the body starts, in bytes from the start of the payload. */
  readonly headerBytes: number;
}

/** What a sender chooses of a request header. */
export interface RequestHeaderDraft {
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly unknownTags?: readonly UnknownTag[];
}

/** One message in one version. */
class Codec {
  readonly label: string;
  readonly #schema: MessageSchema;
  readonly #version: number;
  #read: Read | undefined;
  #write: Write | undefined;
  #bytesHint = 0;

  constructor(schema: MessageSchema, version: number) {
    this.label = `${schema.name} v${version}`;
    this.#schema = schema;
    this.#version = version;
  }

  read(reader: ByteReader): unknown {
    this.#read ??= compileReader(this.#schema, this.#version);
    return this.#read(reader);
  }

  /** A writer with room for a message like the one before, so that most are written without growing. */
  writer(): ByteWriter {
    return new ByteWriter(this.label, Math.min(this.#bytesHint, hintBytesMax) + frameBytesMin);
  }

  write(writer: ByteWriter, message: unknown): void {
    this.#write ??= compileWriter(this.#schema, this.#version);
    const start = writer.position;
    this.#write(writer, message);
    this.#bytesHint = writer.position - start;
  }
}

const codecs = new Map<string, (Codec | undefined)[]>();

function codec(name: string, version: number): Codec {
  const known = codecs.get(name)?.[version];
  return known ?? newCodec(name, version);
}

function newCodec(name: string, version: number): Codec {
  const schema = messageSchema(name);
  if (!Number.isInteger(version) || !includes(schema.versions, version)) throw unsupported(name, version);
  const made = new Codec(schema, version);
  const versions = codecs.get(name) ?? [];
  versions[version] = made;
  codecs.set(name, versions);
  return made;
}

function unsupported(name: string, version: number): ProtocolError {
  return new ProtocolError('unsupported-version', 0, `${name} has no version ${version} here`);
}

function rowFor(name: ApiName, version: number): ApiRow {
  const row = apiByName(name);
  if (!supportsVersion(row, version)) throw unsupported(name, version);
  return row;
}

function isFlexible(flexibleFrom: number | null, version: number): boolean {
  return flexibleFrom !== null && version >= flexibleFrom;
}

const requestHeaderV2 = 2;
const requestHeaderV1 = 1;

/**
 * Reads the header of a request from a frame without its size. For an API or version this codec does not have it reads
 * only what header v1 holds, which every version starts with, so that the request can be refused in Kafka's own words
 * (KIP-511 for ApiVersions). Throws `ProtocolError`.
 */
export function decodeRequestHeader(payload: Buffer): DecodedRequestHeader {
  const reader = new ByteReader(payload, 0, 'RequestHeader');
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.lenientNullableString();
  const row = apiByKey(apiKey);
  const flexible =
    row !== undefined && supportsVersion(row, apiVersion) && isFlexible(row.requestFlexibleFrom, apiVersion);
  const unknownTags = flexible ? readUnknownTags(reader) : [];
  return { apiKey, apiVersion, correlationId, clientId, unknownTags, headerBytes: reader.position };
}

/** Reads the body of a request from `offset`, the header's `headerBytes`, to the end. Throws `ProtocolError`. */
export function decodeRequest<N extends ApiName>(
  name: N,
  version: number,
  payload: Buffer,
  offset: number,
): RequestMessages[N] {
  rowFor(name, version);
  return decodeBody(`${name}Request`, version, payload, offset) as RequestMessages[N];
}

/** Reads a whole response, header first, from a frame without its size. Throws `ProtocolError`. */
export function decodeResponse<N extends ApiName>(
  name: N,
  version: number,
  payload: Buffer,
): { correlationId: number; message: ResponseMessages[N]; unknownTags: readonly UnknownTag[] } {
  const row = rowFor(name, version);
  const found = codec(`${name}Response`, version);
  const reader = new ByteReader(payload, 0, found.label);
  const correlationId = reader.int32();
  const unknownTags = isFlexible(row.responseFlexibleFrom, version) ? readUnknownTags(reader) : [];
  const message = found.read(reader) as ResponseMessages[N];
  reader.finish();
  return { correlationId, message, unknownTags };
}

/** Reads the body of a response from `offset` to the end, where the header was read already. Throws `ProtocolError`. */
export function decodeResponseBody<N extends ApiName>(
  name: N,
  version: number,
  payload: Buffer,
  offset: number,
): ResponseMessages[N] {
  rowFor(name, version);
  return decodeBody(`${name}Response`, version, payload, offset) as ResponseMessages[N];
}

function decodeBody(fullName: string, version: number, payload: Buffer, offset: number): unknown {
  const found = codec(fullName, version);
  const reader = new ByteReader(payload, offset, found.label);
  const message = found.read(reader);
  if (!openEnded.has(fullName)) reader.finish();
  return message;
}

/**
 * Messages that stock clients send with bytes left over, which brokers do not look at. librdkafka, when it asks for all
 * topics in a flexible version (`list_topics`, `kcat -L`), leaves three of the four bytes it had set aside for the length
 * of the array. What is forwarded is written anew, without them.
 */
const openEnded: ReadonlySet<string> = new Set(['MetadataRequest']);

const sizeBytes = 4;
const frameBytesMin = 256;
const hintBytesMax = 1_048_576;

/** Writes a request as a complete frame, its size first. Throws `ProtocolError` for what the version cannot carry. */
export function encodeRequest<N extends ApiName>(
  name: N,
  version: number,
  header: RequestHeaderDraft,
  message: Draft<RequestMessages[N]>,
): Buffer {
  const row = rowFor(name, version);
  const found = codec(`${name}Request`, version);
  const writer = found.writer();
  writer.int32(0);
  const headerVersion = isFlexible(row.requestFlexibleFrom, version) ? requestHeaderV2 : requestHeaderV1;
  codec('RequestHeader', headerVersion).write(writer, {
    requestApiKey: row.key,
    requestApiVersion: version,
    correlationId: header.correlationId,
    clientId: header.clientId,
    unknownTags: header.unknownTags,
  });
  found.write(writer, message);
  return frame(writer);
}

/** Writes a response as a complete frame, its size first. Throws `ProtocolError` for what the version cannot carry. */
export function encodeResponse<N extends ApiName>(
  name: N,
  version: number,
  correlationId: number,
  message: Draft<ResponseMessages[N]>,
  unknownTags: readonly UnknownTag[] = [],
): Buffer {
  const row = rowFor(name, version);
  const found = codec(`${name}Response`, version);
  const writer = found.writer();
  writer.int32(0);
  const headerVersion = isFlexible(row.responseFlexibleFrom, version) ? 1 : 0;
  codec('ResponseHeader', headerVersion).write(writer, { correlationId, unknownTags });
  found.write(writer, message);
  return frame(writer);
}

function frame(writer: ByteWriter): Buffer {
  writer.int32At(0, writer.position - sizeBytes);
  return writer.finish();
}

/**
 * Reads a message that travels inside another, such as a member's subscription, from `offset` to the end. Its version
 * is the caller's to know: group metadata carries it in two bytes before. Throws `ProtocolError`.
 */
export function decodeData<N extends keyof DataMessages>(
  name: N,
  version: number,
  bytes: Buffer,
  offset: number,
): DataMessages[N] {
  return decodeBody(name, version, bytes, offset) as DataMessages[N];
}

/** Writes the body of a message that travels inside another. Throws `ProtocolError`. */
export function encodeData<N extends keyof DataMessages>(
  name: N,
  version: number,
  message: Draft<DataMessages[N]>,
): Buffer {
  const found = codec(name, version);
  const writer = found.writer();
  found.write(writer, message);
  return writer.finish();
}
