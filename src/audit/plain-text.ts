/** Puts text together in bytes, without making strings: for lines that come by the thousand. */

const zero = 0x30;
const quote = 0x22;
const backslash = 0x5c;
/** So few are copied one by one sooner than by a call. */
const shortBytes = 32;
/** Below it `| 0` divides without a rounding. */
const smallMax = 0x7fff_ffff;

/**
 * Writes into a buffer that it is given. What it cannot write as it is, or what there is no room for, it leaves out, and
 * says so at the end: `failed`.
 */
export class PlainText {
  #into: Uint8Array = new Uint8Array(0);
  #at = 0;
  #failed = false;

  begin(into: Uint8Array, at: number): void {
    this.#into = into;
    this.#at = at;
    this.#failed = false;
  }

  /** Where the text ends; -1 where it is not whole. */
  end(): number {
    return this.#failed || this.#at > this.#into.length ? -1 : this.#at;
  }

  /** There is something that it cannot write. */
  fail(): void {
    this.#failed = true;
  }

  /** @param known undefined: there is no text for what was to be said */
  bytes(known: Uint8Array | undefined): void {
    if (known === undefined) this.#failed = true;
    else this.#copy(known);
  }

  /** What needs no escape within a JSON string, and is one byte a character (RFC 8785 §3.2.2.2). */
  string(text: unknown): void {
    if (typeof text !== 'string') {
      this.#failed = true;
      return;
    }
    const into = this.#into;
    let at = this.#at;
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e || unit === quote || unit === backslash) this.#failed = true;
      // Beyond the end it is not kept.
      into[at] = unit;
      at += 1;
    }
    this.#at = at;
  }

  /** As ECMAScript writes it, where it is a whole number from 0 (RFC 8785 §3.2.2.3). */
  count(value: unknown): void {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) this.#failed = true;
    else if (value > smallMax) this.string(String(value));
    else this.#digits(value);
  }

  #copy(known: Uint8Array): void {
    const into = this.#into;
    const at = this.#at;
    this.#at += known.length;
    if (known.length > shortBytes) {
      if (this.#at <= into.length) into.set(known, at);
    } else for (let i = 0; i < known.length; i += 1) into[at + i] = known[i] as number;
  }

  #digits(value: number): void {
    const into = this.#into;
    let length = 1;
    for (let bound = 10; bound <= value; bound *= 10) length += 1;
    let left = value;
    for (let at = this.#at + length - 1; at >= this.#at; at -= 1) {
      const tens = (left / 10) | 0;
      into[at] = zero + left - tens * 10;
      left = tens;
    }
    this.#at += length;
  }
}
