/**
 * The order in which every operation of every protocol passes the gate:
 *
 *   decide ─→ (hold) ─→ audit ─→ the port waits for `durable()` and forwards
 *
 * First the policy is asked. What it holds for a person's approval would wait next; no policy can say so yet. Then the
 * answer goes into the audit log, before the port learns of it: what is forwarded has an entry, and what was denied too.
 */
import type { Clock } from '../lib/clock.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { GateObserver } from './contract.ts';
import type { SessionAccess } from './session-access.ts';
import type { SessionTrail } from './trail.ts';

/** What the log calls a resource where any of its type will do. */
const anyName = '*';

export class Decider {
  readonly #access: SessionAccess;
  readonly #trail: SessionTrail;
  readonly #clock: Clock;
  readonly #observer: GateObserver;

  constructor(access: SessionAccess, trail: SessionTrail, clock: Clock, observer: GateObserver) {
    this.#access = access;
    this.#trail = trail;
    this.#clock = clock;
    this.#observer = observer;
  }

  decide(action: Action, resourceType: ResourceType, name: string, partition: number, request: string): Decision {
    const nowMs = this.#clock.nowMs();
    const decision = this.#access.decide(action, resourceType, name, partition, nowMs);
    if (decision.effect === 'permit') this.#trail.permitted(decision, action, resourceType, name, false, request);
    else this.#trail.denied({ decision, action, resourceType, name, partition, any: false }, request, nowMs);
    this.#observer.decision(decision.effect, action, resourceType);
    return decision;
  }

  decideAny(action: Action, resourceType: ResourceType, request: string): Decision {
    const nowMs = this.#clock.nowMs();
    const decision = this.#access.decideAny(action, resourceType, nowMs);
    if (decision.effect === 'permit') this.#trail.permitted(decision, action, resourceType, anyName, true, request);
    else {
      this.#trail.denied({ decision, action, resourceType, name: anyName, partition: -1, any: true }, request, nowMs);
    }
    this.#observer.decision(decision.effect, action, resourceType);
    return decision;
  }

  /** Asks without telling: nothing is done with the answer but leaving names out. */
  permits(action: Action, resourceType: ResourceType, name: string, partition: number): boolean {
    return this.#access.decide(action, resourceType, name, partition, this.#clock.nowMs()).effect === 'permit';
  }
}
