import type { GateSession, StandingFlow } from '../../gate/gate.ts';
import { laneTopicsMax } from '../../lib/limits.ts';
import type { ConnectionParts } from './parts.ts';

/** A topic's flows: the one that was named first, which is mostly the only one, and the others by their partitions. */
interface TopicFlows {
  readonly first: StandingFlow;
  others: Map<number, StandingFlow> | null;
}

type Flows = Map<string, TopicFlows>;

/** The flows of a session, by their topics' names and by their ids. */
type KeptFlows = Readonly<Record<'read' | 'write', { readonly byName: Flows; readonly byId: Flows }>>;

/** By what they stand on: one object for all connections of a session, and another once anything changes. */
const keptFlows = new WeakMap<object, KeptFlows>();
const noFlows: ReadonlyMap<string, TopicFlows> = new Map();

/** Flows that stand, by the name or id that one connection's requests call their topics by. */
export class StandingFlows {
  readonly #action: 'read' | 'write';
  readonly #parts: Pick<ConnectionParts, 'clock' | 'cluster'>;
  /** Those kept for this connection and others; none before the first is. */
  #flows = noFlows;
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
    if (byId === this.#byId) return;
    this.#byId = byId;
    this.#recall();
  }

  /** Before the first `find` of a turn. @returns false where nothing may pass now */
  begin(session: GateSession): boolean {
    if (session.durable() !== null) return false;
    this.#nowMs = this.#parts.clock.nowMs();
    const standing = session.standing(this.#nowMs);
    if (standing !== this.#standing || session !== this.#session) {
      this.#session = session;
      this.#standing = standing;
      this.#recall();
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

  #recall(): void {
    const kept = keptFlows.get(this.#standing);
    this.#flows = kept === undefined ? noFlows : this.#own(kept);
    this.#lastFlow = null;
  }

  #own(kept: KeptFlows): Flows {
    const { byName, byId } = kept[this.#action];
    return this.#byId ? byId : byName;
  }

  #look(topicKey: string, partition: number): StandingFlow | null {
    const topic = this.topicOf(topicKey);
    if (topic === undefined) return null;
    const flow = this.#session?.standingFlow(this.#action, topic, partition, this.#nowMs) ?? null;
    if (flow === null || flow.standing !== this.#standing) return null;
    this.#keep(topicKey, flow);
    return flow;
  }

  #keep(topicKey: string, flow: StandingFlow): void {
    let kept = keptFlows.get(this.#standing);
    if (kept === undefined) keptFlows.set(this.#standing, (kept = { read: emptyFlows(), write: emptyFlows() }));
    const flows = this.#own(kept);
    this.#flows = flows;
    const known = flows.get(topicKey);
    if (known !== undefined) (known.others ??= new Map<number, StandingFlow>()).set(flow.partition, flow);
    // A client may name as many as it likes: what is beyond the bound is found in the session each time.
    else if (flows.size < laneTopicsMax) flows.set(topicKey, { first: flow, others: null });
  }
}

function emptyFlows(): KeptFlows['read'] {
  return { byName: new Map(), byId: new Map() };
}

function flowIn({ first, others }: TopicFlows, partition: number): StandingFlow | null {
  return first.partition === partition ? first : (others?.get(partition) ?? null);
}
