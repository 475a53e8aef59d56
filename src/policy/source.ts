/** Policy files as placed documents: plain values that remember the line and column of every part. */
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import { policyFileBytesMax, policyNestingMax } from '../lib/limits.ts';
import type { PolicySource } from './contract.ts';
import type { Problems } from './problems.ts';

export type KeyPath = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface PlacedDocument {
  readonly path: string;
  /** Maps have no prototype, so that a key such as `constructor` is found only where the document says it. */
  readonly value: unknown;
  /** Where the value at a path stands, or the nearest enclosing value where there is none. */
  placeOf(at: KeyPath): Place;
  /** Where the key stands that the path ends with. */
  placeOfKey(at: KeyPath): Place;
  /** The text of a single-line plain or quoted scalar begins here; `null` where offsets into it say nothing. */
  textStart(at: KeyPath): Place | null;
}

/** A part of a file that is parsed by itself: one document, where the file can be divided without parsing it. */
export interface Piece {
  readonly path: string;
  readonly text: string;
  /** Where the piece begins in its file, from 1. */
  readonly firstLine: number;
}

/**
 * Divides a file at its document markers. A line that begins with `---` ends a document wherever it stands (YAML 1.2.2
 * §9.1.2, c-forbidden), so that no parser is needed to see it. Files with directives, `...` or tabs, of which
 * the package takes some at the end of a document only where another follows, stay whole.
 */
export function piecesOf({ path, text }: PolicySource): readonly Piece[] {
  if (/^(?:%|\.\.\.(?:\s|$))|\t/m.test(text)) return [{ path, text, firstLine: 1 }];
  const pieces: Piece[] = [];
  let from = 0;
  let firstLine = 1;
  for (const marker of text.matchAll(/\n(?=---(?:[ \t\r\n]|$))/g)) {
    const piece = text.slice(from, marker.index + 1);
    pieces.push({ path, text: piece, firstLine });
    firstLine += linesIn(piece);
    from = marker.index + 1;
  }
  return [...pieces, { path, text: text.slice(from), firstLine }];
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

/** Whether the file may be parsed at all. */
export function isWithinBounds({ path, text }: PolicySource, problems: Problems): boolean {
  if (Buffer.byteLength(text) <= policyFileBytesMax) return true;
  const message = `The file is larger than ${policyFileBytesMax / 1_048_576} MiB. Split it into several.`;
  problems.add({ path, line: 1, column: 1, message });
  return false;
}

/**
 * Parses YAML 1.2 or JSON documents. Refused, each with its place: syntax errors, duplicate keys, keys that are no text,
 * aliases and anchors (a small file must not stand for a large value), tags, other YAML versions (in 1.1 `no` is a
 * boolean), too deep nesting.
 */
export function readDocuments(piece: Piece, problems: Problems): readonly PlacedDocument[] {
  const { path, text } = piece;
  const lines = new PlaceCounter(piece.firstLine);
  const report = (offset: number, message: string): void => problems.add({ path, ...lines.placeAt(offset), message });
  const documents: PlacedDocument[] = [];
  parse(text, lines.counter, report).forEach((document, index) => {
    const faults = [...document.errors, ...document.warnings];
    for (const fault of faults) report(fault.pos[0], `${firstLineOf(fault.message)}. Write YAML 1.2 or JSON.`);
    if (faults.length > 0 || document.contents === null) return;
    if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
      report(document.range[0], 'Policies are YAML 1.2, in which no and on are plain text. Remove the %YAML line.');
      return;
    }
    const reading: Reading = { report, faulty: false };
    const value = plainValue(document.contents, 0, reading);
    if (!reading.faulty && value !== null) documents.push(place(piece, index, document, value, lines));
  });
  return documents;
}

function parse(
  text: string,
  lines: LineCounter,
  report: (offset: number, message: string) => void,
): readonly Document.Parsed[] {
  try {
    // Duplicate keys are found while the value is built: the package's own check takes quadratic time.
    const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, resolveKnownTags: false } as const;
    const parsed = parseAllDocuments(text, { ...options, version: '1.2', merge: false });
    return 'empty' in parsed ? [] : parsed;
  } catch {
    // The parser recurses: input that nests by the ten thousand ends it with a RangeError.
    report(0, 'The file cannot be parsed: it nests too deeply.');
    return [];
  }
}

interface Reading {
  readonly report: (offset: number, message: string) => void;
  faulty: boolean;
}

function refuse(reading: Reading, node: unknown, message: string): null {
  reading.faulty = true;
  reading.report(isNode(node) && node.range ? node.range[0] : 0, message);
  return null;
}

function plainValue(node: unknown, depth: number, reading: Reading): unknown {
  if (node === null || node === undefined) return null;
  if (isAlias(node))
    return refuse(
      reading,
      node,
      'Aliases are not supported. Put rules that several policies share into a kind: Role document.',
    );
  if (isNode(node) && 'anchor' in node && node.anchor !== undefined)
    return refuse(
      reading,
      node,
      'Anchors are not supported. Put rules that several policies share into a kind: Role document.',
    );
  if (depth > policyNestingMax) return refuse(reading, node, `More than ${policyNestingMax} levels of nesting.`);
  if (isScalar(node)) return plainScalar(node.value, node, reading);
  if (isSeq(node)) return node.items.map((item) => plainValue(item, depth + 1, reading));
  if (!isMap(node)) return refuse(reading, node, 'Neither a map, a list nor a value.');
  const value = Object.create(null) as Record<string, unknown>;
  for (const pair of node.items) {
    const key = plainKey(pair, reading);
    if (key === null) continue;
    if (key in value) refuse(reading, pair.key, `The key "${key}" stands here twice. Keep one.`);
    value[key] = plainValue(pair.value, depth + 1, reading);
  }
  return value;
}

function plainScalar(value: unknown, node: Node, reading: Reading): unknown {
  if (typeof value === 'string' && !value.isWellFormed())
    return refuse(reading, node, 'This text holds half of a character (a lone surrogate).');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return refuse(reading, node, 'Neither text, a finite number, true, false nor null.');
}

function plainKey(pair: Pair, reading: Reading): string | null {
  const key = pair.key;
  if (!isScalar(key) || typeof key.value !== 'string' || !key.value.isWellFormed())
    return refuse(reading, key, 'A key must be text. Put it in quotes.');
  if (key.anchor !== undefined) return refuse(reading, key, 'Anchors are not supported.');
  // Writing this key to an ordinary object sets its prototype; libraries drop it in silence, and a condition with it.
  if (key.value === '__proto__') return refuse(reading, key, 'The key "__proto__" is not allowed.');
  return key.value;
}

/**
 * The syntax tree is many times as large as what it says, and only problems ask where something stands: it is let go,
 * and made again for the first that asks. Where the rules stand is always asked for.
 */
function place(
  piece: Piece,
  index: number,
  document: Document.Parsed,
  value: unknown,
  lines: PlaceCounter,
): PlacedDocument {
  const { path } = piece;
  const rules = new Map<string, Place>();
  for (const effect of ['allow', 'deny']) {
    const node: unknown = document.getIn(['spec', effect], true);
    const count = isSeq(node) ? node.items.length : 0;
    for (let rule = 0; rule < count; rule++) {
      const at = ['spec', effect, rule];
      rules.set(at.join(' '), lines.placeAt(offsetOf(document, at)));
    }
  }
  let again: Document.Parsed | undefined;
  const tree = (): Document.Parsed =>
    (again ??= parse(piece.text, new LineCounter(), () => {})[index] as Document.Parsed);
  return {
    path,
    value,
    placeOf: (at) => rules.get(at.join(' ')) ?? lines.placeAt(offsetOf(tree(), at)),
    placeOfKey: (at) => lines.placeAt(keyOffsetOf(tree(), at) ?? offsetOf(tree(), at)),
    textStart: (at) => {
      const node: unknown = tree().getIn(at, true);
      if (!isScalar(node) || !node.range || typeof node.value !== 'string' || node.value.includes('\n')) return null;
      const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
      return node.type === 'PLAIN' || quoted ? lines.placeAt(node.range[0] + (quoted ? 1 : 0)) : null;
    },
  };
}

function offsetOf(document: Document.Parsed, at: KeyPath): number {
  for (let length = at.length; length > 0; length--) {
    const path = at.slice(0, length);
    const node: unknown = document.getIn(path, true);
    if (!isNode(node) || !node.range) continue;
    // A block map under a key starts one line below it: the key is what people look for.
    return isMap(node) && node.flow !== true ? (keyOffsetOf(document, path) ?? node.range[0]) : node.range[0];
  }
  return document.contents?.range[0] ?? document.range[0];
}

function keyOffsetOf(document: Document.Parsed, at: KeyPath): number | null {
  const parent: unknown = at.length <= 1 ? document.contents : document.getIn(at.slice(0, -1), true);
  if (!isMap(parent)) return null;
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === at.at(-1));
  return isNode(pair?.key) && pair.key.range ? pair.key.range[0] : null;
}

/** Lines and columns of a piece as those of its file. */
class PlaceCounter {
  readonly counter: LineCounter = new LineCounter();
  readonly #firstLine: number;

  constructor(firstLine: number) {
    this.#firstLine = firstLine;
  }

  placeAt(offset: number): Place {
    const { line, col } = this.counter.linePos(offset);
    return { line: Math.max(1, line) + this.#firstLine - 1, column: Math.max(1, col) };
  }
}

function firstLineOf(message: string): string {
  return (message.split('\n', 1)[0] ?? message).replace(/[.:]$/, '');
}
