import type { JsonObject, JsonValue } from '../model/json.ts';

/** The member names to follow, outermost first. */
export type ClaimPath = readonly [string, ...string[]];

/**
 * Reads a path such as `sub`, `realm_access.roles` or `"https://acme.example/groups"`: names separated by dots, a name
 * that has dots or quotes of its own in double quotes, written as a JSON string.
 *
 * @throws Error that says what is wrong with it
 */
export function parseClaimPath(text: string): ClaimPath {
  const names: string[] = [];
  let rest = text;
  for (;;) {
    const [matched, quoted, plain] = /^(?:("(?:[^"\\]|\\.)*")|([^".]+))/.exec(rest) ?? [];
    if (matched === undefined) throw new Error(`claim path ${JSON.stringify(text)} has an empty or unfinished name`);
    names.push(quoted === undefined ? (plain ?? '') : unquote(quoted, text));
    rest = rest.slice(matched.length);
    if (rest === '') break;
    if (!rest.startsWith('.')) throw new Error(`claim path ${JSON.stringify(text)} needs a dot between its names`);
    rest = rest.slice(1);
  }
  const [first, ...others] = names;
  if (first === undefined || names.includes(''))
    throw new Error(`claim path ${JSON.stringify(text)} has an empty name`);
  return [first, ...others];
}

function unquote(quoted: string, text: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new Error(`claim path ${JSON.stringify(text)} has a quoted name that is not a JSON string`);
  }
}

/** The value at the path; `undefined` where a name is missing. Own members only: `constructor` finds nothing. */
export function readClaim(claims: JsonObject, path: ClaimPath): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}
