/** One worker as the supervisor sees it: a process, the link to it, and the connections it was given. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Link } from './link.ts';

/** starting ─ ready ─→ up ─ drain ─→ draining ─→ gone; it may be gone at any time. */
export type WorkerState = 'starting' | 'up' | 'draining' | 'gone';

/** What every worker says, whatever else it does. */
export type WorkerReport =
  | { readonly kind: 'ready' }
  /** It cannot start, and says why; then it ends. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  /** It has these connections now; the supervisor lets go of them. */
  | { readonly kind: 'taken'; readonly sockets: readonly number[] }
  /** It is about to end and has not touched these. */
  | { readonly kind: 'returned'; readonly sockets: readonly number[] }
  /** These connections have ended. */
  | { readonly kind: 'ended'; readonly sockets: readonly number[] };

/** What goes with a connection over Node's own channel. */
export interface HandedSocket {
  readonly socket: number;
  /** Which listening socket it came in by. */
  readonly index: number;
}

export interface Held {
  readonly socket: Socket;
  readonly index: number;
}

/** Where the pipe of the link stands among the worker's files. */
export const linkFile = 4;
/** The pipe may hold the last words of a process that has ended. */
const lastWordsMs = 2_000;

export interface WorkerCallbacks<In> {
  message(worker: WorkerProcess<In>, message: In): void;
  /** After its last message. */
  gone(worker: WorkerProcess<In>): void;
}

export class WorkerProcess<In = unknown> {
  /** From 1, never used again: a replacement has a number of its own. */
  readonly number: number;
  readonly startedMs: number = performance.now();
  readonly child: ChildProcess;
  readonly link: Link<object, In & object>;
  state: WorkerState = 'starting';
  /** Why it cannot start, where it said so. */
  failure: { readonly code: string; readonly message: string } | null = null;
  /** Why it ended; empty while it runs. */
  cause = '';
  /** When it was given a connection last, on the clock of `performance`. */
  lastGivenMs = 0;
  /** Connections it was given and has not reported as ended, by socket number: where each came in. */
  readonly #connections = new Map<number, number>();
  readonly #perIndex = new Map<number, number>();
  readonly #untaken = new Map<number, Held>();
  #linkClosed = false;
  #exited = false;

  constructor(number: number, program: string, callbacks: WorkerCallbacks<In>) {
    this.number = number;
    this.child = fork(program, [String(number)], {
      // A debugger's address is taken by the supervisor.
      execArgv: process.execArgv.filter((argument) => !argument.startsWith('--inspect')),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    });
    this.link = new Link(this.child.stdio[linkFile] as Duplex, {
      message: (message) => callbacks.message(this, message),
      closed: (reason) => {
        this.#linkClosed = true;
        // One that cannot be told anything must not go on by itself.
        if (!this.#exited)
          setTimeout(() => this.#exited || this.kill(`its pipe closed: ${reason}`), lastWordsMs).unref();
        this.#end(callbacks);
      },
    });
    this.child.on('error', () => {}); // A socket could not be handed over; its end tells.
    this.child.once('exit', (code, signal) => {
      this.#exited = true;
      this.cause ||= signal === null ? `exit code ${code}` : `signal ${signal}`;
      setTimeout(() => this.link.close(), lastWordsMs).unref();
      this.#end(callbacks);
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get connections(): number {
    return this.#connections.size;
  }

  connectionsBy(index: number): number {
    return this.#perIndex.get(index) ?? 0;
  }

  /** The connection stays open here until the worker says that it has it. */
  give(socketNumber: number, held: Held): void {
    this.lastGivenMs = performance.now();
    this.#untaken.set(socketNumber, held);
    this.#connections.set(socketNumber, held.index);
    this.#perIndex.set(held.index, this.connectionsBy(held.index) + 1);
    const handed: HandedSocket = { socket: socketNumber, index: held.index };
    // What went wrong shows by the worker's end, and then its connections are given to another.
    this.child.send(handed, held.socket, { keepOpen: true }, () => {});
  }

  taken(sockets: readonly number[]): void {
    for (const socketNumber of sockets) {
      this.#untaken.get(socketNumber)?.socket.destroy();
      this.#untaken.delete(socketNumber);
    }
  }

  ended(sockets: readonly number[]): void {
    for (const socketNumber of sockets) {
      const index = this.#connections.get(socketNumber);
      if (index === undefined) continue;
      this.#connections.delete(socketNumber);
      this.#perIndex.set(index, this.connectionsBy(index) - 1);
    }
  }

  /** Connections that it never had: nothing was read from them. All of them, or those that it says. */
  takeBack(sockets: Iterable<number> = [...this.#untaken.keys()]): readonly Held[] {
    const back: Held[] = [];
    for (const socketNumber of sockets) {
      const held = this.#untaken.get(socketNumber);
      if (held === undefined) continue;
      this.#untaken.delete(socketNumber);
      this.ended([socketNumber]);
      back.push(held);
    }
    return back;
  }

  kill(cause: string): void {
    this.cause ||= cause;
    this.child.kill('SIGKILL');
  }

  #end(callbacks: WorkerCallbacks<In>): void {
    if (this.state === 'gone' || !this.#exited || !this.#linkClosed) return;
    this.state = 'gone';
    callbacks.gone(this);
  }
}
