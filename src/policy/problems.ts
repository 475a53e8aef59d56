import { policyProblemsMax } from '../lib/limits.ts';
import type { PolicyProblem } from './contract.ts';

/** Collects what is wrong, or what is only worth a warning, over all files of one load. */
export class Problems {
  readonly #found: PolicyProblem[] = [];

  add(problem: PolicyProblem): void {
    this.#found.push(problem);
  }

  get any(): boolean {
    return this.#found.length > 0;
  }

  /** As they came. */
  all(): readonly PolicyProblem[] {
    return this.#found;
  }

  /** In the order of files and lines, cut off at `policyProblemsMax` with a last line that counts the rest. */
  list(): readonly PolicyProblem[] {
    const sorted = this.#found.toSorted(byPlace);
    const last = sorted[policyProblemsMax - 1];
    if (last === undefined || sorted.length === policyProblemsMax) return sorted;
    const rest = sorted.length - policyProblemsMax;
    return [
      ...sorted.slice(0, policyProblemsMax),
      { ...last, message: `There are ${rest} more problems. Mend these first.` },
    ];
  }
}

function byPlace(a: PolicyProblem, b: PolicyProblem): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line || a.column - b.column;
}
