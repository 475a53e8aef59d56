/** RE2 comes with the first expression: it is a good part of all code that a gateway keeps in memory, and many have none. */
import { createRequire } from 'node:module';
import type * as library from 're2js';

let loaded: typeof library | null = null;

/**
 * An expression that matches in time linear in what it is held against.
 *
 * @throws RE2JSSyntaxException where it is none
 */
export function compileRe2(expression: string): library.RE2JS {
  loaded ??= createRequire(import.meta.url)('re2js') as typeof library;
  return loaded.RE2JS.compile(expression);
}
