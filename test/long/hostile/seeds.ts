/**
 * The requests that real clients sent (test/wire/kafka), aimed: their names and ids are replaced by those of the
 * victim, so that what is not broken by the damage asks for what must be refused.
 */
import { globSync, readFileSync } from 'node:fs';
import {
  type ApiName,
  ProtocolError,
  apiByKey,
  apiByName,
  decodeRequest,
  decodeRequestHeader,
  encodeRequest,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import { type FieldType, type Struct, includes, messageSchema } from '../../../src/ports/kafka/protocol/schema.ts';
import type { Attack } from './mutations.ts';

const folder = new URL('../../wire/kafka/', import.meta.url).pathname;

interface Seed {
  readonly api: ApiName;
  readonly version: number;
  readonly body: unknown;
  readonly payload: Buffer;
}

/** Names and ids that requests are aimed at. */
export interface Aims {
  readonly names: readonly string[];
  /** Topic ids in base64url. */
  readonly ids: readonly string[];
  readonly records: readonly Buffer[];
}

export interface Aimed {
  readonly api: ApiName;
  /** Without its size. */
  readonly payload: Buffer;
}

export class Seeds {
  readonly #all: readonly Seed[];
  readonly #aims: Aims;

  constructor(aims: Aims) {
    this.#aims = aims;
    this.#all = globSync('*/request-v*.hex', { cwd: folder }).toSorted().map(seedOf);
  }

  get count(): number {
    return this.#all.length;
  }

  /** Any recorded request, as it was. */
  any(attack: Attack): Buffer {
    return attack.pick(this.#all).payload;
  }

  /** @param only of these APIs; default all */
  aimed(attack: Attack, correlationId: number, only?: readonly ApiName[]): Aimed {
    const pool = only === undefined ? this.#all : this.#all.filter(({ api }) => only.includes(api));
    const seed = attack.pick(pool);
    const { api, body } = seed;
    const { minVersion, maxVersion } = apiByName(api);
    const version = attack.once(2) ? seed.version : minVersion + attack.random.next(maxVersion - minVersion + 1);
    const aiming = new Aiming(attack, this.#aims, version);
    const message = aiming.struct(messageSchema(`${api}Request`).struct, body as Record<string, unknown>);
    const clientId = attack.pick(['mallory', 'mallory', 'mallory', null, '', 'm'.repeat(300)]);
    try {
      return { api, payload: encodeRequest(api, version, { correlationId, clientId }, message).subarray(4) };
    } catch (error) {
      // Something in a field that this version does not carry.
      if (!(error instanceof ProtocolError)) throw error;
      const frame = encodeRequest(api, seed.version, { correlationId, clientId }, body as object);
      return { api, payload: frame.subarray(4) };
    }
  }
}

function seedOf(file: string): Seed {
  const text = readFileSync(folder + file, 'utf8').replaceAll(/^#.*$|\s/gm, '');
  const payload = Buffer.from(text, 'hex');
  const { apiKey, apiVersion, headerBytes } = decodeRequestHeader(payload);
  const api = apiByKey(apiKey)?.name;
  if (api === undefined) throw new Error(`${file} is a request of no API`);
  return { api, version: apiVersion, body: decodeRequest(api, apiVersion, payload, headerBytes), payload };
}

/** A copy of a message in which some values are others. */
class Aiming {
  readonly #attack: Attack;
  readonly #aims: Aims;
  readonly #version: number;

  constructor(attack: Attack, aims: Aims, version: number) {
    this.#attack = attack;
    this.#aims = aims;
    this.#version = version;
  }

  struct(struct: Struct, message: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const aimed: Record<string, unknown> = {};
    for (const { name, type, versions } of struct.fields)
      aimed[name] = includes(versions, this.#version) ? this.#value(type, message[name]) : message[name];
    return aimed;
  }

  #value(type: FieldType, value: unknown): unknown {
    if (type.kind === 'struct' && value !== null && typeof value === 'object')
      return this.struct(type.struct, value as Readonly<Record<string, unknown>>);
    if (type.kind === 'array' && Array.isArray(value))
      return value.map((element) => this.#value(type.element, element));
    if (type.kind === 'string' && typeof value === 'string' && this.#attack.once(2))
      return this.#attack.pick(this.#aims.names);
    if (type.kind === 'uuid' && !this.#attack.once(4)) return this.#attack.pick(this.#aims.ids);
    if (type.kind === 'records' && this.#attack.once(2)) return this.#attack.pick(this.#aims.records);
    if (type.kind === 'int32' && this.#attack.once(12)) return this.#attack.pick([-1, 0, 1, 2, 0x7fff_ffff]);
    if (type.kind === 'int64' && this.#attack.once(12))
      return this.#attack.pick([-1n, 0n, 1n, 2n, 0x7fff_ffff_ffff_ffffn]);
    return value;
  }
}
