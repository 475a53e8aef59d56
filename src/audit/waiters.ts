interface Waiter {
  readonly position: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Who waits for which line to be on disk, in order. Callers that wait for the same line share one promise. */
export class Waiters {
  #waiting: Waiter[] = [];

  waitFor(position: number): Promise<void> {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.position === position) return last.promise;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ position, promise, resolve, reject });
    return promise;
  }

  resolveUpTo(position: number): void {
    let done = 0;
    for (const waiter of this.#waiting) {
      if (waiter.position > position) break;
      waiter.resolve();
      done += 1;
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  /** Ends all waiting: with `error`, or as if it were written where it is null. */
  settleAll(error: Error | null): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (error === null) waiter.resolve();
      else waiter.reject(error);
    }
  }
}
