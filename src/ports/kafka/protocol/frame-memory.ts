/** Somebody who holds a part of frames that have not come whole. */
export interface FrameHolder {
  /** There is no room for what it holds: it must release it. */
  letGo(): void;
}

/**
 * Bounds what frames that come in pieces take together, over all connections of a process. What counts is what has come,
 * not what a frame says it will be. Where it becomes too much, whoever holds most has to let go: many connections that
 * each begin a large frame and never end it cut themselves off, and nobody else.
 */
export class FrameMemory {
  readonly #bytesMax: number;
  readonly #held = new Map<FrameHolder, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The holder holds so many bytes more. */
  hold(holder: FrameHolder, bytes: number): void {
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + bytes);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) {
      const largest = this.#largest();
      if (largest === null) return;
      this.release(largest);
      largest.letGo();
    }
  }

  /** The holder holds nothing any more. */
  release(holder: FrameHolder): void {
    this.#bytes -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
  }

  #largest(): FrameHolder | null {
    let largest: FrameHolder | null = null;
    let most = -1;
    for (const [holder, bytes] of this.#held) {
      if (bytes <= most) continue;
      most = bytes;
      largest = holder;
    }
    return largest;
  }
}
