/** One YAML document with the place of every value, so that a problem can name its line and column. */
import { LineCounter, isMap, isNode, isPair, isScalar, parseAllDocuments } from 'yaml';
import type { Document, Pair } from 'yaml';
import type { ConfigProblem, PlacedProblem } from './problem.ts';

export interface PlacedDocument {
  readonly value: unknown;
  /** Ties a problem to its line: the value at its path, or the nearest enclosing value where there is none. */
  place(problem: PlacedProblem): ConfigProblem;
  has(at: readonly (string | number)[]): boolean;
}

/** Aliases may stand for at most this many nodes: a small file cannot grow into a large value. */
const aliasesMax = 100;

/** Parses exactly one document. Duplicate keys, tags and syntax errors are problems. */
export function parseDocument(
  path: string,
  text: string,
): { ok: true; document: PlacedDocument } | { ok: false; problems: readonly ConfigProblem[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number, message: string): ConfigProblem => {
    const { line, col } = lines.linePos(offset);
    return { path, line: Math.max(1, line), column: Math.max(1, col), message };
  };
  const document = 'empty' in documents ? undefined : documents[0];
  if (document === undefined)
    return { ok: false, problems: [at(0, 'The file is empty. Run `sluice init` for a starter file.')] };
  const errors = [...document.errors, ...document.warnings].map((error) => at(error.pos[0], firstLine(error.message)));
  const second = documents[1];
  if (second !== undefined)
    errors.push(at(second.range[0], 'The file holds more than one document. Keep one gateway per file.'));
  if (errors.length > 0) return { ok: false, problems: errors };
  try {
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    return { ok: true, document: placed(document, value, at) };
  } catch (error) {
    return { ok: false, problems: [at(0, error instanceof Error ? error.message : String(error))] };
  }
}

function placed(
  document: Document,
  value: unknown,
  at: (offset: number, message: string) => ConfigProblem,
): PlacedDocument {
  return {
    value,
    has: (path) => document.hasIn([...path]),
    place: (problem) => at(offsetOf(document, problem), problem.message),
  };
}

function offsetOf(document: Document, problem: PlacedProblem): number {
  const path = [...problem.at];
  while (path.length > 0) {
    const key = keyOffset(document, path);
    const node: unknown = document.getIn(path, true);
    const value = isNode(node) && node.range ? node.range[0] : null;
    // A block map starts at its first key, one line below the key that names it: the key is what people look for.
    const offset = problem.onKey === true || (isMap(node) && !node.flow) ? (key ?? value) : (value ?? key);
    if (offset !== null) return offset;
    path.pop();
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0;
}

function keyOffset(document: Document, path: readonly (string | number)[]): number | null {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return null;
  const name = path.at(-1);
  const pair: Pair | undefined = parent.items.find(
    (item) => isPair(item) && isScalar(item.key) && item.key.value === name,
  );
  return pair !== undefined && isNode(pair.key) && pair.key.range ? pair.key.range[0] : null;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
