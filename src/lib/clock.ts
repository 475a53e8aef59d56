import { performance } from 'node:perf_hooks';

/** Time as the parts see it, so that tests can turn it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
}

/** Asks the system once in a millisecond: that costs several times what a look at the process's own timer does. */
class SystemClock implements Clock {
  #nowMs = Date.now();
  #askedAtMs = performance.now();

  nowMs(): number {
    const atMs = performance.now();
    if (atMs - this.#askedAtMs >= 1) {
      this.#askedAtMs = atMs;
      this.#nowMs = Date.now();
    }
    return this.#nowMs;
  }
}

export const systemClock: Clock = new SystemClock();
