import type { Entry } from '../../model/entry.ts';
import type { RunStateData } from '../events.ts';
import type { Findings, Place } from './findings.ts';

interface Gap {
  from: number;
  to: number;
  readonly at: Place;
}

interface Loss {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** One run of the gateway: the numbers of its entries, and what it says of itself. */
interface Run {
  readonly name: string;
  next: number;
  lastAt: Place;
  gaps: Gap[];
  readonly losses: Loss[];
  /** What `log.closed` says, once it did. */
  closed: { readonly entries: number; readonly lost: number } | null;
}

/** Holds that the numbers of each run go from 1 without a gap, but for those that the gateway reports as lost. */
export class RunCheck {
  readonly #findings: Findings;
  readonly #finished = new Set<string>();
  #run: Run | null = null;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Whether the last run said that it ended. */
  get closed(): boolean {
    return this.#run?.closed !== null && this.#run !== null;
  }

  /** Whether the run that is being read has reported losses: sessions of it may have gaps too. */
  get hasLosses(): boolean {
    return (this.#run?.losses.length ?? 0) > 0;
  }

  /** Where the run that is being read stands: what a tombstone carries on. */
  state(): Pick<RunStateData, 'name' | 'next' | 'closed' | 'gaps' | 'losses'> | null {
    const run = this.#run;
    if (run === null) return null;
    const { name, next, closed } = run;
    return {
      name,
      next,
      closed,
      gaps: run.gaps.map(({ from, to }) => [from, to] as const),
      losses: run.losses.map(({ from, to, count }) => [from, to, count] as const),
    };
  }

  /**
   * Goes on behind a stretch that is gone. The run that it began in was held to its end when the stretch was removed.
   * @returns whether the run before the stretch had ended before it
   */
  resume(state: RunStateData, firstRun: string, at: Place): boolean {
    const before = this.#run;
    const ended = before !== null && before.name !== firstRun;
    if (ended) this.finish();
    else if (before !== null && before.name !== state.name) this.#finished.add(before.name);
    const { name, next, closed } = state;
    const gaps = state.gaps.map(([from, to]) => ({ from, to, at }));
    const losses = state.losses.map(([from, to, count]) => ({ from, to, count }));
    this.#run = { name, next, lastAt: at, gaps, losses, closed };
    return ended;
  }

  /** @returns whether another run begins here */
  entry(entry: Entry, code: string, at: Place): boolean {
    const { run: name, number } = splitId(entry.id);
    if (number === null) {
      this.#findings.add('integrity', 'bad-id', `"${entry.id.slice(0, 80)}" is no id of an entry`, at);
      return false;
    }
    const begins = this.#run?.name !== name;
    if (begins) this.#begin(name, at);
    const run = this.#run;
    if (run === null) return begins;
    if (run.closed !== null)
      this.#findings.add(
        'integrity',
        'after-the-end',
        `an entry of run ${name} stands behind the run's log.closed`,
        at,
      );
    this.#number(run, number, at);
    run.lastAt = at;
    if (code === 'log.entries-lost') this.#loss(run, entry, at);
    if (code === 'log.closed')
      run.closed = { entries: toCount(entry.data['entries']), lost: toCount(entry.data['lost']) };
    return begins;
  }

  /** At the end of the log, and before a new run. */
  finish(): void {
    const run = this.#run;
    if (run === null) return;
    this.#finished.add(run.name);
    const { closed, lastAt } = run;
    if (closed !== null && run.next !== closed.entries + 1)
      this.#missing(
        `run ${run.name} says that it wrote ${closed.entries} entries, the last here is ${run.next - 1}`,
        lastAt,
      );
    const lost = run.losses.reduce((sum, { count }) => sum + count, 0);
    if (closed !== null && closed.lost !== lost)
      this.#missing(`run ${run.name} says that it lost ${closed.lost} entries, and reports ${lost}`, lastAt);
    for (const gap of run.gaps) this.#gap(run, gap);
    for (const loss of run.losses) {
      const gone = run.gaps.reduce((sum, gap) => sum + overlap(gap, loss), 0);
      if (gone > loss.count)
        this.#missing(`run ${run.name} reports ${loss.count} lost entries, and ${gone} are not here`, lastAt);
    }
  }

  #begin(name: string, at: Place): void {
    this.finish();
    if (this.#finished.has(name))
      this.#findings.add('integrity', 'out-of-place', `entries of run ${name} stand behind those of a later run`, at);
    this.#run = { name, next: 1, lastAt: at, gaps: [], losses: [], closed: null };
  }

  #number(run: Run, number: number, at: Place): void {
    if (number >= run.next) {
      if (number > run.next) run.gaps.push({ from: run.next, to: number - 1, at });
      run.next = number + 1;
      return;
    }
    // The report on a failed write has a later number than the entries that it stands before.
    const gap = run.gaps.find(({ from, to }) => from <= number && number <= to);
    if (gap === undefined)
      return this.#findings.add('integrity', 'twice', `entry ${run.name}.${number} stands here a second time`, at);
    const halves = [
      { ...gap, to: number - 1 },
      { ...gap, from: number + 1 },
    ];
    run.gaps = [...run.gaps.filter((other) => other !== gap), ...halves.filter(({ from, to }) => from <= to)];
  }

  #loss(run: Run, entry: Entry, at: Place): void {
    const first = splitId(text(entry.data['first_id']));
    const last = splitId(text(entry.data['last_id']));
    const count = toCount(entry.data['count']);
    const own = first.run === run.name && last.run === run.name;
    if (!own || first.number === null || last.number === null)
      return this.#findings.add('integrity', 'bad-report', 'a report of lost entries names none of its run', at);
    run.losses.push({ from: first.number, to: last.number, count });
    const message = `the gateway lost ${count} entries between ${first.number} and ${last.number} of run ${run.name}: ${text(entry.data['cause'])}`;
    this.#findings.add('completeness', 'lost', message, at, true);
  }

  #gap(run: Run, gap: Gap): void {
    const covered = run.losses.reduce((sum, loss) => sum + overlap(gap, loss), 0);
    if (covered >= gap.to - gap.from + 1) return;
    const which = gap.from === gap.to ? `entry ${gap.from}` : `entries ${gap.from} to ${gap.to}`;
    this.#missing(`${which} of run ${run.name} should stand before this one`, gap.at);
  }

  #missing(message: string, at: Place): void {
    this.#findings.add('completeness', 'missing-entries', message, at);
  }
}

function overlap(gap: Gap, loss: Loss): number {
  return Math.max(0, Math.min(gap.to, loss.to) - Math.max(gap.from, loss.from) + 1);
}

function splitId(id: string): { run: string; number: number | null } {
  const dot = id.lastIndexOf('.');
  const digits = id.slice(dot + 1);
  const whole = dot > 0 && /^[1-9]\d{0,14}$/.test(digits);
  return { run: id.slice(0, dot), number: whole ? Number(digits) : null };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function toCount(value: unknown): number {
  return typeof value === 'number' ? value : -1;
}
