/** What a scenario is, and what the scenarios share. */
import { type Exchange, frameSizes } from '../load/frames.ts';
import type { BenchOptions } from '../options.ts';
import type { Figure } from '../gates.ts';
import type { ScenarioResult } from '../report.ts';
import type { Row } from '../rows.ts';
import type { Stage } from '../stage.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Why there is no profile of it; absent where there is one. */
  readonly notProfiled?: string;
  run(options: BenchOptions): Promise<ScenarioResult>;
}

const sizeNames = new Map(
  frameSizes.map((bytes) => [bytes, bytes < 1_048_576 ? `${bytes / 1_024} KB` : `${bytes / 1_048_576} MB`]),
);

export function cellName({ operation, frameBytes }: Pick<Exchange, 'operation' | 'frameBytes'>): string {
  return `${operation} ${sizeNames.get(frameBytes) ?? frameBytes}`;
}

/** The figures of one kind, of those rows that have it. */
export function figuresOf(rows: readonly Row[], label: string, value: (row: Row) => number | undefined): Figure[] {
  return rows.flatMap((row) => {
    const found = value(row);
    return found === undefined ? [] : [{ name: `${row.cell} ${row.peer} ${label}`, value: found }];
  });
}

/** Stops the stage however the work ends. */
export async function onStage<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } finally {
    await stage.stop();
  }
}
