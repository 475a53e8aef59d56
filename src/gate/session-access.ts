import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Decision } from '../model/decision.ts';
import type { Action, ResourceType } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Access, PolicySet } from '../policy/policy.ts';

export const noRevision = 'none';

const noPolicy: Decision = Object.freeze({ effect: 'deny', reason: 'no-policy', rule: null, revision: noRevision });

/** What one session may do under the revision in force. Without a policy, or where asking fails, it may do nothing. */
export class SessionAccess {
  readonly #policies: () => PolicySet | null;
  readonly #principal: Principal;
  readonly #port: string;
  readonly #logger: Logger;
  readonly #revised: (revision: string) => void;
  #set: PolicySet | null = null;
  #access: Access | null = null;
  #failure: Decision = noPolicy;

  /** @param revised called when another revision comes into force, before anything is decided by it */
  constructor(
    policies: () => PolicySet | null,
    principal: Principal,
    port: string,
    logger: Logger,
    revised: (revision: string) => void,
  ) {
    this.#policies = policies;
    this.#principal = principal;
    this.#port = port;
    this.#logger = logger;
    this.#revised = revised;
    this.refresh();
  }

  get revision(): string {
    return this.#set?.revision ?? noRevision;
  }

  /** Takes up another revision where there is one; every decision does so by itself. */
  refresh(): void {
    const set = this.#policies();
    if (set === this.#set) return;
    const before = this.revision;
    this.#set = set;
    this.#access = null;
    this.#failure = set === null ? noPolicy : failed(set.revision);
    if (this.revision !== before) this.#revised(this.revision);
    if (set !== null) this.#access = this.#resolve(set);
  }

  decide(action: Action, resourceType: ResourceType, resourceName: string, partition: number, nowMs: number): Decision {
    this.refresh();
    if (this.#access === null) return this.#failure;
    try {
      return this.#access.decide(action, resourceType, resourceName, partition, nowMs);
    } catch (error) {
      return this.#fail(error);
    }
  }

  decideAny(action: Action, resourceType: ResourceType, nowMs: number): Decision {
    this.refresh();
    if (this.#access === null) return this.#failure;
    try {
      return this.#access.decideAny(action, resourceType, nowMs);
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** The decision, where it is a permit without obligations that stays one while `stretch` gives the same object. */
  settled(
    action: Action,
    resourceType: ResourceType,
    resourceName: string,
    partition: number,
    nowMs: number,
  ): Decision | null {
    const decision = this.decide(action, resourceType, resourceName, partition, nowMs);
    if (decision.effect !== 'permit' || decision.record !== undefined) return null;
    return this.#access?.settled(action, resourceType, resourceName, nowMs) === true ? decision : null;
  }

  /** Stands for the revision and the stretch of time that decisions are made in now; `null` where there is no policy. */
  stretch(nowMs: number): object | null {
    this.refresh();
    return this.#access?.stretch(nowMs) ?? null;
  }

  #resolve(set: PolicySet): Access | null {
    try {
      return set.accessFor(this.#principal, this.#port);
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /** A policy that cannot be asked denies. */
  #fail(error: unknown): Decision {
    this.#logger.error(
      { revision: this.revision, error: messageOf(error) },
      'a policy decision failed; it counts as a denial',
    );
    return this.#failure;
  }
}

function failed(revision: string): Decision {
  return Object.freeze({ effect: 'deny', reason: 'condition-failed', rule: null, revision });
}
