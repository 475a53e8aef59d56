/** Literals in a condition that could only fail when it runs: patterns, time zones, points in time. Tried once, at load. */
import { cel } from './cel.ts';

/** How each function is tried with a literal, and what to write instead. */
const trials: ReadonlyMap<string, { readonly expression: string; readonly advice: string }> = new Map([
  ['matches', { expression: '"".matches(literal)', advice: 'Write a regular expression in RE2 syntax.' }],
  ['timestamp', { expression: 'timestamp(literal)', advice: 'Write a time as 2027-03-31T12:00:00Z.' }],
  ['duration', { expression: 'duration(literal)', advice: 'Write a length of time as 90s, 5m or 1h30m.' }],
]);
const timeZoneTrial = {
  expression: 'timestamp("2027-01-01T00:00:00Z").getHours(literal)',
  advice: 'Write a time zone as Europe/Berlin or UTC.',
};

/** Why a call with this text as its last argument would fail each time; `null` where it would not. */
export function literalFault(name: string, literal: string): string | null {
  const trial = trials.get(name) ?? (name.startsWith('get') ? timeZoneTrial : undefined);
  if (trial === undefined) return null;
  const { environment, isCelError, parse, plan } = cel();
  try {
    const result = plan(environment, parse(trial.expression))({ literal });
    return isCelError(result) ? `${JSON.stringify(literal)} cannot be used in ${name}(). ${trial.advice}` : null;
  } catch {
    return `${JSON.stringify(literal)} cannot be used in ${name}(). ${trial.advice}`;
  }
}
