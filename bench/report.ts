/** What a scenario found, as a table for people and as JSON for machines. */
import Table from 'cli-table3';
import type { Figure, Verdict } from './gates.ts';
import type { Row } from './rows.ts';
import { type Sample, noiseIn } from './rounds.ts';
import type { Spread } from './statistics.ts';

export interface ScenarioResult {
  readonly rows: readonly Row[];
  /** Only those of the gateway: what is held against the gates. */
  readonly figures: readonly Figure[];
  readonly samples: readonly Sample[];
  /** Peers that were not there, and whatever else the reader must know. */
  readonly notes: readonly string[];
  /** Name of the anchor that ratios are to. */
  readonly anchor: string;
  /** Scenarios with tables of their own. */
  readonly text?: string;
}

export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

export function spread(
  { median, min, max }: Spread | undefined = { median: Number.NaN, min: Number.NaN, max: Number.NaN },
): string {
  return Number.isFinite(median) ? `${number(median)} (${number(min)}–${number(max)})` : '–';
}

export function plainTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const border = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  };
  const inner = { left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };
  const table = new Table({
    head: [...head],
    chars: { ...border, ...inner },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...lines.map((line) => [...line]));
  return table.toString();
}

export function rowsTable(rows: readonly Row[], anchor: string): string {
  const head = [
    'load',
    'through',
    'MB/s',
    'CPU s/GB',
    `÷ ${anchor}`,
    'µs/frame',
    'RSS MB',
    'p50 µs',
    'p99 µs',
    `added p50 ÷ ${anchor}`,
  ];
  const lines = rows
    .toSorted((a, b) => order(rows, a) - order(rows, b))
    .map((row) => [
      row.cell,
      row.peer,
      spread(row.megabytesPerSecond),
      number(row.throughputRatio?.median ?? Number.NaN),
      spread(row.cpuSecondsPerGB),
      spread(row.cpuRatio),
      number(row.cpuMicrosPerFrame.median),
      row.residentMB === 0 ? '–' : number(row.residentMB),
      number(row.p50Us.median),
      number(row.p99Us.median),
      spread(row.addedP50Ratio),
    ]);
  return plainTable(head, lines);
}

/** Cells in the order they came in, and within a cell peers in the order of their names, no proxy first. */
function order(rows: readonly Row[], row: Row): number {
  const cells = [...new Set(rows.map(({ cell }) => cell))];
  const peers = [...new Set(rows.map(({ peer }) => peer))].toSorted((a, b) =>
    a === 'direct' ? -1 : b === 'direct' ? 1 : a.localeCompare(b),
  );
  return cells.indexOf(row.cell) * 100 + peers.indexOf(row.peer);
}

export function verdictsTable(verdicts: readonly Verdict[]): string {
  const head = ['figure', 'value', 'gate', 'aim', ''];
  const lines = verdicts.map(({ figure, value, gate, ambitious, met, ambitiousMet }) => [
    figure,
    number(value),
    number(gate),
    number(ambitious),
    met ? (ambitiousMet ? 'aim met' : 'met') : 'MISSED',
  ]);
  return plainTable(head, lines);
}

/** The machine's noise in one line: figures of a busy machine are not to be quoted. */
export function noiseOf(samples: readonly Sample[]): number {
  const shares = samples.map(noiseIn).toSorted((a, b) => a - b);
  return shares[shares.length >> 1] ?? 0;
}
