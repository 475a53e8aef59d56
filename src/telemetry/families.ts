/** Metrics of several processes under one name each, told apart by a label: Prometheus wants each name once. */
import type { Registry } from 'prom-client';

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    /** Of histograms: the family's own, and `_bucket`, `_sum`, `_count`. */
    readonly name: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

/** What a registry holds now, as plain values. */
export async function familiesOf(registry: Registry): Promise<Family[]> {
  const families = await registry.getMetricsAsJSON();
  return families.map(({ name, help, type, values }) => ({
    name,
    help,
    type: String(type),
    values: values.map((one) => ({
      name: 'metricName' in one && typeof one.metricName === 'string' ? one.metricName : name,
      labels: definedLabels(one.labels),
      value: one.value,
    })),
  }));
}

/**
 * @param processes by their names; the name `null` is that of a process alone, which needs none
 * @param label what tells the processes apart
 */
export function renderFamilies(processes: ReadonlyMap<string | null, readonly Family[]>, label: string): string {
  const heads = new Map<string, string>();
  const lines = new Map<string, string[]>();
  for (const [process, families] of processes) {
    for (const { name, help, type, values } of families) {
      heads.set(name, `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
      const own = values.map((one) => `${one.name}${labelText(process, label, one.labels)} ${numberText(one.value)}\n`);
      lines.set(name, [...(lines.get(name) ?? []), ...own]);
    }
  }
  return Array.from(heads, ([name, head]) => head + (lines.get(name) ?? []).join('')).join('');
}

function definedLabels(labels: object): Record<string, string | number> {
  const entries = Object.entries(labels) as [string, string | number | undefined][];
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function labelText(process: string | null, label: string, own: Family['values'][number]['labels']): string {
  const labels = process === null ? own : { [label]: process, ...own };
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${String(value).replace(/["\\]/g, '\\$&')}"`);
  return texts.length === 0 ? '' : `{${texts.join(',')}}`;
}

/** JSON has no infinity: it arrives as null. */
function numberText(value: number | null): string {
  if (value === null || Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}
