/**
 * Whether a span of time is over. A clock that was turned back ends every span at once: what is told early does no
 * harm, and what waits for the old time to come round again may wait for hours.
 */
export function isOver(sinceMs: number, spanMs: number, nowMs: number): boolean {
  const elapsedMs = nowMs - sinceMs;
  return elapsedMs >= spanMs || elapsedMs < 0;
}
