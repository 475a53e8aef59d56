/** RFC 3339 in UTC with milliseconds. Dates that cannot be written (beyond the year 9999) become the last one that can. */

const instantMsMax = 253_402_300_799_999;
/** Seconds whose text is remembered: what is told at one time happened within a few of them. A power of two. */
const remembered = 64;
const seconds = Array.from({ length: remembered }, () => -1);
const texts = Array.from({ length: remembered }, () => '');

/** The same for single instants: what is written at one time speaks of a few. */
const asked = Array.from({ length: remembered }, () => -1);
const answers = Array.from({ length: remembered }, () => '');

/** @param ms since the epoch */
export function instant(ms: number): string {
  const slot = ms & (remembered - 1);
  if (asked[slot] !== ms) {
    answers[slot] = textOf(ms);
    asked[slot] = ms;
  }
  return answers[slot] as string;
}

function textOf(ms: number): string {
  const whole = Math.min(Math.max(Math.trunc(ms), 0), instantMsMax);
  const second = Math.floor(whole / 1_000);
  const slot = second & (remembered - 1);
  if (seconds[slot] !== second) {
    texts[slot] = new Date(second * 1_000).toISOString().slice(0, -4);
    seconds[slot] = second;
  }
  return `${texts[slot]}${String(whole - second * 1_000).padStart(3, '0')}Z`;
}
