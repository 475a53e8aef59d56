import { isOver } from './elapsed.ts';

interface Fold {
  /** How many came since the last entry. */
  count: number;
  more: boolean;
  sinceMs: number;
  readonly write: WriteFolded;
}

/** Writes one entry for `count` equal events; `more` where they are not all equal. */
export type WriteFolded = (count: number, more: boolean) => void;

/**
 * Keeps a client that hammers from filling the disk: the first of equal events is written at once, those that come
 * within `foldMs` become one entry with a count, and so on while they keep coming. Beyond `foldsMax` different ones
 * at a time, the rest fold by a coarser key.
 */
export class Folds {
  readonly #foldMs: number;
  readonly #foldsMax: number;
  readonly #folds = new Map<string, Fold>();

  constructor(foldMs: number, foldsMax: number) {
    this.#foldMs = foldMs;
    this.#foldsMax = foldsMax;
  }

  /** @param coarseKey one of few, whatever the network sends */
  add(key: string, coarseKey: string, nowMs: number, write: WriteFolded): void {
    const fine = `=${key}`;
    const fold = this.#folds.get(fine);
    if (fold !== undefined) fold.count += 1;
    else if (this.#folds.size < this.#foldsMax) this.#begin(fine, nowMs, write);
    else this.#addCoarse(`#${coarseKey}`, nowMs, write);
  }

  /** Writes the counts whose time is over, and forgets what stopped. */
  sweep(nowMs: number): void {
    for (const [key, fold] of this.#folds) {
      if (!isOver(fold.sinceMs, this.#foldMs, nowMs)) continue;
      if (fold.count === 0) this.#folds.delete(key);
      else {
        fold.sinceMs = nowMs;
        writeCount(fold);
      }
    }
  }

  /** Writes all counts now and begins anew. */
  flush(): void {
    for (const fold of this.#folds.values()) if (fold.count > 0) writeCount(fold);
    this.#folds.clear();
  }

  #begin(key: string, nowMs: number, write: WriteFolded): void {
    this.#folds.set(key, { count: 0, more: false, sinceMs: nowMs, write });
    write(1, false);
  }

  #addCoarse(key: string, nowMs: number, write: WriteFolded): void {
    const fold = this.#folds.get(key);
    if (fold === undefined) this.#begin(key, nowMs, write);
    else {
      fold.count += 1;
      fold.more = true;
    }
  }
}

function writeCount(fold: Fold): void {
  const { count, more } = fold;
  fold.count = 0;
  fold.more = false;
  fold.write(count, more);
}
