/** From policy files to a compiled revision, or to everything that is wrong with them. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { RuleRef } from '../model/decision.ts';
import { checkDocument } from './check.ts';
import { compileCondition } from './condition.ts';
import type { Condition } from './condition.ts';
import type { AllowRuleDocument, Placed, PolicyDocument, RoleDocument, RuleDocument } from './document.ts';
import type { CompileResult, PolicyContext, PolicySource } from './contract.ts';
import { CompiledPolicySet } from './policy-set.ts';
import type { CompiledPolicy } from './policy-set.ts';
import { recordObligation } from './obligations.ts';
import { Problems } from './problems.ts';
import { lapseTimeMs, reviewWarning } from './review.ts';
import { compileRule } from './rule.ts';
import type { CompiledRule } from './rule.ts';
import { checkShape } from './shape.ts';
import type { PlacedDocument } from './source.ts';
import { readDocuments } from './source.ts';
import { compileSubject } from './subject.ts';

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
  const problems = new Problems();
  const documents: Placed<PolicyDocument | RoleDocument>[] = [];
  for (const source of sources) {
    for (const placed of readDocuments(source, problems)) {
      const checked = checkShape(placed, problems);
      if (checked !== null) documents.push(checked);
    }
  }
  documents.sort(byKindAndName);
  checkNames(documents, problems);
  const roles = new Map<string, Placed<RoleDocument>>();
  for (const { document, placed } of documents)
    if (document.kind === 'Role') roles.set(document.metadata.name, { document, placed });
  for (const placed of documents) checkDocument(placed, { context, roles: new Set(roles.keys()) }, problems);
  const compiler = new Compiler(roles, problems);
  const policies = documents.flatMap(({ document, placed }) =>
    document.kind === 'Policy' ? [compiler.compile({ document, placed })] : [],
  );
  compiler.checkUnused();
  if (problems.any) return { ok: false, problems: problems.list() };
  const plain = documents.map(({ document }) => document);
  const warnings = new Problems();
  for (const { document, placed } of documents) reviewWarning(document, placed, nowMs, warnings);
  return {
    ok: true,
    policies: new CompiledPolicySet({ hash: revisionOf(plain), documents: plain, policies }),
    warnings: warnings.list(),
  };
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

type RuleOwner = PolicyDocument | RoleDocument;

/** Numbers the rules in one order over all policies, so that the rule a decision names does not depend on the order of files. */
class Compiler {
  readonly #roles: ReadonlyMap<string, Placed<RoleDocument>>;
  readonly #problems: Problems;
  /** One rule of a role stands in many policies; its condition is compiled, and its fault reported, once. */
  readonly #conditions = new Map<RuleDocument, Condition | null>();
  #order = 0;

  constructor(roles: ReadonlyMap<string, Placed<RoleDocument>>, problems: Problems) {
    this.#roles = roles;
    this.#problems = problems;
  }

  compile({ document, placed }: Placed<PolicyDocument>): CompiledPolicy {
    const { name } = document.metadata;
    const lapsesAtMs = lapseTimeMs(document);
    const rules = this.#rules({ document, placed }, name, lapsesAtMs);
    for (const role of [...new Set(document.spec.roles)].toSorted()) {
      const found = this.#roles.get(role);
      if (found !== undefined) rules.push(...this.#rules(found, `${name}/${role}`, lapsesAtMs));
    }
    return { name, subjects: document.spec.subjects.map(compileSubject), rules };
  }

  /** Roles that no policy names are compiled for their faults. */
  checkUnused(): void {
    for (const role of this.#roles.values()) this.#rules(role, role.document.metadata.name, Infinity);
  }

  #rules({ document, placed }: Placed<RuleOwner>, policy: string, lapsesAtMs: number): CompiledRule[] {
    return (['allow', 'deny'] as const).flatMap((effect) =>
      (document.spec[effect] ?? []).map((rule, index) => {
        const source = `${placed.path}:${placed.placeOf(['spec', effect, index]).line}`;
        const ref: RuleRef = Object.freeze({ policy, effect, index, source });
        const condition = this.#condition(rule, effect, index, placed);
        const owner = document.metadata.owner ?? '';
        const record = effect === 'allow' ? recordObligation((rule as AllowRuleDocument).record, owner) : null;
        return compileRule(rule, { order: this.#order++, ref, effect, condition, record, lapsesAtMs });
      }),
    );
  }

  #condition(rule: RuleDocument, effect: 'allow' | 'deny', index: number, placed: PlacedDocument): Condition | null {
    if (rule.when === undefined) return null;
    const known = this.#conditions.get(rule);
    if (known !== undefined) return known;
    const compiled = compileCondition(rule.when);
    const condition = compiled.ok ? compiled.condition : null;
    this.#conditions.set(rule, condition);
    if (compiled.ok) return condition;
    const at = ['spec', effect, index, 'when'];
    const start = placed.textStart(at);
    const place =
      start === null ? placed.placeOf(at) : { line: start.line, column: start.column + compiled.fault.offset };
    const where = start === null ? ` (at character ${compiled.fault.offset + 1} of the condition)` : '';
    this.#problems.add({ path: placed.path, ...place, message: `${compiled.fault.message}${where}` });
    return null;
  }
}
