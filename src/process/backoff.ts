/** How long to wait before a worker that died is replaced. */
const firstMs = 100;
const lastMs = 10_000;
/** A worker that lived this long did its work; what ended it is another matter than one that cannot even start. */
const livedMs = 10_000;
/** Short lives in a row that make a crash loop. */
const loopFrom = 3;

export class Backoff {
  #shortLives = 0;

  /** @returns milliseconds to wait before the next one starts: doubled with each that lived only shortly */
  died(lifeMs: number): number {
    this.#shortLives = lifeMs < livedMs ? this.#shortLives + 1 : 0;
    return Math.min(firstMs * 2 ** Math.max(0, this.#shortLives - 1), lastMs);
  }

  /** One has lived long enough. */
  lived(): void {
    this.#shortLives = 0;
  }

  get looping(): boolean {
    return this.#shortLives >= loopFrom;
  }
}
