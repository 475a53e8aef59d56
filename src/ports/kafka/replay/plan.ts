/** What driving a recording into a topic would write: the batches in order, each to its partition. */
import type { BatchEvent, ReplayEvent, ReplayedRecord } from './contract.ts';

/** One batch that is to be written, in one piece. */
export interface Unit {
  /** From 0, in the order of the recording: the same for the same recordings and the same filters. */
  readonly number: number;
  readonly atMs: number;
  readonly partition: number;
  readonly codec: string;
  readonly records: readonly ReplayedRecord[];
}

export interface PlanOptions {
  /** All into this one; absent: each record into the partition that it came from. */
  readonly toPartition?: number;
  readonly keep?: (record: ReplayedRecord) => boolean;
}

/** Counts of what is to be written and of what is left out, with why. */
export class PlanReport {
  units = 0;
  records = 0;
  bytes = 0;
  fromMs: number | null = null;
  toMs: number | null = null;
  readonly partitions: Map<number, number> = new Map();
  /** Records that are not written, by reason. */
  readonly leftOut: Map<string, number> = new Map();

  add({ atMs, partition, records }: Unit): void {
    this.units += 1;
    this.records += records.length;
    for (const { key, value, headers } of records) {
      this.bytes += (key?.length ?? 0) + (value?.length ?? 0);
      for (const header of headers) this.bytes += header.key.length + (header.value?.length ?? 0);
    }
    this.fromMs ??= atMs;
    this.toMs = atMs;
    this.partitions.set(partition, (this.partitions.get(partition) ?? 0) + records.length);
  }

  leaveOut(reason: string, records: number): void {
    if (records > 0) this.leftOut.set(reason, (this.leftOut.get(reason) ?? 0) + records);
  }
}

/**
 * A client that tried again may have produced a batch twice, which the broker took once: it is told by its offset.
 * @param report is filled while the units are taken
 */
export async function* planUnits(
  events: AsyncIterable<ReplayEvent>,
  options: PlanOptions,
  report: PlanReport,
): AsyncGenerator<Unit> {
  const lastOffsets = new Map<string, bigint>();
  for await (const event of events) {
    if (event.kind === 'reference') report.leaveOut(`${event.verdict}: ${reasonOf[event.verdict]}`, event.records);
    if (event.kind !== 'batch') continue;
    const why = whyNot(event, lastOffsets);
    if (why !== null) {
      report.leaveOut(why, event.records.length);
      continue;
    }
    const records = event.records.filter((record) => options.keep?.(record) !== false);
    if (records.length === 0) continue;
    const { atMs, codec } = event;
    const unit: Unit = {
      number: report.units,
      atMs,
      partition: options.toPartition ?? event.partition,
      codec,
      records,
    };
    report.add(unit);
    yield unit;
  }
}

const reasonOf = {
  'not-kept': 'the recording has no bytes of them',
  'not-asked': 'no broker was asked for them',
  expired: 'the broker no longer has them',
  altered: 'the broker has something else at their offsets',
  gone: 'their topic is gone, or the broker had refused them',
  unreadable: 'the broker could not be asked for them',
} as const;

function whyNot(
  { direction, topic, partition, records, fate }: BatchEvent,
  lastOffsets: Map<string, bigint>,
): string | null {
  if (fate.kind === 'refused') return 'the broker had refused them';
  if (direction !== 'produced') return null;
  const place = `${topic}-${partition}`;
  const last = records.at(-1)?.offset ?? null;
  if (last === null) return null;
  const before = lastOffsets.get(place);
  if (before !== undefined && last <= before) return 'sent twice by the client, written once by the broker';
  lastOffsets.set(place, last);
  return null;
}
