import type { JsonObject, JsonValue } from '../model/json.ts';
import { jsonDepthMax } from '../lib/limits.ts';

/**
 * Parses one JSON object and refuses what readers are known to disagree about: a member name that comes twice
 * (RFC 7515 §4 and RFC 7519 §4 let a verifier refuse it; taking "the last one" invites two readings of one token),
 * the name `__proto__`, and nesting deeper than `jsonDepthMax`.
 *
 * @throws SyntaxError that names the fault and no value
 */
export function parseStrictObject(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The engine's own message quotes the text, which may hold a secret.
    throw new SyntaxError('it is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError('it is not a JSON object');
  refuseAmbiguity(text);
  return value as JsonObject;
}

/** Walks text that is known to be valid JSON; only brackets and strings matter. */
function refuseAmbiguity(text: string): void {
  const open: Set<string>[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      if (isMemberName(text, end)) noteName(open.at(-1), JSON.parse(text.slice(at, end)) as string);
      at = end;
      continue;
    }
    if (character === '{' || character === '[') {
      open.push(new Set());
      if (open.length > jsonDepthMax) throw new SyntaxError(`it is nested deeper than ${jsonDepthMax} levels`);
    } else if (character === '}' || character === ']') {
      open.pop();
    }
    at += 1;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isMemberName(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return text[at] === ':';
}

function noteName(names: Set<string> | undefined, name: string): void {
  if (name === '__proto__') throw new SyntaxError('it has a member called __proto__');
  if (names === undefined || names.has(name)) throw new SyntaxError('it has two members of the same name');
  names.add(name);
}
