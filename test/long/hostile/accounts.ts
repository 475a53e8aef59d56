/** The gateway's own account of an attack: its metrics against its audit log, and why it closed connections. */
import type { Entry } from '../../../src/model/entry.ts';

/** Counts of one metric by the value of one label. */
export type Metric = ReadonlyMap<string, number>;

export async function metrics(telemetry: string): Promise<(name: string, label?: string) => Metric> {
  const text = await (await fetch(`${telemetry}/metrics`)).text();
  return (name, label) => {
    const counts = new Map<string, number>();
    for (const [, labels = '', value = ''] of text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))) {
      const key = label === undefined ? '' : (new RegExp(`${label}="((?:[^"\\\\]|\\\\.)*)"`).exec(labels)?.[1] ?? '');
      counts.set(key, (counts.get(key) ?? 0) + Number(value));
    }
    return counts;
  };
}

/** Refused attempts in the log, the folded ones with their number. */
export interface Refusals {
  readonly authentication: Metric;
  readonly refused: Metric;
  readonly denied: number;
}

export function refusalsIn(entries: Iterable<Entry>): Refusals {
  const authentication = new Map<string, number>();
  const refused = new Map<string, number>();
  let denied = 0;
  for (const { type, data } of entries) {
    const {
      count = 1,
      failure,
      refusal,
    } = data as {
      count?: number;
      failure?: { code: string };
      refusal?: { code: string };
    };
    if (failure !== undefined) authentication.set(failure.code, (authentication.get(failure.code) ?? 0) + count);
    else if (refusal !== undefined) refused.set(refusal.code, (refused.get(refusal.code) ?? 0) + count);
    else if (type.endsWith('operation.denied')) denied += count;
  }
  return { authentication, refused, denied };
}

export function sum(metric: Metric): number {
  return [...metric.values()].reduce((total, count) => total + count, 0);
}

/** Why a connection may end under attack: the client left, the broker had enough, or a refusal that is in the log. */
const expected: readonly RegExp[] = [
  /^the client closed the connection$/,
  /^the client's socket failed$/,
  /^upstream 127\.0\.0\.1$/,
  /^malformed-request$/,
  /^an API that is not served$/,
  /^a request before authentication$/,
  /^SASL mechanism not offered$/,
  /^authentication failed$/,
  /^a produce request with acks=0 was denied$/,
];

export function unexpected(closes: Metric): string[] {
  return [...closes.keys()].filter((reason) => !expected.some((pattern) => pattern.test(reason)));
}
