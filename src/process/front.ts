/**
 * The listening sockets of all ports. The supervisor holds them for its whole life and takes every connection, so that
 * none is refused while workers come and go (docs/adr/2026-11-23-workers.md).
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { SluiceError } from '../lib/errors.ts';

const backlog = 1_024;

export interface ListenAt {
  readonly host: string;
  readonly port: number;
  /** For messages: `Port "orders"`. */
  readonly owner: string;
}

export class Front {
  readonly #onSocket: (socket: Socket, index: number) => void;
  readonly #servers: Server[] = [];

  /** @param onSocket takes a connection before anything is read from it; `index` is the place of its `ListenAt` */
  constructor(onSocket: (socket: Socket, index: number) => void) {
    this.#onSocket = onSocket;
  }

  /** @returns the port numbers as bound, in order @throws SluiceError `listen-failed`, with nothing left open */
  async open(places: readonly ListenAt[]): Promise<readonly number[]> {
    try {
      const bound: number[] = [];
      for (const [index, place] of places.entries()) bound.push(await this.#listen(place, index));
      return bound;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** No connection is taken from here on. */
  close(): void {
    for (const server of this.#servers.splice(0)) if (server.listening) server.close();
  }

  #listen({ host, port, owner }: ListenAt, index: number): Promise<number> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#onSocket(socket, index));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          new SluiceError(
            'listen-failed',
            `${owner} cannot listen on ${host}:${port}: ${cause.message}. Stop what holds it, or choose another.`,
            { cause },
          ),
        ),
      );
      server.listen({ host, port, backlog }, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }
}
