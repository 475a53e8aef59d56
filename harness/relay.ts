/** Stands on the way to a broker and takes its time, keeps back what the broker says, or cuts what is connected. */
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf } from './scene.ts';

export interface RelayOptions {
  /** Rest after each piece that goes to the broker, so that what is sent piles up; none by default. */
  readonly restMs?: number;
}

export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #brokerSide: Socket | null = null;
  #sentBytes = 0;

  private constructor(target: { readonly host: string; readonly port: number }, { restMs = 0 }: RelayOptions) {
    this.#server = createServer((near) => this.#join(near, connect(target), restMs));
  }

  /** @param broker `host:port` */
  static async start(broker: string, options: RelayOptions = {}): Promise<Relay> {
    const [target] = addressesOf(broker);
    if (target === undefined) throw new Error(`no address in "${broker}"`);
    const relay = new Relay(target, options);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Bytes to the broker, on the connection that was opened last. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** From here on nothing comes from the broker, on the connection that was opened last. */
  keepBack(): void {
    this.#brokerSide?.pause();
  }

  letPass(): void {
    this.#brokerSide?.resume();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(near: Socket, far: Socket, restMs: number): void {
    this.#brokerSide = far;
    this.#sentBytes = 0;
    const end = (): void => {
      for (const socket of [near, far]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    far.on('data', (chunk) => near.write(chunk));
    near.on('data', (chunk) => {
      if (this.#brokerSide === far) this.#sentBytes += chunk.length;
      far.write(chunk);
      if (restMs === 0) return;
      near.pause();
      void sleep(restMs).then(() => near.resume());
    });
  }
}
