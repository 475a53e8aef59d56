/** Who a policy is for, and a way to find the policies of a principal without asking each. */
import type { Principal } from '../model/principal.ts';
import { claimHolds, claimTest, claimTexts, parseClaimPath } from './claims.ts';
import type { ClaimTest } from './claims.ts';
import type { SubjectDocument } from './document.ts';
import { matches, parsePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';

export interface Subject {
  readonly document: SubjectDocument;
  readonly ids: readonly Pattern[] | null;
  readonly groups: ReadonlySet<string> | null;
  readonly kinds: ReadonlySet<string> | null;
  readonly issuers: ReadonlySet<string> | null;
  readonly claims: readonly ClaimTest[];
}

/** A claim name that is no path matches nothing here; it is refused when documents are checked. */
export function compileSubject(document: SubjectDocument): Subject {
  const set = (values: readonly string[] | undefined): ReadonlySet<string> | null =>
    values === undefined ? null : new Set(values);
  return {
    document,
    ids: document.id?.map((id) => parsePattern(id, 'identity')) ?? null,
    groups: set(document.group),
    kinds: set(document.kind),
    issuers: set(document.issuer),
    claims: Object.entries(document.claims ?? {}).map(([name, values]) =>
      claimTest(name, parseClaimPath(name) ?? [], values),
    ),
  };
}

export type SubjectKey = 'id' | 'group' | 'kind' | 'issuer' | `claims.${string}`;

/** The first key of the subject that the principal does not meet; `null` where it meets them all. */
export function unmetKey(subject: Subject, principal: Principal): SubjectKey | null {
  if (subject.issuers !== null && !subject.issuers.has(principal.issuer)) return 'issuer';
  if (subject.kinds !== null && !subject.kinds.has(principal.kind)) return 'kind';
  const { groups } = subject;
  if (groups !== null && !principal.groups.some((group) => groups.has(group))) return 'group';
  if (subject.ids !== null && !subject.ids.some((id) => matches(id, principal.id))) return 'id';
  const claim = subject.claims.find((test) => !claimHolds(test, principal.claims));
  return claim === undefined ? null : `claims.${claim.name}`;
}

/** One literal thing a principal must have, as a map key. A JSON list, so that no two things share a text. */
type Token = string;
const tokenOf = (...parts: readonly string[]): Token => JSON.stringify(parts);

/** Every way to narrow a subject to literals: each entry is one key's alternatives, of which the principal must have one. */
function tokenSets(subject: Subject): Token[][] {
  const literals = (patterns: readonly Pattern[]): readonly string[] | null =>
    patterns.every((pattern) => pattern.kind === 'literal') ? patterns.map((pattern) => pattern.head) : null;
  const sets: Token[][] = [];
  const add = (kind: string, values: Iterable<string> | null): void => {
    if (values !== null) sets.push([...values].map((value) => tokenOf(kind, value)));
  };
  add('id', subject.ids === null ? null : literals(subject.ids));
  add('group', subject.groups);
  add('kind', subject.kinds);
  add('issuer', subject.issuers);
  for (const test of subject.claims) add(`claim ${test.name}`, literals(test.patterns));
  return sets;
}

/**
 * Finds the owners (numbers, by the caller's choice) whose subjects a principal matches. Each subject waits under its
 * rarest literal key: with 100,000 policies for one issuer and one pipeline each, a principal is held against its own.
 */
export class SubjectIndex {
  readonly #waiting = new Map<Token, { subject: Subject; owner: number }[]>();
  readonly #unindexed: { subject: Subject; owner: number }[] = [];
  readonly #claimPaths = new Map<string, readonly string[]>();

  constructor(subjects: readonly { readonly subject: Subject; readonly owner: number }[]) {
    const uses = new Map<Token, number>();
    const sets = subjects.map(({ subject }) => tokenSets(subject));
    for (const token of sets.flat(2)) uses.set(token, (uses.get(token) ?? 0) + 1);
    const cost = (tokens: readonly Token[]): number => tokens.reduce((sum, token) => sum + (uses.get(token) ?? 0), 0);
    subjects.forEach((entry, index) => {
      const rarest = (sets[index] ?? []).toSorted((a, b) => cost(a) - cost(b))[0];
      if (rarest === undefined) this.#unindexed.push(entry);
      else for (const token of rarest) this.#wait(token, entry);
      for (const test of entry.subject.claims) this.#claimPaths.set(test.name, test.path);
    });
  }

  #wait(token: Token, entry: { subject: Subject; owner: number }): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) this.#waiting.set(token, [entry]);
    else waiting.push(entry);
  }

  /** In ascending order, each once. */
  ownersFor(principal: Principal): readonly number[] {
    const owners = new Set<number>();
    const ask = (entries: readonly { subject: Subject; owner: number }[]): void => {
      for (const { subject, owner } of entries)
        if (!owners.has(owner) && unmetKey(subject, principal) === null) owners.add(owner);
    };
    ask(this.#unindexed);
    for (const token of this.#tokensOf(principal)) ask(this.#waiting.get(token) ?? []);
    return [...owners].toSorted((a, b) => a - b);
  }

  #tokensOf(principal: Principal): ReadonlySet<Token> {
    const tokens = new Set([
      tokenOf('id', principal.id),
      tokenOf('kind', principal.kind),
      tokenOf('issuer', principal.issuer),
    ]);
    for (const group of principal.groups) tokens.add(tokenOf('group', group));
    for (const [name, path] of this.#claimPaths) {
      for (const text of claimTexts(principal.claims, path)) tokens.add(tokenOf(`claim ${name}`, text));
    }
    return tokens;
  }
}
