import { setImmediate as nextTurn } from 'node:timers/promises';

/** Runs to the end, letting the event loop turn whenever `sliceMs` have been used up: long work beside work that waits. */
export async function inSlices<Result>(steps: Generator<void, Result>, sliceMs: number = 4): Promise<Result> {
  let until = performance.now() + sliceMs;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + sliceMs;
  }
}
