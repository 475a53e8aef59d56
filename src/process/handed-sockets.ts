/** The connections that a worker is handed by the supervisor. */
import { Socket } from 'node:net';
import type { HandedSocket, WorkerReport } from './worker-process.ts';

type TakeSocket = (socket: Socket, index: number) => void;

/** Where they come from, in a worker: this process. */
export interface HandingProcess {
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

/**
 * Tells the supervisor of each connection that it is here and, later, that it has ended. One that comes when no more
 * are taken goes back untouched. Reports of one turn go together.
 */
export class HandedSockets {
  readonly #report: (report: WorkerReport) => void;
  #take: TakeSocket | null = null;
  readonly #taken: number[] = [];
  readonly #ended: number[] = [];
  #scheduled = false;

  constructor(report: (report: WorkerReport) => void, source: HandingProcess = process) {
    this.#report = report;
    source.on('message', (message, handle) => this.#arrive(message as HandedSocket, handle));
  }

  /** From here on connections are taken. */
  open(take: TakeSocket): void {
    this.#take = take;
    this.#report({ kind: 'ready' });
  }

  close(): void {
    this.#take = null;
  }

  #arrive({ socket: number, index }: HandedSocket, handle: unknown): void {
    // Its client was gone before it could be handed over.
    const socket = handle instanceof Socket ? handle : null;
    if (this.#take === null) {
      this.#report({ kind: 'returned', sockets: [number] });
      socket?.destroy();
      return;
    }
    this.#taken.push(number);
    this.#schedule();
    if (socket === null) return void this.#ended.push(number);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#ended.push(number);
      this.#schedule();
    });
    this.#take(socket, index);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Before the event loop reads anything of these connections: what has been read cannot go to another worker.
    process.nextTick(() => {
      this.#scheduled = false;
      if (this.#taken.length > 0) this.#report({ kind: 'taken', sockets: this.#taken.splice(0) });
      if (this.#ended.length > 0) this.#report({ kind: 'ended', sockets: this.#ended.splice(0) });
    });
  }
}
