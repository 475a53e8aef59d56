import type { Entry } from '../../model/entry.ts';
import type { Findings, Place } from './findings.ts';

interface Open {
  /** The `seq` of its last entry. */
  seq: number;
  /** Sequence numbers that did not come. */
  skipped: number;
  readonly at: Place;
}

/** Holds that each session's entries go from 1 without a gap, and that those of one that ended are as many as it says. */
export class SessionCheck {
  readonly #findings: Findings;
  readonly #open = new Map<string, Open>();
  /** Sessions that a tombstone counts and does not list. */
  #untold = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** @param lossy whether the run reported losses: a gap is then one of them */
  entry(entry: Entry, code: string, at: Place, lossy: boolean): void {
    const { session_id: id, seq } = entry.data;
    if (typeof id !== 'string' || typeof seq !== 'number') return;
    const session = this.#open.get(id) ?? this.#begin(seq, at);
    if (seq <= session.seq) {
      this.#findings.add(
        'integrity',
        'session-order',
        `entry ${seq} of session ${id} stands behind its entry ${session.seq}`,
        at,
      );
      return;
    }
    if (seq > session.seq + 1) {
      session.skipped += seq - session.seq - 1;
      const message = `entries ${session.seq + 1} to ${seq - 1} of session ${id} should stand before this one`;
      this.#findings.add('completeness', 'session-gap', message, at, lossy);
    }
    session.seq = seq;
    if (code !== 'session.closed') return void this.#open.set(id, session);
    this.#open.delete(id);
    const { counters } = entry.data;
    const said = typeof counters === 'object' && counters !== null ? Reflect.get(counters, 'entries') : undefined;
    if (said !== seq)
      this.#findings.add(
        'integrity',
        'session-count',
        `session ${id} says that it has ${JSON.stringify(said)} entries; this is its ${seq}`,
        at,
      );
  }

  #begin(seq: number, at: Place): Open {
    if (seq === 1 || this.#untold === 0) return { seq: 0, skipped: 0, at };
    this.#untold -= 1;
    return { seq: seq - 1, skipped: 0, at };
  }

  /** Sessions that are open, with their last `seq`. */
  state(): (readonly [string, number])[] {
    return [...this.#open].map(([id, { seq }]) => [id, seq] as const);
  }

  /** Goes on behind a stretch that is gone. @param more how many sessions of it are not told: a gap cannot be seen in them */
  resume(open: readonly (readonly [string, number])[], more: number, at: Place): void {
    this.#open.clear();
    for (const [id, seq] of open) this.#open.set(id, { seq, skipped: 0, at });
    this.#untold = more;
  }

  /** @param closed whether the run ended in good order: no session of it may then be open */
  runEnded(closed: boolean, lossy: boolean): void {
    if (closed) {
      for (const [id, { at }] of this.#open)
        this.#findings.add(
          'completeness',
          'session-open',
          `session ${id} begins here and its end is not in the log`,
          at,
          lossy,
        );
    }
    this.#open.clear();
    this.#untold = 0;
  }
}
