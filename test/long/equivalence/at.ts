/** Where a case stands: on which side, in which version, and under which names. */
import type { Side } from './side.ts';

/** No topic has it. */
export const unknownTopicId = 'u7v9wG3yR1yV2c3d4e5f6A';

/** The names that belong to no case: topics, groups and transactional ids that every reading case finds there. */
export const sharedToken = 'q0';

export interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export class At {
  readonly side: Side;
  readonly version: number;
  /** Stands in every name of the case, and in nobody else's. */
  readonly token: string;
  readonly topics: Set<string> = new Set();
  readonly groups: Set<string> = new Set();
  readonly transactions: Set<string> = new Set();
  /** Set by `prepare`: what differs between the sides, so that requests built of it may as well. */
  #member: { memberId: string; generationId: number } | null = null;
  #producer: Producer | null = null;
  #ownValues = false;

  constructor(side: Side, version: number, token: string) {
    this.side = side;
    this.version = version;
    this.token = token;
  }

  topic(kind: string, suffix = ''): string {
    const name = `${kind}-${this.token}${suffix}`;
    this.topics.add(name);
    return name;
  }

  group(kind: string, suffix = ''): string {
    const name = `${kind}-${this.token}${suffix}`;
    this.groups.add(name);
    return name;
  }

  transaction(kind: string, suffix = ''): string {
    const name = `${kind}-${this.token}${suffix}`;
    this.transactions.add(name);
    return name;
  }

  id(kind: string, suffix = ''): string {
    this.#ownValues = true;
    return this.side.idOf(this.topic(kind, suffix));
  }

  /** By name, or by id from a version on. */
  named(kind: string, idVersion: number, field = 'name'): Record<string, string> {
    return this.version >= idVersion ? { topicId: this.id(kind) } : { [field]: this.topic(kind) };
  }

  set member(member: { memberId: string; generationId: number }) {
    this.#member = member;
  }

  get member(): { memberId: string; generationId: number } {
    this.#ownValues = true;
    if (this.#member === null) throw new Error('the case prepared no member');
    return this.#member;
  }

  set producer(producer: Producer) {
    this.#producer = producer;
  }

  get producer(): Producer {
    this.#ownValues = true;
    if (this.#producer === null) throw new Error('the case prepared no producer');
    return this.#producer;
  }

  /** Whether the request carries what each side gave out itself (topic ids, member ids, producer ids). Else its bytes are the same. */
  get hasOwnValues(): boolean {
    return this.#ownValues;
  }
}
