/** Segments are called `audit-YYYYMMDD-HHMMSS-NNN.jsonl` (UTC): names sort in the order of writing. */
const pattern = /^audit-\d{8}-\d{6}-\d{3}\.jsonl$/;
const suffixMax = 999;

/** The segments among a folder's names, oldest first. */
export function segmentNames(names: readonly string[]): string[] {
  return names.filter((name) => pattern.test(name)).sort();
}

/** The next segment's name: after `last` (empty: none) even where the clock was turned back. */
export function nextSegmentName(last: string, nowMs: number): string {
  const fresh = `audit-${stamp(nowMs)}-000.jsonl`;
  if (fresh > last) return fresh;
  const suffix = Number(last.slice(22, 25)) + 1;
  const lastStamp = last.slice(6, 21);
  if (suffix <= suffixMax) return `audit-${lastStamp}-${String(suffix).padStart(3, '0')}.jsonl`;
  return `audit-${stamp(stampMs(lastStamp) + 1_000)}-000.jsonl`;
}

/** When a segment began, in whole seconds as milliseconds since the epoch. */
export function segmentStartMs(name: string): number {
  return stampMs(name.slice(6, 21));
}

function stamp(ms: number): string {
  const digits = new Date(ms).toISOString().replace(/[-:]/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(9, 15)}`;
}

function stampMs(text: string): number {
  return Date.UTC(
    Number(text.slice(0, 4)),
    Number(text.slice(4, 6)) - 1,
    Number(text.slice(6, 8)),
    Number(text.slice(9, 11)),
    Number(text.slice(11, 13)),
    Number(text.slice(13, 15)),
  );
}
