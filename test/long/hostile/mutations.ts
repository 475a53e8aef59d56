/** Damage to a request that knows where its lengths, counts and tags stand. The same for the same seed. */
import type { ApiName } from '../../../src/ports/kafka/protocol/protocol.ts';
import { Mutator } from '../../../src/ports/kafka/protocol/testing/mutation.ts';
import { type ArraySpan, type Span, type Structure, structureOf } from './structure.ts';

export type MutationName =
  | 'none'
  | 'length'
  | 'count'
  | 'varint'
  | 'tags'
  | 'key'
  | 'version'
  | 'correlation'
  | 'truncate'
  | 'splice'
  | 'repeat'
  | 'value'
  | 'bytes'
  | 'size';

const mutationNames: readonly MutationName[] = [
  'length',
  'count',
  'varint',
  'tags',
  'key',
  'version',
  'correlation',
  'truncate',
  'splice',
  'repeat',
  'value',
  'bytes',
];

const telling: readonly number[] = [
  0, 1, -1, -2, 2, 127, 128, 255, 32_767, 65_535, 1_000_001, 0x7fff_ffff, -0x8000_0000,
];
/** Requests that grow by repeating an element end here. */
const repeatedBytesMax = 400_000;

export interface Damaged {
  /** With its size in front. */
  readonly frame: Buffer;
  readonly names: readonly MutationName[];
}

export class Attack {
  readonly random: Mutator;
  /** One request in so many is damaged; a connection rarely outlives damage, so those that are rarer see more. */
  readonly #damagedOneIn: number;

  constructor(seed: number) {
    this.random = new Mutator(seed);
    this.#damagedOneIn = this.pick([1, 2, 5, 30]);
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.random.next(from.length)];
    if (one === undefined) throw new Error('there is nothing to pick from');
    return one;
  }

  /** True in one of so many cases. */
  once(inSoMany: number): boolean {
    return this.random.next(inSoMany) === 0;
  }

  /**
   * @param payload well-formed, without its size
   * @param other another one, to splice with
   */
  damage(api: ApiName, payload: Buffer, other: Buffer): Damaged {
    // The others go as they are: what they ask for is what must be refused.
    if (!this.once(this.#damagedOneIn)) return { frame: framed(payload), names: ['none'] };
    const structure = structureOf(api, payload);
    let bytes = payload;
    const names: MutationName[] = [];
    for (let left = 1 + this.random.next(2); left > 0; left -= 1) {
      const name = this.pick(mutationNames);
      // Where things stand is known of the undamaged request only.
      bytes = names.length === 0 ? this.#first(name, bytes, structure, other) : this.random.mutate(bytes);
      names.push(names.length === 0 ? name : 'bytes');
    }
    const frame = framed(bytes);
    if (this.once(60)) {
      frame.writeInt32BE(
        this.pick([bytes.length + 1, bytes.length - 1, 0, -1, 0x7fff_ffff, 200_000_000, 104_857_600]),
        0,
      );
      names.push('size');
    }
    return { frame, names };
  }

  #first(name: MutationName, payload: Buffer, structure: Structure, other: Buffer): Buffer {
    const of = (...kinds: Span['kind'][]): readonly Span[] =>
      structure.spans.filter(({ kind }) => kinds.includes(kind));
    switch (name) {
      case 'length':
        return this.#announced(payload, of('length2', 'length4', 'lengthVar'));
      case 'count':
        return this.#announced(payload, of('count4', 'countVar'));
      case 'varint':
        return this.#overlong(payload, of('lengthVar', 'countVar', 'tags'));
      case 'tags':
        return this.#tagged(payload, of('tags'));
      case 'key':
        return this.#head(payload, 0, this.pick([this.random.next(100), 10_000 + this.random.next(100), -1, 32_767]));
      case 'version':
        return this.#head(payload, 2, this.pick([this.random.next(20), -1, 99, 32_767]));
      case 'correlation':
        return this.#correlated(payload);
      case 'truncate':
        return payload.subarray(0, this.#boundary(payload, structure));
      case 'splice':
        return Buffer.concat([
          payload.subarray(0, this.#boundary(payload, structure)),
          other.subarray(this.random.next(other.length)),
        ]);
      case 'repeat':
        return structure.arrays.length === 0 ? payload : this.#repeated(payload, this.pick(structure.arrays));
      case 'value':
        return this.#value(payload, of('value'));
      default:
        return this.random.mutate(payload);
    }
  }

  /** Another length or count than what follows. */
  #announced(payload: Buffer, spans: readonly Span[]): Buffer {
    if (spans.length === 0) return payload;
    const { kind, start, end } = this.pick(spans);
    const wanted = this.once(2) ? this.pick(telling) : this.random.next(300);
    return replaced(payload, start, end, announce(kind, wanted));
  }

  /** The same number in more bytes than it needs, or more than a number may have. */
  #overlong(payload: Buffer, spans: readonly Span[]): Buffer {
    if (spans.length === 0) return payload;
    const { start, end } = this.pick(spans);
    const bytes = Buffer.from(payload.subarray(start, end));
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) | 0x80;
    const more = this.once(3) ? Buffer.alloc(8, 0x80) : Buffer.alloc(0);
    return replaced(payload, start, end, Buffer.concat([bytes, more, Buffer.from([0])]));
  }

  /** Tagged fields that nobody asked for: unknown ones, known ones in the wrong place, twice, in the wrong order, too long. */
  #tagged(payload: Buffer, spans: readonly Span[]): Buffer {
    if (spans.length === 0) return payload;
    const { start, end } = this.pick(spans);
    const one = (tag: number, data: Buffer, length = data.length): Buffer =>
      Buffer.concat([uvarint(tag), uvarint(length), data]);
    const noise = Buffer.from(Array.from({ length: this.random.next(40) }, () => this.random.next(256)));
    const tag = this.random.next(5);
    const sections: readonly Buffer[] = [
      Buffer.concat([uvarint(1), one(tag, noise)]),
      Buffer.concat([uvarint(2), one(tag, noise), one(tag, noise)]),
      Buffer.concat([uvarint(2), one(tag + 1, noise), one(tag, noise)]),
      Buffer.concat([uvarint(1), one(tag, noise, noise.length + 1 + this.random.next(1_000_000))]),
      Buffer.concat([uvarint(1_001), ...Array.from({ length: 1_001 }, (_, index) => one(index + 10, Buffer.alloc(0)))]),
      uvarint(0xffff_ffff),
    ];
    return replaced(payload, start, end, this.pick(sections));
  }

  #head(payload: Buffer, at: 0 | 2, value: number): Buffer {
    const changed = Buffer.from(payload);
    changed.writeInt16BE(value, at);
    return changed;
  }

  #correlated(payload: Buffer): Buffer {
    const changed = Buffer.from(payload);
    changed.writeInt32BE(this.pick([0, -1, 1, 0x7fff_ffff, -0x8000_0000]), 4);
    return changed;
  }

  /** One element of an array again and again, and the count along with it: hundreds of topics, partitions, groups. */
  #repeated(payload: Buffer, { count, bounds }: ArraySpan): Buffer {
    const at = this.random.next(bounds.length - 1);
    const element = payload.subarray(bounds[at] ?? 0, bounds[at + 1] ?? 0);
    const fitting = Math.max(1, Math.floor(repeatedBytesMax / Math.max(element.length, 1)));
    const times = Math.min(fitting, this.pick([2, 20, 300, 3_000, 20_000]));
    const elements = payload.subarray(bounds[0] ?? 0, bounds.at(-1) ?? 0);
    const more = Buffer.concat(Array.from({ length: times }, () => element));
    const announced = announce(count.kind, bounds.length - 1 + times);
    return replaced(payload, count.start, bounds.at(-1) ?? count.end, Buffer.concat([announced, elements, more]));
  }

  #value(payload: Buffer, spans: readonly Span[]): Buffer {
    if (spans.length === 0) return payload;
    const { start, end } = this.pick(spans);
    const changed = Buffer.from(payload);
    const fill = this.pick([0x00, 0xff, 0x80, 0x7f, this.random.next(256)]);
    if (this.once(2)) changed.fill(fill, start, end);
    else changed[start + this.random.next(Math.max(1, end - start))] = this.random.next(256);
    return changed;
  }

  #boundary(payload: Buffer, { spans }: Structure): number {
    return this.once(2) ? this.random.next(payload.length) : this.pick(spans)[this.once(2) ? 'start' : 'end'];
  }
}

function framed(payload: Buffer): Buffer {
  const frame = Buffer.alloc(payload.length + 4);
  frame.writeInt32BE(payload.length, 0);
  payload.copy(frame, 4);
  return frame;
}

function replaced(payload: Buffer, start: number, end: number, by: Buffer): Buffer {
  return Buffer.concat([payload.subarray(0, start), by, payload.subarray(end)]);
}

function announce(kind: Span['kind'], value: number): Buffer {
  if (kind === 'length2') {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE((value << 16) >> 16);
    return bytes;
  }
  if (kind === 'length4' || kind === 'count4') {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  }
  return uvarint((value + 1) >>> 0);
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value >>> 0;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}
