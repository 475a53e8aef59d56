/** Something wrong in a file, at its place: what `sluice check` prints as `path:line:column: message`. */
export interface ConfigProblem {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** What is wrong and what to write instead. */
  readonly message: string;
}

/** Where a value stands in the document: keys and list positions from the root. */
export type KeyPath = readonly (string | number)[];

/** A problem that is not yet tied to a line. */
export interface PlacedProblem {
  readonly at: KeyPath;
  /** Points at the key itself, not at its value: for keys that should not be there. */
  readonly onKey?: boolean;
  readonly message: string;
}
