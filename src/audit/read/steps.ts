/** A log from its first entry to its last: segments that are there, and tombstones where they are not. */
import { findTombstones, covers, neededTombstones } from './tombstones.ts';
import type { Tombstone } from './tombstones.ts';
import { listSegments } from './segments.ts';
import type { LogSegment } from './segments.ts';

export type LogStep =
  | { readonly kind: 'segment'; readonly segment: LogSegment }
  | {
      readonly kind: 'gone';
      readonly tombstone: Tombstone;
      /** Files of the stretch that are there yet: they were to be removed, and are not read. */
      readonly left: readonly LogSegment[];
    };

export interface LogSteps {
  readonly steps: readonly LogStep[];
  /** Segments that are read. */
  readonly segments: readonly LogSegment[];
  readonly tombstones: readonly Tombstone[];
  /** Of `tombstones`, those that steps stand on. */
  readonly needed: readonly Tombstone[];
}

/** @throws system errors where the folder cannot be read, SluiceError `audit-line-too-long` */
export async function logSteps(directory: string): Promise<LogSteps> {
  const all = await listSegments(directory);
  const tombstones = await findTombstones(all);
  const needed = neededTombstones(tombstones, new Set(all.map(({ name }) => name)));
  const cuts = new Map(
    needed.flatMap(({ data }) =>
      data.reports
        .filter(({ cause }) => cause === 'write-failed')
        .map((report) => [report.segment, report.complete_bytes] as const),
    ),
  );
  const segments = all
    .filter(({ name }) => !needed.some(({ data }) => covers(data, name)))
    .map((segment) => ({ ...segment, cutAt: Math.min(segment.cutAt, cuts.get(segment.name) ?? Infinity) }));
  const steps: { readonly name: string; readonly step: LogStep }[] = [
    ...segments.map((segment) => ({ name: segment.name, step: { kind: 'segment', segment } as const })),
    ...needed.map((tombstone) => ({
      name: tombstone.data.first_segment,
      step: {
        kind: 'gone',
        tombstone,
        left: all.filter(({ name }) => covers(tombstone.data, name)),
      } as const,
    })),
  ];
  steps.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { steps: steps.map(({ step }) => step), segments, tombstones, needed };
}
