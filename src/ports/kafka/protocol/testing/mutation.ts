/** Damage to bytes, the same for the same seed, for the tests that feed decoders what no honest peer sends. */

/** Scales how long the fuzzing tests run: mutations of each thing that is damaged. */
export const fuzzIterations: number = Number(process.env['SLUICE_FUZZ_ITERATIONS'] ?? 40);
export const fuzzSeed: number = Number(process.env['SLUICE_FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff);

const telling: readonly number[] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];

export class Mutator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to `below` - 1 (mulberry32). */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** A damaged copy: one to three changes. */
  mutate(bytes: Buffer): Buffer {
    let damaged: Buffer = Buffer.from(bytes);
    for (let left = 1 + this.next(3); left > 0; left -= 1) damaged = this.#once(damaged);
    return damaged;
  }

  #once(bytes: Buffer): Buffer {
    if (bytes.length === 0) return Buffer.from([this.next(256)]);
    const at = this.next(bytes.length);
    switch (this.next(7)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.next(4))]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), this.#noise(), bytes.subarray(at)]);
      case 3:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << this.next(8));
        return bytes;
      case 4:
        if (at + 4 <= bytes.length) bytes.writeInt32BE([0x7fff_ffff, -1, -2, 1_000_000][this.next(4)] ?? 0, at);
        return bytes;
      case 5:
        bytes[at] = this.next(256);
        return bytes;
      default:
        bytes[at] = telling[this.next(telling.length)] ?? 0;
        return bytes;
    }
  }

  #noise(): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.next(6) }, () => this.next(256)));
  }
}
