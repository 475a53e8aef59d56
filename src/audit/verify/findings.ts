/** What a verification finds, and where. */
const listedMax = 100;

/** `integrity`: what is there is not what was signed. `completeness`: something that was written is not there. */
export type Aspect = 'integrity' | 'completeness';

export interface Place {
  /** Relative to the log's folder. */
  readonly file: string;
  /** From 1. */
  readonly line?: number;
  /** Position in the tree, from 0. */
  readonly index?: number;
  readonly entryId?: string;
}

export interface Finding {
  readonly aspect: Aspect;
  /** Whether the gateway itself said so in the log: a gap that is known, not one that was made. */
  readonly reported: boolean;
  /** `altered`, `missing-entries`, …: for programs. */
  readonly code: string;
  readonly message: string;
  readonly at: Place | null;
}

export class Findings {
  readonly #listed: Finding[] = [];
  #total = 0;

  add(aspect: Aspect, code: string, message: string, at: Place | null, reported: boolean = false): void {
    this.#total += 1;
    const finding = { aspect, reported, code, message, at };
    // The first of its kind always has room: it says where to look.
    const first = !this.#listed.some((other) => other.aspect === aspect && other.reported === reported);
    if (this.#listed.length < listedMax || first) this.#listed.push(finding);
  }

  /** The first hundred. */
  get listed(): readonly Finding[] {
    return this.#listed;
  }

  get total(): number {
    return this.#total;
  }

  has(aspect: Aspect, reported: boolean): boolean {
    return this.#listed.some((finding) => finding.aspect === aspect && finding.reported === reported);
  }
}
