/**
 * What the sessions of a process may hold of flows together, beyond what each may hold by itself: so a client of fifty
 * thousand partitions is not told of anew at each of its requests, and many clients cannot fill the memory.
 */
export class FlowRoom {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Room for one more. @returns false where there is none */
  take(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }

  give(count: number): void {
    this.#taken -= count;
  }
}

/** One holder's count of flows: its own room first, then what it takes of the room that all share. */
export class FlowCount {
  readonly #ownMax: number;
  readonly #shared: FlowRoom;
  #count = 0;

  constructor(ownMax: number, shared: FlowRoom) {
    this.#ownMax = ownMax;
    this.#shared = shared;
  }

  get value(): number {
    return this.#count;
  }

  /** @returns false where there is room neither of its own nor among what is shared */
  add(): boolean {
    if (this.#count >= this.#ownMax && !this.#shared.take()) return false;
    this.#count += 1;
    return true;
  }

  remove(count: number): void {
    const beyond = Math.max(0, this.#count - this.#ownMax);
    this.#count -= count;
    const stillBeyond = Math.max(0, this.#count - this.#ownMax);
    if (beyond > stillBeyond) this.#shared.give(beyond - stillBeyond);
  }
}
