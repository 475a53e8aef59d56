import type { GateSession, StandingFlow } from '../../gate/gate.ts';
import { laneTopicsMax } from '../../lib/limits.ts';
import type { ConnectionParts } from './parts.ts';

/** A topic's flows: the one that was named first, which is mostly the only one, and the others by their partitions. */
interface TopicFlows {
  readonly first: StandingFlow;
  others: Map<number, StandingFlow> | null;
}

/** One connection's flows that stand, by the name or id that its requests call their topics by. */
export class StandingFlows {
  readonly #action: 'read' | 'write';
  readonly #parts: Pick<ConnectionParts, 'clock' | 'cluster'>;
  readonly #flows = new Map<string, TopicFlows>();
  #session: GateSession | null = null;
  #standing: object = {};
  #byId = false;
  #carried = 0;
  #nowMs = 0;
  // What is named next is mostly what was named last.
  #lastKey = '';
  #lastFlow: StandingFlow | null = null;

  constructor(action: 'read' | 'write', parts: Pick<ConnectionParts, 'clock' | 'cluster'>) {
    this.#action = action;
    this.#parts = parts;
  }

  /** When the turn began, as the gateway's clock has it. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** @param byId whether topics are called by their ids from here on */
  name(byId: boolean): void {
    if (byId !== this.#byId) this.#forget();
    this.#byId = byId;
  }

  /** Before the first `find` of a turn. @returns false where nothing may pass now */
  begin(session: GateSession): boolean {
    if (session.durable() !== null) return false;
    this.#nowMs = this.#parts.clock.nowMs();
    const standing = session.standing(this.#nowMs);
    if (standing !== this.#standing || session !== this.#session) {
      this.#session = session;
      this.#standing = standing;
      this.#forget();
    }
    return true;
  }

  /** The flow, where it stands; what is carried on it is told with `carry`. */
  find(topicKey: string, partition: number): StandingFlow | null {
    const last = this.#lastFlow;
    if (last !== null && topicKey === this.#lastKey && partition === last.partition) return last;
    const known = this.#flows.get(topicKey);
    const flow = (known === undefined ? null : flowIn(known, partition)) ?? this.#look(topicKey, partition);
    this.#lastKey = topicKey;
    this.#lastFlow = flow;
    return flow;
  }

  /** The name of a topic, where it is known. */
  topicOf(topicKey: string): string | undefined {
    return this.#byId ? this.#parts.cluster.topicName(topicKey) : topicKey;
  }

  /** So many operations were carried in this turn. */
  carry(count: number): void {
    this.#carried += count;
  }

  /** After the last `find` of a turn. */
  end(): void {
    if (this.#carried > 0) this.#session?.countStanding(this.#action, this.#carried);
    this.#carried = 0;
  }

  #forget(): void {
    this.#flows.clear();
    this.#lastFlow = null;
  }

  #look(topicKey: string, partition: number): StandingFlow | null {
    const topic = this.topicOf(topicKey);
    if (topic === undefined) return null;
    const flow = this.#session?.standingFlow(this.#action, topic, partition, this.#nowMs) ?? null;
    if (flow === null || flow.standing !== this.#standing) return null;
    const known = this.#flows.get(topicKey);
    if (known !== undefined) (known.others ??= new Map<number, StandingFlow>()).set(partition, flow);
    // A client may name as many as it likes: what is beyond the bound is found in the session each time.
    else if (this.#flows.size < laneTopicsMax) this.#flows.set(topicKey, { first: flow, others: null });
    return flow;
  }
}

function flowIn({ first, others }: TopicFlows, partition: number): StandingFlow | null {
  return first.partition === partition ? first : (others?.get(partition) ?? null);
}
