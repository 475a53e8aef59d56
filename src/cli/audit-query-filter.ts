/** What was asked for on the command line, as a filter. */
import { catalogue, outcomes } from '../audit/audit.ts';
import type { Outcome, QueryFilter } from '../audit/audit.ts';
import { parseDurationMs } from '../config/config.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './output.ts';

export interface FilterOptions {
  readonly principal?: string;
  readonly memberOf?: string;
  readonly topic?: string;
  readonly partition?: string;
  readonly offset?: string;
  readonly group?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly session?: string;
  readonly code?: string;
  readonly since?: string;
  readonly until?: string;
}

/** @throws CommandError `usage` */
export function filterOf(options: FilterOptions, nowMs: number): QueryFilter {
  const { principal, memberOf, topic, group, action, session, code, outcome } = options;
  if (options.offset !== undefined && (topic === undefined || options.partition === undefined))
    throw usage('--offset goes with --topic and --partition: every partition counts its own.');
  if (topic !== undefined && group !== undefined)
    throw usage('An entry is about a topic or a consumer group: ask for --topic or --group.');
  if (outcome !== undefined && !outcomes.includes(outcome as Outcome))
    throw usage(`--outcome takes one of ${outcomes.join(', ')}.`);
  const partition = wholeNumber('--partition', options.partition, 2_147_483_647);
  const sinceMs = timeOf('--since', options.since, nowMs);
  const untilMs = timeOf('--until', options.until, nowMs);
  const texts = Object.entries({ principal, memberOf, topic, group, action, session, code, outcome });
  return {
    ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)),
    ...(partition !== null && { partition }),
    ...(options.offset !== undefined && { offset: offsetOf(options.offset) }),
    ...(sinceMs !== null && { sinceMs }),
    ...(untilMs !== null && { untilMs }),
  };
}

/** What to say where a code is none that this version writes; `null` where it is one, or none was given. */
export function unknownCode({ code }: FilterOptions): string | null {
  if (code === undefined || Object.hasOwn(catalogue, code)) return null;
  const near = Object.keys(catalogue)
    .map((known) => ({ known, steps: distance(code, known) }))
    .filter(({ steps }) => steps <= 4)
    .sort((a, b) => a.steps - b.steps)
    .slice(0, 3)
    .map(({ known }) => known);
  const meant = near.length === 0 ? 'docs/audit.md lists them' : `did you mean ${near.join(' or ')}?`;
  return `No entry of this version has the code ${code}: ${meant}`;
}

export function wholeNumber(name: string, text: string | undefined, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) throw usage(`${name} takes a whole number up to ${max}.`);
  return value;
}

export function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}

function offsetOf(text: string): bigint {
  const offset = /^\d{1,19}$/.test(text) ? BigInt(text) : null;
  if (offset === null || offset > 9_223_372_036_854_775_807n)
    throw usage('--offset takes a whole number up to 9223372036854775807.');
  return offset;
}

function timeOf(name: string, text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const agoMs = parseDurationMs(text);
  const ms = agoMs === null ? Date.parse(text) : nowMs - agoMs;
  const known = agoMs !== null || /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  if (!known || Number.isNaN(ms))
    throw usage(
      `${name} takes 2026-03-12 (which begins at midnight UTC), 2026-03-12T08:00:00Z, 2026-03-12T09:00:00+01:00, or a length of time before now: 24h.`,
    );
  return ms;
}

/** Letters to be changed, added or left out to make one of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
