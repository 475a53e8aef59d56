/**
 * Connections that have not said who they are yet: how many there may be, and who goes when there are too many. One
 * that has had its time makes room for the next, so that silent connections, however many, keep nobody out for long;
 * a younger one does not, so that a crowd that comes back all at once gets through, some at a time.
 */
import type { Socket } from 'node:net';
import { unauthenticatedConnectionsMax, unauthenticatedGraceMs } from '../../lib/limits.ts';
import type { ConnectionParts } from './parts.ts';

const tooMany = 'too many unauthenticated connections';

/** What of a connection counts here. */
export interface Newcomer {
  readonly authenticated: boolean;
  close(reason: string): void;
}

interface Place {
  readonly from: ClientAddress;
  readonly sinceMs: number;
  /** `null` while the PROXY header or TLS is under way. */
  newcomer: Newcomer | null;
}

export interface ClientAddress {
  readonly address: string;
  readonly addressPort: number;
}

export class Newcomers {
  readonly #parts: ConnectionParts;
  /** By the socket as it was accepted, the oldest first. */
  readonly #places = new Map<Socket, Place>();

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** @returns false where there is no room: the socket is to be closed */
  admit(socket: Socket, from: ClientAddress): boolean {
    if (this.#places.size >= unauthenticatedConnectionsMax && !this.#makeRoom(from)) return false;
    this.#places.set(socket, { from, sinceMs: performance.now(), newcomer: null });
    socket.once('close', () => this.#places.delete(socket));
    return true;
  }

  /** The socket has become a connection. */
  became(socket: Socket, newcomer: Newcomer): void {
    const place = this.#places.get(socket);
    if (place !== undefined) place.newcomer = newcomer;
  }

  /** Enters in the log what somebody did who is not known and will not be. */
  refused(code: string, detail: string, { address, addressPort }: ClientAddress): void {
    this.#parts.gate.authenticationFailed(
      { code, detail, claimedId: '', claimedIssuer: '' },
      {
        port: this.#parts.settings.name,
        address,
        addressPort,
        clientId: '',
        softwareName: '',
        softwareVersion: '',
        mechanism: '',
        tls: this.#parts.settings.listen.tls !== undefined,
      },
    );
  }

  #makeRoom(from: ClientAddress): boolean {
    for (const [socket, { newcomer }] of this.#places)
      if (newcomer?.authenticated === true) this.#places.delete(socket);
    if (this.#places.size < unauthenticatedConnectionsMax) return true;
    const [oldest] = this.#places;
    if (oldest === undefined) return true;
    const [socket, place] = oldest;
    const atOnce = `${unauthenticatedConnectionsMax} connections had not authenticated`;
    if (performance.now() - place.sinceMs < unauthenticatedGraceMs) {
      this.refused('too-many-unauthenticated', `${atOnce}: one more was turned away`, from);
      this.#parts.observer.connectionClosed(this.#parts.settings.name, tooMany);
      return false;
    }
    this.refused('too-many-unauthenticated', `${atOnce}: the oldest was closed`, place.from);
    this.#places.delete(socket);
    if (place.newcomer === null) socket.destroy();
    else place.newcomer.close(tooMany);
    return true;
  }
}
