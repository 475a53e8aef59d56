/**
 * What a request's arrays cost a broker before it looks at them. Brokers read arrays whose elements have a key (a
 * request's topics, a member's protocols) into a hash table with linear probing (`ImplicitLinkedHashCollection`), on
 * the thread that serves the network. Where many keys fall into one place, moving them into a larger table takes time
 * that grows with the cube of their number: 1600 equal names, 19 KB, hold the thread for seconds, 20 000 for hours,
 * and with it every client on it. So what would is refused here. Equal keys do that, and different ones whose Java
 * hashes are equal, of which anyone can make as many as he likes.
 */
import {
  keyedElementsFreeMax,
  keyedMovingStepsMax,
  keyedMovingStepsPerElementMax,
  keyedPlacingStepsMax,
  keyedPlacingStepsPerElementMax,
} from '../../../lib/limits.ts';
import type { ApiName } from './messages.gen.ts';
import { ProtocolError } from './protocol-error.ts';
import type { Field, FieldType, Struct } from './schema.ts';
import { messageSchema } from './schema.ts';

type Fields = Readonly<Record<string, unknown>>;
type Check = (message: Fields) => void;

const checks = new Map<ApiName, Check | null>();

/** @throws ProtocolError `bad-value` where a broker would be busy with the request for more than some milliseconds */
export function checkBrokerTables(api: ApiName, request: object): void {
  let check = checks.get(api);
  if (check === undefined) checks.set(api, (check = checkOf(messageSchema(`${api}Request`).struct)));
  check?.(request as Fields);
}

/** `null` where the structure has no keyed array at any depth. */
function checkOf(struct: Struct): Check | null {
  const arrays = struct.fields.flatMap((field) => {
    const check = checkOfArray(field);
    return check === null ? [] : [{ name: field.name, check }];
  });
  if (arrays.length === 0) return null;
  return (message) => {
    for (const { name, check } of arrays) {
      const elements = message[name];
      if (Array.isArray(elements)) check(elements as readonly Fields[]);
    }
  };
}

function checkOfArray({ name, type }: Field): ((elements: readonly Fields[]) => void) | null {
  const struct = elementOf(type);
  if (struct === null) return null;
  const keys = struct.fields.filter(({ mapKey }) => mapKey);
  const inner = checkOf(struct);
  if (keys.length === 0 && inner === null) return null;
  return (elements) => {
    if (keys.length > 0 && elements.length > keyedElementsFreeMax) checkKeys(name, keys, elements);
    if (inner !== null) for (const element of elements) inner(element);
  };
}

function elementOf(type: FieldType): Struct | null {
  return type.kind === 'array' && type.element.kind === 'struct' ? type.element.struct : null;
}

function checkKeys(name: string, keys: readonly Field[], elements: readonly Fields[]): void {
  const hashes = elements.map((element) => hashOf(keys, element));
  // The table that brokers read into, and the larger one that they move it to when it is full.
  const capacity = 2 * elements.length + 1;
  for (const slots of [capacity, 2 * capacity + 1]) {
    if (isCrowded(hashes, slots)) {
      throw new ProtocolError(
        'bad-value',
        0,
        `the keys of ${elements.length} "${name}" fall into one place of a broker's hash table`,
      );
    }
  }
}

/** As the `hashCode` of brokers' generated classes, in 32 bits that wrap. */
function hashOf(keys: readonly Field[], element: Fields): number {
  let hash = 0;
  for (const { name, type } of keys) hash = (Math.imul(31, hash) + hashOfValue(type, element[name])) | 0;
  return hash;
}

function hashOfValue({ kind }: FieldType, value: unknown): number {
  if (typeof value === 'number') return value | 0;
  if (typeof value !== 'string') return 0;
  return kind === 'uuid' ? hashOfUuid(value) : hashOfText(value);
}

function hashOfUuid(uuid: string): number {
  const bytes = Buffer.from(uuid, 'base64url');
  let hash = 0;
  for (let at = 0; at < bytes.length; at += 4) hash ^= bytes.readInt32BE(at);
  return hash;
}

function hashOfText(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0;
  return hash;
}

/** Whether placing the elements in a table of so many slots, or moving them out of it, takes too many steps. */
function isCrowded(hashes: readonly number[], slots: number): boolean {
  /** How far the element of a slot stands from its own place; -1 where there is none. */
  const away = new Int32Array(slots).fill(-1);
  let stepsLeft = keyedPlacingStepsMax + keyedPlacingStepsPerElementMax * hashes.length;
  for (const hash of hashes) {
    let slot = (hash & 0x7fff_ffff) % slots;
    let distance = 0;
    for (; away[slot] !== -1; distance += 1) slot = slot + 1 === slots ? 0 : slot + 1;
    away[slot] = distance;
    stepsLeft -= distance;
    if (stepsLeft < 0) return true;
  }
  return stepsToMove(away) > keyedMovingStepsMax + keyedMovingStepsPerElementMax * hashes.length;
}

/**
 * Elements are taken out one by one, and each time those that stand behind without a gap are placed anew, which takes
 * as many steps as they stand away from their own place.
 */
function stepsToMove(away: Int32Array): number {
  const gap = away.indexOf(-1);
  let steps = 0;
  let length = 0;
  let distances = 0;
  for (let index = 1; index <= away.length; index += 1) {
    const distance = away[(gap + index) % away.length] ?? -1;
    if (distance === -1) {
      steps += length * distances;
      length = 0;
      distances = 0;
    } else {
      length += 1;
      distances += distance;
    }
  }
  return steps;
}
