import type { RuleRef } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';

interface KnownFlow {
  readonly action: Action;
  readonly resourceType: ResourceType;
  readonly any: boolean;
  readonly rule: RuleRef | null;
}

/** The flows of one session that the log already tells of. Beyond `flowsMax` the oldest is forgotten, and told again. */
export class KnownFlows {
  readonly #flowsMax: number;
  readonly #byName = new Map<string, KnownFlow[]>();
  #count = 0;

  constructor(flowsMax: number) {
    this.#flowsMax = flowsMax;
  }

  /** The hot path: allocates nothing. */
  has(action: Action, resourceType: ResourceType, name: string, any: boolean, rule: RuleRef | null): boolean {
    const flows = this.#byName.get(name);
    if (flows === undefined) return false;
    for (const flow of flows) {
      if (flow.action === action && flow.resourceType === resourceType && flow.any === any && sameRule(flow.rule, rule))
        return true;
    }
    return false;
  }

  add(action: Action, resourceType: ResourceType, name: string, any: boolean, rule: RuleRef | null): void {
    while (this.#count >= this.#flowsMax) this.#forgetOldest();
    const flow = { action, resourceType, any, rule };
    const flows = this.#byName.get(name);
    if (flows === undefined) this.#byName.set(name, [flow]);
    else flows.push(flow);
    this.#count += 1;
  }

  clear(): void {
    this.#byName.clear();
    this.#count = 0;
  }

  #forgetOldest(): void {
    for (const [name, flows] of this.#byName) {
      this.#byName.delete(name);
      this.#count -= flows.length;
      return;
    }
  }
}

function sameRule(a: RuleRef | null, b: RuleRef | null): boolean {
  if (a === b) return true;
  return (
    a !== null &&
    b !== null &&
    a.policy === b.policy &&
    a.index === b.index &&
    a.effect === b.effect &&
    a.source === b.source
  );
}
