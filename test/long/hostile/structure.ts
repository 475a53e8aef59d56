/** Where in a request's bytes each length, count, tag, text and number stands: what an attacker turns first. */
import { ByteReader } from '../../../src/ports/kafka/protocol/byte-reader.ts';
import { apiByName, decodeRequestHeader } from '../../../src/ports/kafka/protocol/protocol.ts';
import type { ApiName } from '../../../src/ports/kafka/protocol/protocol.ts';
import {
  type Field,
  type FieldType,
  type Struct,
  includes,
  messageSchema,
} from '../../../src/ports/kafka/protocol/schema.ts';

export interface Span {
  /** `length2`, `length4`, `count4`: big-endian; `lengthVar`, `countVar`, `tags`: unsigned varints; `value`: what they announce, or a number. */
  readonly kind: 'length2' | 'length4' | 'count4' | 'lengthVar' | 'countVar' | 'tags' | 'value';
  /** From the start of the payload. */
  readonly start: number;
  readonly end: number;
}

/** An array with its elements, each from its start to the start of the next. */
export interface ArraySpan {
  readonly count: Span;
  readonly bounds: readonly number[];
}

export interface Structure {
  readonly spans: readonly Span[];
  readonly arrays: readonly ArraySpan[];
}

/** @param payload a well-formed request without its size */
export function structureOf(api: ApiName, payload: Buffer): Structure {
  const { apiVersion, headerBytes, clientId } = decodeRequestHeader(payload);
  const schema = messageSchema(`${api}Request`);
  const walk = new Walk(payload, headerBytes, apiVersion, includes(schema.flexible, apiVersion));
  walk.mark('value', 0, 2);
  walk.mark('value', 2, 4);
  walk.mark('value', 4, 8);
  walk.mark('length2', 8, 10);
  const flexible = apiByName(api).requestFlexibleFrom;
  if (flexible !== null && apiVersion >= flexible) {
    const tagsAt = 10 + (clientId === null ? 0 : Buffer.byteLength(clientId));
    walk.mark('tags', tagsAt, tagsAt + 1);
  }
  walk.struct(schema.struct);
  return walk;
}

class Walk implements Structure {
  readonly spans: Span[] = [];
  readonly arrays: ArraySpan[] = [];
  readonly #reader: ByteReader;
  readonly #version: number;
  readonly #flexible: boolean;

  constructor(payload: Buffer, offset: number, version: number, flexible: boolean) {
    this.#reader = new ByteReader(payload, offset, 'walk');
    this.#version = version;
    this.#flexible = flexible;
  }

  mark(kind: Span['kind'], start: number, end: number): Span {
    const span = { kind, start, end };
    this.spans.push(span);
    return span;
  }

  struct(struct: Struct): void {
    for (const field of struct.fields) {
      if (includes(field.versions, this.#version) && !includes(field.tagged, this.#version)) this.#field(field);
    }
    if (this.#flexible) this.#tags(struct);
  }

  #tags(struct: Struct): void {
    const count = this.#varint('tags');
    for (let index = 0; index < count; index += 1) {
      const tag = this.#varint('value');
      const bytes = this.#varint('lengthVar');
      const field = struct.fields.find((one) => includes(one.tagged, this.#version) && one.tag === tag);
      if (field === undefined) this.#skip(bytes);
      else this.#field(field);
    }
  }

  #field(field: Field): void {
    this.#value(field.type, includes(field.nullable, this.#version), this.#flexible && !field.neverFlexible);
  }

  #value(type: FieldType, nullable: boolean, compact: boolean): void {
    switch (type.kind) {
      case 'string':
        this.#skip(compact ? this.#varint('lengthVar') - 1 : this.#fixed('length2'));
        return;
      case 'bytes':
      case 'records':
        this.#skip(compact ? this.#varint('lengthVar') - 1 : this.#fixed('length4'));
        return;
      case 'array':
        this.#array(type.element, compact);
        return;
      case 'struct':
        if (!nullable || this.#present()) this.struct(type.struct);
        return;
      default:
        this.#skip(bytesOf[type.kind]);
    }
  }

  #array(element: FieldType, compact: boolean): void {
    const start = this.#reader.position;
    const count = compact ? this.#reader.uvarint() - 1 : this.#reader.int32();
    const span = this.mark(compact ? 'countVar' : 'count4', start, this.#reader.position);
    const bounds = [this.#reader.position];
    for (let index = 0; index < count; index += 1) {
      this.#value(element, false, compact);
      bounds.push(this.#reader.position);
    }
    if (count > 0) this.arrays.push({ count: span, bounds });
  }

  #present(): boolean {
    const start = this.#reader.position;
    const mark = this.#reader.int8();
    this.mark('value', start, start + 1);
    return mark >= 0;
  }

  #varint(kind: Span['kind']): number {
    const start = this.#reader.position;
    const value = this.#reader.uvarint();
    this.mark(kind, start, this.#reader.position);
    return value;
  }

  #fixed(kind: 'length2' | 'length4'): number {
    const start = this.#reader.position;
    const value = kind === 'length2' ? this.#reader.int16() : this.#reader.int32();
    this.mark(kind, start, this.#reader.position);
    return value;
  }

  #skip(bytes: number): void {
    if (bytes <= 0) return;
    const start = this.#reader.position;
    this.#reader.skip(bytes);
    this.mark('value', start, start + bytes);
  }
}

const bytesOf = { bool: 1, int8: 1, int16: 2, uint16: 2, int32: 4, int64: 8, float64: 8, uuid: 16 } as const;
