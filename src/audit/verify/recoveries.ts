import type { Entry } from '../../model/entry.ts';
import type { TombstoneData } from '../events.ts';
import { covers } from '../read/tombstones.ts';
import type { Findings, Place } from './findings.ts';

/** How a segment ends, as it is here. */
export interface SegmentAccount {
  readonly name: string;
  readonly completeBytes: number;
  readonly tornBytes: number;
  readonly lastId: string;
  readonly lastCode: string;
  /** Of its last entry. */
  readonly at: Place;
}

interface Report {
  readonly cause: string;
  readonly completeBytes: number;
  readonly tornBytes: number;
  readonly lastId: string;
}

/** Holds what later runs say about segments that were left unfinished against how those segments end here. */
export class RecoveryCheck {
  readonly #findings: Findings;
  readonly #reports = new Map<string, Report>();
  readonly #segments: SegmentAccount[] = [];
  /** Runs without `log.closed`, by their last entry. */
  readonly #unclosed: { readonly lastId: string; readonly at: Place }[] = [];

  readonly #gone: TombstoneData[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Behind a stretch that is gone: what it said about others still counts. */
  resume(data: TombstoneData): void {
    this.#gone.push(data);
    for (const {
      segment,
      cause,
      complete_bytes: completeBytes,
      torn_bytes: tornBytes,
      last_id: lastId,
    } of data.reports)
      this.#reports.set(segment, { cause, completeBytes, tornBytes, lastId });
  }

  entry(entry: Entry, code: string, at: Place): void {
    if (code === 'log.entries-missing') {
      const { count, segment, first_index: first } = entry.data;
      const message = `the gateway found entries gone: ${JSON.stringify({ segment, first, count })}`;
      this.#findings.add('completeness', 'gone', message, at, true);
    }
    if (code !== 'log.recovered') return;
    const { segment, cause, complete_bytes, torn_bytes, last_id } = entry.data;
    if (typeof segment !== 'string' || typeof cause !== 'string' || typeof complete_bytes !== 'number') return;
    const tornBytes = typeof torn_bytes === 'number' ? torn_bytes : 0;
    const lastId = typeof last_id === 'string' ? last_id : '';
    this.#reports.set(segment, { cause, completeBytes: complete_bytes, tornBytes, lastId });
    // What a failed write left behind was written again: nothing is missing.
    if (cause === 'write-failed') return;
    const message = `the gateway was interrupted behind ${lastId === '' ? 'no entry' : lastId} in ${segment}: flow windows that were open are not in the log`;
    this.#findings.add('completeness', 'interrupted', message, at, true);
  }

  segment(account: SegmentAccount): void {
    this.#segments.push(account);
  }

  finish(): void {
    for (const [index, segment] of this.#segments.entries()) {
      const report = this.#reports.get(segment.name);
      const last = index === this.#segments.length - 1;
      if (report !== undefined) this.#held(segment, report);
      // The log may have been copied while its last line was being written.
      else if (segment.tornBytes > 0 && !last)
        this.#findings.add(
          'integrity',
          'torn',
          `${segment.tornBytes} bytes behind this entry are none, and nothing in the log says why`,
          segment.at,
        );
      else if (segment.tornBytes > 0 && segment.lastCode === 'log.closed')
        this.#findings.add(
          'integrity',
          'torn',
          `${segment.tornBytes} bytes stand behind the end of the log`,
          segment.at,
        );
    }
    this.#finishRuns();
    const names = new Set(this.#segments.map(({ name }) => name));
    for (const [name, { completeBytes }] of this.#reports) {
      if (!names.has(name) && completeBytes > 0 && !this.#gone.some((data) => covers(data, name)))
        this.#findings.add('completeness', 'missing-segment', `${name} is not here; a later run found it unfinished`, {
          file: name,
        });
    }
  }

  /** A run that another run follows. */
  runEnded(closed: boolean, lastId: string, at: Place): void {
    if (!closed) this.#unclosed.push({ lastId, at });
  }

  /** A later run has to have said so. */
  #finishRuns(): void {
    const told = new Set([...this.#reports.values()].map(({ lastId }) => lastId));
    for (const { lastId, at } of this.#unclosed) {
      if (!told.has(lastId))
        this.#findings.add(
          'completeness',
          'run-without-end',
          `the run that wrote ${lastId} has no log.closed behind it, and no later run says why`,
          at,
        );
    }
  }

  #held(segment: SegmentAccount, report: Report): void {
    if (report.cause === 'write-failed') return;
    if (
      segment.completeBytes === report.completeBytes &&
      segment.tornBytes === report.tornBytes &&
      segment.lastId === report.lastId
    )
      return;
    const message = `${segment.name} ends behind ${segment.lastId || 'no entry'} (byte ${segment.completeBytes}); the gateway found it to end behind ${report.lastId || 'no entry'} (byte ${report.completeBytes})`;
    this.#findings.add('completeness', 'cut', message, segment.at);
  }
}
