/** A compiled revision: finds a principal's rules, settles what can be settled, and remembers the table. */
import { createHash } from 'node:crypto';
import { SluiceError } from '../lib/errors.ts';
import { accessTablesRememberedMax, principalsRememberedMax } from '../lib/limits.ts';
import type { Principal } from '../model/principal.ts';
import { TableAccess } from './access.ts';
import { nestsTooDeeply } from './claims.ts';
import { conditionPrincipal } from './condition.ts';
import type { ConditionPrincipal } from './condition.ts';
import { Decisions } from './decisions.ts';
import type { PolicyDocument, RoleDocument } from './document.ts';
import { Judge } from './judge.ts';
import { Lru } from './lru.ts';
import { Memory } from './memory.ts';
import { matches } from './pattern.ts';
import type { Access, PolicySet } from './contract.ts';
import { RuleIndex } from './rule-index.ts';
import type { SettledRule } from './rule-index.ts';
import type { CompiledRule } from './rule.ts';
import { SubjectIndex } from './subject.ts';
import type { Subject } from './subject.ts';

export interface CompiledPolicy {
  readonly name: string;
  readonly subjects: readonly Subject[];
  /** Its own and those of its roles, in ascending order. */
  readonly rules: readonly CompiledRule[];
}

/** What a revision is made of, for reports. */
export interface Revision {
  readonly hash: string;
  /** Sorted by kind and name. */
  readonly documents: readonly (PolicyDocument | RoleDocument)[];
  /** Sorted by name. */
  readonly policies: readonly CompiledPolicy[];
}

export class CompiledPolicySet implements PolicySet {
  readonly revision: string;
  readonly policies: readonly string[];
  readonly content: Revision;
  readonly #subjects: SubjectIndex;
  readonly #decisions: Decisions;
  readonly #memory = new Memory();
  readonly #byObject = new WeakMap<Principal, Map<string, Access>>();
  readonly #byPrincipal = new Lru<Access>(principalsRememberedMax);
  readonly #bySelection = new Lru<TableAccess>(accessTablesRememberedMax, (table) => this.#memory.release(table));

  constructor(content: Revision) {
    this.content = content;
    this.revision = content.hash;
    this.policies = content.policies.map((policy) => policy.name);
    this.#decisions = new Decisions(content.hash);
    this.#subjects = new SubjectIndex(
      content.policies.flatMap((policy, owner) => policy.subjects.map((subject) => ({ subject, owner }))),
    );
  }

  accessFor(principal: Principal, port: string): Access {
    let ports = this.#byObject.get(principal);
    if (ports === undefined) this.#byObject.set(principal, (ports = new Map<string, Access>()));
    let access = ports.get(port);
    if (access === undefined) ports.set(port, (access = this.#accessFor(principal, port)));
    return access;
  }

  #accessFor(principal: Principal, port: string): Access {
    if (nestsTooDeeply(principal.claims)) return this.#table([], port, null);
    const identity = identityKey(principal, port);
    const remembered = this.#byPrincipal.get(identity);
    if (remembered !== undefined) return remembered;
    const value = conditionPrincipal(principal);
    const rules = settle(this.#rulesFor(principal, port), value);
    // A table in which nothing asks about the principal again is the same for everybody for whom the same rules count.
    const shared = rules.every(({ state }) => state !== 'asks');
    const selection = shared ? selectionKey(rules, port) : identity;
    let table = this.#bySelection.get(selection);
    if (table === undefined) {
      table = this.#table(rules, port, value);
      this.#bySelection.set(selection, table);
    }
    this.#byPrincipal.set(identity, table);
    return table;
  }

  #rulesFor(principal: Principal, port: string): readonly CompiledRule[] {
    const owners = this.#subjects.ownersFor(principal);
    return owners.flatMap(
      (owner) => this.content.policies[owner]?.rules.filter((rule) => matches(rule.port, port)) ?? [],
    );
  }

  #table(rules: readonly SettledRule[], port: string, principal: ConditionPrincipal | null): TableAccess {
    return new TableAccess(
      this.revision,
      new RuleIndex(rules),
      new Judge(this.#decisions, port, principal),
      this.#memory,
    );
  }
}

/** @throws SluiceError `foreign-policy-set` for a set that was not made here */
export function contentOf(set: PolicySet): Revision {
  if (set instanceof CompiledPolicySet) return set.content;
  throw new SluiceError('foreign-policy-set', 'Only a set that compilePolicies made can be compared or explained.');
}

/** Conditions on the principal alone are evaluated here, once. A rule whose condition is false does not count at all. */
function settle(rules: readonly CompiledRule[], principal: ConditionPrincipal): readonly SettledRule[] {
  return rules.flatMap((rule): readonly SettledRule[] => {
    if (rule.condition === null) return [{ rule, state: 'holds' }];
    if (rule.condition.perOperation) return [{ rule, state: 'asks' }];
    const verdict = rule.condition.evaluate(principal, null, 0);
    return verdict === 'false' ? [] : [{ rule, state: verdict === 'true' ? 'holds' : 'fails' }];
  });
}

/**
 * Equal for two principals only if nothing that a policy can look at tells them apart: JSON keeps the parts of a list apart,
 * whatever text is in them. Not canonical JSON, which refuses broken surrogates; claims in another order only cost a look-up.
 */
function identityKey(principal: Principal, port: string): string {
  const { issuer, id, kind, groups, claims } = principal;
  return `identity ${digest(JSON.stringify([port, issuer, id, kind, groups, claims]))}`;
}

function selectionKey(rules: readonly SettledRule[], port: string): string {
  return `selection ${digest(JSON.stringify([port, ...rules.map(({ rule, state }) => (state === 'holds' ? rule.order : -1 - rule.order))]))}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
