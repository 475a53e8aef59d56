/** JSON in its canonical form (RFC 8785): what every entry is written in. On the hot path, so it does no more than it must. */
import type { JsonObject, JsonValue } from '../model/json.ts';

/** Deeper data is a mistake of the emitter; also what ends a circle. */
const nestingMax = 32;
/** Needs no escape in JSON (RFC 8785 §3.2.2.2) and is well formed. */
const plain = /^[ !#-[\]-~]*$/;
const constants = new WeakMap<object, string>();

/** Data that many entries hold: it is frozen, whole, and written out once. */
export function constantData<Data extends JsonObject>(data: Data): Data {
  constants.set(freeze(data) as object, objectText(data, 0));
  return data;
}

/** Whether it came from `constantData`: its text stays what it is. */
export function isConstant(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && constants.has(value);
}

/** @throws TypeError where the value holds what JSON cannot carry: NaN, a lone surrogate, a circle, an object that is no plain one */
export function canonicalText(value: JsonValue): string {
  return textOf(value, 0);
}

function textOf(value: JsonValue, depth: number): string {
  switch (typeof value) {
    case 'string':
      return stringText(value);
    case 'number':
      // As ECMAScript writes numbers (§3.2.2.3); minus zero becomes zero.
      if (Number.isFinite(value)) return String(value);
      throw new TypeError('a number is not finite');
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth === nestingMax) throw new TypeError(`it is nested deeper than ${nestingMax} levels`);
      return Array.isArray(value)
        ? arrayText(value as readonly JsonValue[], depth + 1)
        : objectText(value as JsonObject, depth + 1);
    default:
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

function stringText(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (text.isWellFormed()) return JSON.stringify(text);
  throw new TypeError('a text holds a lone surrogate');
}

function arrayText(values: readonly JsonValue[], depth: number): string {
  let text = '';
  for (const value of values) text += text === '' ? textOf(value, depth) : `,${textOf(value, depth)}`;
  return `[${text}]`;
}

function objectText(object: JsonObject, depth: number): string {
  const known = constants.get(object);
  if (known !== undefined) return known;
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('an object is no plain one');
  let text = '';
  for (const name of sortedNames(object)) {
    const value = object[name];
    // A field that is not there is left out, as JSON.stringify does.
    if (value === undefined) continue;
    text += `${text === '' ? '' : ','}${stringText(name)}:${textOf(value, depth)}`;
  }
  return `{${text}}`;
}

/** By UTF-16 code units (§3.2.3), as `<` and `sort` compare. Hot entries are made in this order. */
function sortedNames(object: JsonObject): readonly string[] {
  const names = Object.keys(object);
  for (let i = 1; i < names.length; i += 1) {
    if ((names[i] as string) < (names[i - 1] as string)) return names.sort();
  }
  return names;
}

function freeze(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
