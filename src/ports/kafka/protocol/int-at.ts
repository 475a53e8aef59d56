/**
 * Integers where they lie. As `readInt32BE` and `readInt16BE`, whose checks cost more than the reading: who asks knows
 * that the bytes are there. What is not there reads as 0.
 */

export function int32At(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

export function int16At(bytes: Buffer, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)) >> 16;
}
