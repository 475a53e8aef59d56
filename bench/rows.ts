/** Samples of all rounds summed up: one row for each cell and peer, and its ratios to an anchor. */
import type { Sample } from './rounds.ts';
import { type Spread, spreadOf } from './statistics.ts';

export interface Row {
  readonly cell: string;
  readonly peer: string;
  readonly megabytesPerSecond: Spread;
  /** Of the proxy's process with all its threads and children. */
  readonly cpuSecondsPerGB: Spread;
  readonly cpuMicrosPerFrame: Spread;
  readonly residentMB: number;
  readonly p50Us: Spread;
  readonly p99Us: Spread;
  /** This peer's CPU per GB ÷ the anchor's, round by round. Absent on the anchor itself and where either is missing. */
  readonly cpuRatio?: Spread;
  /** MB/s through this peer ÷ MB/s without a proxy. */
  readonly throughputRatio?: Spread;
  /** What this peer adds to the p50 of no proxy ÷ what the anchor adds. */
  readonly addedP50Ratio?: Spread;
}

export function rowsOf(samples: readonly Sample[], anchor: string): Row[] {
  const keys = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.cell}\u0000${sample.peer}`;
    keys.set(key, [...(keys.get(key) ?? []), sample]);
  }
  return [...keys.values()].map((own) => rowOf(own, samples, anchor));
}

function rowOf(own: readonly Sample[], all: readonly Sample[], anchor: string): Row {
  const [{ cell, peer }] = own as [Sample];
  const pairedWith = (name: string, { round }: Sample): Sample | undefined =>
    all.find((other) => other.cell === cell && other.peer === name && other.round === round);
  const over = (value: (sample: Sample) => number): Spread => spreadOf(own.map(value));
  const cpuRatio = over((sample) => perGB(sample) / perGB(pairedWith(anchor, sample)));
  const throughput = ({ megabytes, seconds }: Sample): number => megabytes / seconds;
  const throughputRatio = over((sample) => {
    const base = pairedWith('direct', sample);
    return base === undefined ? Number.NaN : throughput(sample) / throughput(base);
  });
  const added = (sample: Sample | undefined, base: Sample | undefined): number =>
    sample === undefined || base === undefined ? Number.NaN : sample.latencyUs.p50 - base.latencyUs.p50;
  const addedP50Ratio = over((sample) => {
    const base = pairedWith('direct', sample);
    return added(sample, base) / added(pairedWith(anchor, sample), base);
  });
  const isOther = peer !== anchor && peer !== 'direct';
  return {
    cell,
    peer,
    megabytesPerSecond: over(throughput),
    cpuSecondsPerGB: over(perGB),
    cpuMicrosPerFrame: over((sample) => (sample.proxyCpu * 1e6) / sample.frames),
    residentMB: Math.max(...own.map((sample) => sample.residentMB)),
    p50Us: over((sample) => sample.latencyUs.p50),
    p99Us: over((sample) => sample.latencyUs.p99),
    ...(isOther && Number.isFinite(cpuRatio.median) && { cpuRatio }),
    ...(peer !== 'direct' && Number.isFinite(throughputRatio.median) && { throughputRatio }),
    ...(isOther && Number.isFinite(addedP50Ratio.median) && { addedP50Ratio }),
  };
}

function perGB(sample: Sample | undefined): number {
  return sample === undefined ? Number.NaN : sample.proxyCpu / (sample.megabytes / 1_000);
}
