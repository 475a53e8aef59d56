/**
 * How many connections are opened at once. When thousands of clients come back together, opening all of theirs at the same
 * time makes each as slow as all, and every one of them fails in the end; in turn, each is quick.
 */
import { openingWaitMs, openingsMax } from '../../lib/limits.ts';

interface Waiting {
  /** @param mayOpen false: nobody wants it any more, or it has waited too long */
  readonly go: (mayOpen: boolean) => void;
  readonly wanted: () => boolean;
  readonly sinceMs: number;
}

export class Openings {
  readonly #waiting: Waiting[] = [];
  #open = 0;

  /** Nothing is being opened, nor waits. */
  get idle(): boolean {
    return this.#open === 0;
  }

  /**
   * Waits for its turn, first come, first served. Where the promise holds true, `done` must be called in the end.
   *
   * @param wanted asked once its turn has come
   * @returns false where it is not wanted any more, or has waited for `openingWaitMs`
   */
  begin(wanted: () => boolean): Promise<boolean> {
    if (this.#open < openingsMax) {
      this.#open += 1;
      return Promise.resolve(true);
    }
    return new Promise((go) => this.#waiting.push({ go, wanted, sinceMs: performance.now() }));
  }

  done(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const mayOpen = performance.now() - next.sinceMs < openingWaitMs && next.wanted();
      next.go(mayOpen);
      if (mayOpen) return;
    }
    this.#open -= 1;
  }
}
