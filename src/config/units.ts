/** Lengths of time as people write them. A bare number is refused: it does not say what it counts. */

const msPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `30s`, `5m`, `1h`, `1.5h`, `2d` in whole milliseconds; `null` where the text is none of these. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  const unit = match?.[2] === undefined ? undefined : msPerUnit[match[2]];
  if (match === null || unit === undefined) return null;
  const ms = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** The shortest text that reads back as the same length of time, for messages. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = msPerUnit[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

const bytesPerUnit: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  TB: 1_000_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
};

/** `500KB`, `64MB`, `1.5GB`, `64MiB` in whole bytes; `null` where the text is none of these. */
export function parseSizeBytes(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*(B|[KMGT]i?B)$/.exec(text.trim());
  const unit = match?.[2] === undefined ? undefined : bytesPerUnit[match[2]];
  if (match === null || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
