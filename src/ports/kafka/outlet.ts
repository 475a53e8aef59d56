/** The writing end of a socket: parts that lie side by side in memory leave as one, and a turn's parts in one call. */
import type { Socket } from 'node:net';

export class Outlet {
  readonly #socket: Socket;
  readonly #onFlushed: () => void;
  /** The part that is gathered: views of one chunk, each beginning where the one before ends. */
  #run: Buffer | null = null;
  #holds = 0;

  /** @param onFlushed called when everything written has left, also where it left at once */
  constructor(socket: Socket, onFlushed: () => void) {
    this.#socket = socket;
    this.#onFlushed = onFlushed;
  }

  /** Bytes that have not left yet: whoever lent their memory must leave it alone while there are any. */
  get unsentBytes(): number {
    return this.#socket.writableLength + (this.#run?.length ?? 0);
  }

  write(part: Buffer): void {
    const run = this.#run;
    if (run !== null && run.buffer === part.buffer && run.byteOffset + run.length === part.byteOffset) {
      this.#run = Buffer.from(run.buffer, run.byteOffset, run.length + part.length);
    } else {
      this.#flushRun();
      this.#run = part;
    }
    if (this.#holds === 0) this.#flushRun();
  }

  /** From here to `release` nothing leaves. */
  hold(): void {
    if (this.#holds === 0) this.#socket.cork();
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    this.#flushRun();
    this.#socket.uncork();
  }

  /** Hands over what was gathered, held or not: before the socket is ended. */
  flush(): void {
    this.#flushRun();
  }

  #flushRun(): void {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    if (this.#socket.writable) this.#socket.write(run, this.#written);
  }

  readonly #written = (): void => {
    if (this.#socket.writableLength === 0) this.#onFlushed();
  };
}
