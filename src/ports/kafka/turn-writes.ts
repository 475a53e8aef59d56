/**
 * Small parts of many connections, which leave together at the end of a turn. Each write wakes whoever reads from that
 * socket. Written one by one, with work for other connections in between, every single one finds its reader asleep again,
 * and to wake it costs more than the write; written together, all but the first find it awake. With few connections that
 * would only make them wait, so it is done where turns have many writes.
 */

/** Bytes of one part: a larger one is not worth a copy. */
const partBytesMax = 4_096;
const roomBytes = 262_144;
/** A turn with so many writes is one of many connections, and one with fewer than half no more. */
const manyWrites = 16;
/** How many writes were made since is looked at so often. */
const writesPerLook = 512;

/** Who handed over a part, and writes it when told. */
export interface TurnWriter {
  /** @returns whether the memory is free again: all has left, or is lost */
  writeNow(part: Buffer): boolean;
}

/** The kept parts of one event loop: at most `roomBytes`, and none for longer than a turn. */
export class TurnWrites {
  #many = false;
  #looking = false;
  #writes = 0;
  #room: Buffer | null = null;
  #used = 0;
  /** Parts of this turn, whether they wait still or not. */
  #kept = 0;
  readonly #writers: TurnWriter[] = [];
  readonly #parts: Buffer[] = [];

  /** Whether a part of so many bytes is better kept until the turn ends. To be asked once for each. */
  wants(bytes: number): boolean {
    if (this.#many) return bytes <= partBytesMax;
    this.#writes += 1;
    if (this.#writes >= writesPerLook && !this.#looking) {
      this.#looking = true;
      this.#writes = 0;
      setImmediate(this.#look);
    }
    return false;
  }

  /** Keeps a copy, which the writer is given at the turn's end. */
  keep(part: Buffer, writer: TurnWriter): void {
    if (this.#used + part.length > roomBytes) this.flush();
    const room = (this.#room ??= Buffer.allocUnsafeSlow(roomBytes));
    if (this.#kept === 0) setImmediate(this.#end);
    this.#kept += 1;
    const end = this.#used + part.length;
    room.set(part, this.#used);
    this.#parts.push(room.subarray(this.#used, end));
    this.#writers.push(writer);
    this.#used = end;
  }

  /** Writes all that is kept, in the order in which it came. */
  flush(): void {
    let free = true;
    for (let i = 0; i < this.#parts.length; i += 1) {
      if (this.#writers[i]?.writeNow(this.#parts[i] as Buffer) === false) free = false;
    }
    this.#parts.length = 0;
    this.#writers.length = 0;
    this.#used = 0;
    // What has not left lies there still.
    if (!free) this.#room = null;
  }

  readonly #end = (): void => {
    this.#many = this.#kept >= manyWrites / 2;
    this.#kept = 0;
    this.flush();
  };

  readonly #look = (): void => {
    this.#looking = false;
    this.#many = this.#writes >= manyWrites;
    this.#writes = 0;
  };
}
