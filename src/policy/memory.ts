import { decisionsPerTableMax, decisionsRememberedMax } from '../lib/limits.ts';

/** A table that remembers decisions by names its clients chose. */
export interface Remembering {
  forget(): void;
}

/** Keeps the decisions remembered under one revision within bounds, whoever asks for how many names. */
export class Memory {
  readonly #sizes = new Map<Remembering, number>();
  #total = 0;

  /** Call before a table remembers one more. A table beyond its own share loses its memory; beyond everyone's, all do. */
  makeRoom(table: Remembering): void {
    if ((this.#sizes.get(table) ?? 0) >= decisionsPerTableMax) this.release(table);
    if (this.#total >= decisionsRememberedMax) for (const other of this.#sizes.keys()) this.release(other);
    this.#sizes.set(table, (this.#sizes.get(table) ?? 0) + 1);
    this.#total++;
  }

  /** Makes a table forget, for room or because its time has passed. */
  release(table: Remembering): void {
    this.#total -= this.#sizes.get(table) ?? 0;
    this.#sizes.delete(table);
    table.forget();
  }

  get total(): number {
    return this.#total;
  }
}
