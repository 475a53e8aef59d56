import type { Principal } from '../model/principal.ts';
import type { IssuerKeys } from './issuer-keys.ts';

export interface VerifiedToken {
  readonly principal: Principal;
  /** Time until which the whole verification need not be done again, in milliseconds since the epoch. */
  readonly untilMs: number;
  readonly keys: IssuerKeys;
  readonly thumbprint: string;
  /** What remembering it costs, about. */
  readonly bytes: number;
}

/** Remembers what tokens turned out to be, by digest; the least recently used go first. Only verified ones get in. */
export class VerifiedTokens {
  readonly #byDigest = new Map<string, VerifiedToken>();
  readonly #countMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#byDigest.size;
  }

  /** The token's verification, unless its time is over or its issuer no longer stands by the key that signed it. */
  get(digest: string, nowMs: number): VerifiedToken | undefined {
    const verified = this.#byDigest.get(digest);
    if (verified === undefined) return undefined;
    this.delete(digest);
    if (nowMs >= verified.untilMs || !verified.keys.holds(verified.thumbprint)) return undefined;
    this.set(digest, verified);
    return verified;
  }

  set(digest: string, verified: VerifiedToken): void {
    this.delete(digest);
    this.#byDigest.set(digest, verified);
    this.#bytes += verified.bytes;
    for (const oldest of this.#byDigest.keys()) {
      if (this.#byDigest.size <= this.#countMax && this.#bytes <= this.#bytesMax) return;
      this.delete(oldest);
    }
  }

  delete(digest: string): void {
    this.#bytes -= this.#byDigest.get(digest)?.bytes ?? 0;
    this.#byDigest.delete(digest);
  }
}
