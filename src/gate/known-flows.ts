import type { RuleRef } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import { FlowCount, type FlowRoom } from './flow-room.ts';

interface KnownFlow {
  readonly action: Action;
  readonly resourceType: ResourceType;
  readonly any: boolean;
  readonly rule: RuleRef | null;
}

/** The flows of one session that the log already tells of. Where there is no room the oldest is forgotten, and told again. */
export class KnownFlows {
  readonly #byName = new Map<string, KnownFlow[]>();
  readonly #count: FlowCount;

  /** @param flowsMax at least 1; beyond it they take of the room */
  constructor(flowsMax: number, room: FlowRoom) {
    this.#count = new FlowCount(flowsMax, room);
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
    while (!this.#count.add()) this.#forgetOldest();
    const flow = { action, resourceType, any, rule };
    const flows = this.#byName.get(name);
    if (flows === undefined) this.#byName.set(name, [flow]);
    else flows.push(flow);
  }

  clear(): void {
    this.#byName.clear();
    this.#count.remove(this.#count.value);
  }

  #forgetOldest(): void {
    for (const [name, flows] of this.#byName) {
      this.#byName.delete(name);
      this.#count.remove(flows.length);
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
