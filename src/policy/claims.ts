/** Claims as policies see them: a path finds values, values are compared as text. */
import { claimNestingMax } from '../lib/limits.ts';
import type { JsonObject, JsonValue } from '../model/json.ts';
import type { ClaimScalar } from './document.ts';
import { matches, parsePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';

/** Steps of a dot-separated path; a step that holds dots is quoted: `"https://x.y/groups".admin`. `null` where it is none. */
export function parseClaimPath(path: string): readonly string[] | null {
  const steps: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = path[at] === '"';
    const end = quoted ? path.indexOf('"', at + 1) : nextDot(path, at);
    const step = path.slice(quoted ? at + 1 : at, end);
    if (end === -1 || step === '' || (!quoted && step.includes('"'))) return null;
    steps.push(step);
    at = quoted ? end + 1 : end;
    if (at === path.length) return steps;
    if (path[at] !== '.') return null;
    at++;
  }
}

function nextDot(path: string, from: number): number {
  const dot = path.indexOf('.', from);
  return dot === -1 ? path.length : dot;
}

/** The claim at a path, found among own properties only; `undefined` where there is none. */
export function claimAt(claims: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const map = value as JsonObject;
    value = Object.hasOwn(map, step) ? map[step] : undefined;
  }
  return value;
}

/**
 * The text a value is compared by, `null` where it has none (null, maps, lists, and numbers too large to be exact).
 * Issuers disagree on whether an id is `65` or `"65"`; both compare as `65`.
 */
function claimText(value: JsonValue): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number' || (Number.isInteger(value) && !Number.isSafeInteger(value))) return null;
  return String(value);
}

/** The texts a claim offers: its own, or for a list those of its elements. */
export function claimTexts(claims: JsonObject, path: readonly string[]): readonly string[] {
  const value = claimAt(claims, path);
  if (value === undefined) return [];
  const values = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  return values.map(claimText).filter((text) => text !== null);
}

/** What one claim must be: any of the patterns. Only a text can hold a star, numbers and booleans are literals. */
export interface ClaimTest {
  readonly name: string;
  readonly path: readonly string[];
  readonly patterns: readonly Pattern[];
}

export function claimTest(name: string, path: readonly string[], values: readonly ClaimScalar[]): ClaimTest {
  return { name, path, patterns: values.map((value) => parsePattern(String(value), 'identity')) };
}

export function claimHolds(test: ClaimTest, claims: JsonObject): boolean {
  return claimTexts(claims, test.path).some((text) => test.patterns.some((pattern) => matches(pattern, text)));
}

/** Whether claims nest deeper than the policy looks: what walks them recurses, and no honest token comes near. */
export function nestsTooDeeply(value: JsonValue, levels: number = claimNestingMax): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner: JsonValue) => nestsTooDeeply(inner, levels - 1));
}
