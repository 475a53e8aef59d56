/**
 * The writing end of a socket: parts that lie side by side in memory leave as one, a turn's parts in one call, and small
 * ones of many sockets together.
 */
import type { Socket } from 'node:net';
import { type TurnWriter, TurnWrites } from './turn-writes.ts';
import { DirectWriter } from './writes.ts';

const turn = new TurnWrites();

export class Outlet implements TurnWriter {
  readonly #socket: Socket;
  readonly #direct: DirectWriter | null;
  readonly #onFlushed: () => void;
  /** The part that is gathered: views of one chunk, each beginning where the one before ends. */
  #run: Buffer | null = null;
  #holds = 0;
  /** The stream gathers parts of this turn, since they lie apart. */
  #corked = false;
  /** Parts that were copied, and leave when the turn ends. */
  #kept = 0;
  /** Somebody was told of bytes that had not left, and may wait for them. */
  #awaited = false;

  /** @param onFlushed called when everything has left that somebody was told of, and now and then besides */
  constructor(socket: Socket, onFlushed: () => void) {
    this.#socket = socket;
    this.#onFlushed = onFlushed;
    this.#direct = DirectWriter.on(socket, () => this.#sent());
  }

  /**
   * Whether so many bytes have not left yet: whoever lent their memory must leave it alone while there is one. Where it
   * says so, `onFlushed` will be called.
   */
  holds(bytes: number): boolean {
    const unsent = this.#socket.writableLength + (this.#run?.length ?? 0) + (this.#direct?.pendingBytes ?? 0);
    if (unsent < bytes) return false;
    this.#awaited = true;
    return true;
  }

  write(part: Buffer): void {
    const run = this.#run;
    if (run !== null && run.buffer === part.buffer && run.byteOffset + run.length === part.byteOffset) {
      this.#run = Buffer.from(run.buffer, run.byteOffset, run.length + part.length);
    } else {
      if (run !== null) this.#gather();
      this.#run = part;
    }
    if (this.#holds === 0) this.#flushRun();
  }

  /** From here to `release` nothing leaves. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    this.#flushRun();
    if (this.#corked) this.#socket.uncork();
    this.#corked = false;
  }

  /** Hands over what was gathered, held or not: before the socket is ended. */
  flush(): void {
    this.#flushRun();
    if (this.#kept > 0) turn.flush();
  }

  /** A part that was kept leaves: called by the turn's end alone. @returns as `TurnWriter` says */
  writeNow(part: Buffer): boolean {
    this.#kept -= 1;
    if (!this.#socket.writable) return true;
    if (this.#direct?.write(part) === true) return this.#direct.pendingBytes === 0;
    this.#socket.write(Buffer.from(part), this.#written);
    return true;
  }

  /** Another part follows that lies elsewhere. */
  #gather(): void {
    if (!this.#corked) this.#socket.cork();
    this.#corked = true;
    this.#flushRun();
  }

  #flushRun(): void {
    const run = this.#run;
    if (run === null) return;
    this.#run = null;
    if (!this.#socket.writable) return;
    if (this.#keep(run)) {
      if (this.#awaited) process.nextTick(this.#written);
      return;
    }
    if (this.#kept > 0) turn.flush();
    if (this.#corked || this.#direct?.write(run) !== true) this.#socket.write(run, this.#written);
    else if (this.#awaited && this.#direct.pendingBytes === 0) process.nextTick(this.#written);
  }

  /** True where the part was copied: its memory is nobody's concern any more. */
  #keep(run: Buffer): boolean {
    const direct = this.#direct;
    if (direct === null || this.#corked || direct.pendingBytes > 0 || this.#socket.writableLength > 0) return false;
    if (!turn.wants(run.length)) return false;
    this.#kept += 1;
    turn.keep(run, this);
    return true;
  }

  readonly #written = (): void => this.#sent();

  #sent(): void {
    if (this.#socket.writableLength > 0 || (this.#direct?.pendingBytes ?? 0) > 0) return;
    this.#awaited = false;
    this.#onFlushed();
  }
}
