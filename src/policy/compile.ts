/** From policy files to a compiled revision, or to everything that is wrong with them. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { SluiceError } from '../lib/errors.ts';
import type { RuleRef } from '../model/decision.ts';
import { checkDocument } from './check.ts';
import { compileCondition } from './condition.ts';
import type { Condition } from './condition.ts';
import type { AllowRuleDocument, Placed, PolicyDocument, RoleDocument, RuleDocument } from './document.ts';
import type { CompileResult, PolicyContext, PolicyProblem, PolicySet, PolicySource } from './contract.ts';
import { CompiledPolicySet } from './policy-set.ts';
import type { CompiledPolicy } from './policy-set.ts';
import { recordObligation } from './obligations.ts';
import { Problems } from './problems.ts';
import { lapseTimeMs, reviewWarning } from './review.ts';
import { compileRule } from './rule.ts';
import type { CompiledRule } from './rule.ts';
import { checkShape } from './shape.ts';
import { isWithinBounds, piecesOf, readDocuments } from './source.ts';
import type { Piece } from './source.ts';
import { compileSubject } from './subject.ts';

/** One document that holds, and where its rules stand: all that compiling it asks for. Plain values, which pass between processes. */
export interface CheckedDocument {
  readonly document: PolicyDocument | RoleDocument;
  readonly path: string;
  /** The line of each rule, from 1. */
  readonly lines: { readonly allow: readonly number[]; readonly deny: readonly number[] };
}

/** A revision that has been read and checked, before it is compiled. Plain values, which pass between processes. */
export interface PolicyBundle {
  readonly revision: string;
  /** Sorted by kind and name. */
  readonly documents: readonly CheckedDocument[];
}

export type CheckResult =
  | { readonly ok: true; readonly bundle: PolicyBundle; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/**
 * Reads and checks all documents together and compiles them, or says all that is wrong with them. No documents make a
 * revision that denies everything.
 *
 * @param nowMs milliseconds since the epoch; only warnings depend on it
 */
export function compilePolicies(
  sources: readonly PolicySource[],
  context: PolicyContext,
  nowMs: number,
): CompileResult {
  const checked = checkPolicies(sources, context, nowMs);
  if (!checked.ok) return checked;
  const steps = assemblePolicies(checked.bundle);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { ok: true, policies: step.value, warnings: checked.warnings };
  }
}

/**
 * The first half of `compilePolicies`, and by far the longer one. What it returns is sure to compile.
 *
 * @param known what earlier loads have read: documents that did not change are not read again
 */
export function checkPolicies(
  sources: readonly PolicySource[],
  context: PolicyContext,
  nowMs: number,
  known?: KnownDocuments,
): CheckResult {
  const problems = new Problems();
  const documents: Placed<PolicyDocument | RoleDocument>[] = [];
  for (const source of sources) {
    if (!isWithinBounds(source, problems)) continue;
    for (const piece of piecesOf(source)) documents.push(...readPiece(piece, problems, known));
  }
  known?.turn();
  documents.sort(byKindAndName);
  checkNames(documents, problems);
  const roles = documents.flatMap(({ document }) => (document.kind === 'Role' ? [document.metadata.name] : []));
  for (const placed of documents) {
    checkDocument(placed, { context, roles: new Set(roles) }, problems);
    checkConditions(placed, problems);
  }
  if (problems.any) return { ok: false, problems: problems.list() };
  const warnings = new Problems();
  for (const { document, placed } of documents) reviewWarning(document, placed, nowMs, warnings);
  const revision = revisionOf(documents.map(({ document }) => document));
  return { ok: true, bundle: { revision, documents: documents.map(withLines) }, warnings: warnings.list() };
}

function readPiece(piece: Piece, problems: Problems, known: KnownDocuments | undefined): readonly Readable[] {
  const before = known?.get(piece);
  if (before !== undefined) return before;
  const found = new Problems();
  const documents = readDocuments(piece, found).flatMap((placed) => checkShape(placed, found) ?? []);
  for (const problem of found.all()) problems.add(problem);
  if (!found.any) known?.add(piece, documents);
  return documents;
}

type Readable = Placed<PolicyDocument | RoleDocument>;

/** Documents of right shape by their text and place: those of the last load, and of the one under way. */
export class KnownDocuments {
  #last = new Map<string, readonly Readable[]>();
  #current = new Map<string, readonly Readable[]>();

  get(piece: Piece): readonly Readable[] | undefined {
    const found = this.#last.get(keyOf(piece)) ?? this.#current.get(keyOf(piece));
    if (found !== undefined) this.add(piece, found);
    return found;
  }

  add(piece: Piece, documents: readonly Readable[]): void {
    this.#current.set(keyOf(piece), documents);
  }

  /** A load is over. */
  turn(): void {
    this.#last = this.#current;
    this.#current = new Map();
  }
}

/** A document that moved within its file has its rules at other lines. */
function keyOf({ path, firstLine, text }: Piece): string {
  return `${path}:${firstLine}\n${text}`;
}

/**
 * The second half: yields after each policy, so that a process that serves can do other things in between.
 *
 * @throws SluiceError `policy-bundle-unusable` for what `checkPolicies` did not make
 */
export function* assemblePolicies({ revision, documents }: PolicyBundle): Generator<void, PolicySet> {
  const compiler = new Compiler(documents);
  const policies: CompiledPolicy[] = [];
  for (const { document, path, lines } of documents) {
    if (document.kind === 'Policy') policies.push(compiler.compile({ document, path, lines }));
    yield;
  }
  return new CompiledPolicySet({ hash: revision, documents: documents.map(({ document }) => document), policies });
}

function withLines({ document, placed }: Placed<PolicyDocument | RoleDocument>): CheckedDocument {
  const linesOf = (effect: 'allow' | 'deny'): readonly number[] =>
    (document.spec[effect] ?? []).map((_, index) => placed.placeOf(['spec', effect, index]).line);
  return { document, path: placed.path, lines: { allow: linesOf('allow'), deny: linesOf('deny') } };
}

function byKindAndName(a: Placed<PolicyDocument | RoleDocument>, b: Placed<PolicyDocument | RoleDocument>): number {
  const order = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
  return order(a.document.kind, b.document.kind) || order(a.document.metadata.name, b.document.metadata.name);
}

function checkNames(sorted: readonly Placed<PolicyDocument | RoleDocument>[], problems: Problems): void {
  sorted.forEach((current, index) => {
    const previous = sorted[index - 1];
    if (previous === undefined || byKindAndName(previous, current) !== 0) return;
    const { kind, metadata } = current.document;
    const first = previous.placed.placeOf(['metadata', 'name']);
    const place = current.placed.placeOf(['metadata', 'name']);
    problems.add({
      path: current.placed.path,
      ...place,
      message: `There is already a ${kind} named "${metadata.name}", at ${previous.placed.path}:${first.line}. Names are unique: choose another.`,
    });
  });
}

/** SHA-256 over the canonical JSON (RFC 8785) of the checked documents, sorted by kind and name. */
function revisionOf(documents: readonly (PolicyDocument | RoleDocument)[]): string {
  return createHash('sha256')
    .update(canonicalize(documents) ?? '')
    .digest('hex');
}

function checkConditions({ document, placed }: Placed<PolicyDocument | RoleDocument>, problems: Problems): void {
  for (const effect of ['allow', 'deny'] as const) {
    document.spec[effect]?.forEach(({ when }, index) => {
      const compiled = when === undefined ? null : compileCondition(when);
      if (compiled === null || compiled.ok) return;
      const at = ['spec', effect, index, 'when'];
      const start = placed.textStart(at);
      const place =
        start === null ? placed.placeOf(at) : { line: start.line, column: start.column + compiled.fault.offset };
      const where = start === null ? ` (at character ${compiled.fault.offset + 1} of the condition)` : '';
      problems.add({ path: placed.path, ...place, message: `${compiled.fault.message}${where}` });
    });
  }
}

/** Numbers the rules in one order over all policies, so that the rule a decision names does not depend on the order of files. */
class Compiler {
  readonly #roles = new Map<string, CheckedDocument>();
  /** One rule of a role stands in many policies; its condition is compiled once. */
  readonly #conditions = new Map<RuleDocument, Condition>();
  #order = 0;

  constructor(documents: readonly CheckedDocument[]) {
    for (const one of documents) if (one.document.kind === 'Role') this.#roles.set(one.document.metadata.name, one);
  }

  compile(owner: CheckedDocument & { readonly document: PolicyDocument }): CompiledPolicy {
    const { document } = owner;
    const { name } = document.metadata;
    const lapsesAtMs = lapseTimeMs(document);
    const rules = this.#rules(owner, name, lapsesAtMs);
    for (const role of [...new Set(document.spec.roles)].toSorted()) {
      const found = this.#roles.get(role);
      if (found !== undefined) rules.push(...this.#rules(found, `${name}/${role}`, lapsesAtMs));
    }
    return { name, subjects: document.spec.subjects.map(compileSubject), rules };
  }

  #rules({ document, path, lines }: CheckedDocument, policy: string, lapsesAtMs: number): CompiledRule[] {
    return (['allow', 'deny'] as const).flatMap((effect) =>
      (document.spec[effect] ?? []).map((rule, index) => {
        const source = `${path}:${lines[effect][index] ?? 1}`;
        const ref: RuleRef = Object.freeze({ policy, effect, index, source });
        const condition = this.#condition(rule);
        const owner = document.metadata.owner ?? '';
        const record = effect === 'allow' ? recordObligation((rule as AllowRuleDocument).record, owner) : null;
        return compileRule(rule, { order: this.#order++, ref, effect, condition, record, lapsesAtMs });
      }),
    );
  }

  #condition(rule: RuleDocument): Condition | null {
    if (rule.when === undefined) return null;
    const known = this.#conditions.get(rule);
    if (known !== undefined) return known;
    const compiled = compileCondition(rule.when);
    // Without its condition a rule would grant more than it says.
    if (!compiled.ok)
      throw new SluiceError(
        'policy-bundle-unusable',
        `A checked condition does not compile: ${compiled.fault.message}`,
      );
    this.#conditions.set(rule, compiled.condition);
    return compiled.condition;
  }
}
