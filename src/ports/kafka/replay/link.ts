/** A connection to one broker, one request at a time: what replaying asks of a cluster needs no more. */
import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SluiceError } from '../../../lib/errors.ts';
import { responseFrameBytesMax } from '../../../lib/limits.ts';
import {
  type ApiName,
  type Draft,
  FrameReader,
  type RequestMessages,
  type ResponseMessages,
  decodeResponse,
  encodeRequest,
} from '../protocol/protocol.ts';

/** Who the caller is, and how the gateway is reached. */
export interface LinkOptions {
  /** PEM. `null`: no TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  /** A token, sent by OAUTHBEARER; `null`: the certificate says who it is. Asked anew for each connection. */
  readonly token: (() => Promise<string>) | null;
  readonly clientId: string;
}

const connectTimeoutMs = 10_000;
const answerTimeoutMs = 60_000;

export class Link {
  readonly address: string;
  readonly #socket: Socket;
  readonly #clientId: string;
  readonly #frames = new FrameReader(responseFrameBytesMax);
  #correlationId = 0;
  #failure: string | null = null;
  #wake: () => void = () => {};

  private constructor(address: string, socket: Socket, clientId: string) {
    this.address = address;
    this.#socket = socket;
    this.#clientId = clientId;
    const ended = (why: string): void => {
      this.#failure ??= why;
      this.#wake();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      this.#wake();
    });
    socket.on('error', (error) => ended(error.message));
    socket.on('close', () => ended('the connection was closed'));
  }

  /** @throws SluiceError `replay-connection` */
  static async open(host: string, port: number, options: LinkOptions): Promise<Link> {
    const address = `${host}:${port}`;
    const socket = await opened(host, port, options);
    const link = new Link(address, socket, options.clientId);
    if (options.token !== null) await link.#authenticate(await options.token());
    return link;
  }

  /** @throws SluiceError `replay-connection` where there is no answer */
  async ask<N extends ApiName>(
    name: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    const correlationId = (this.#correlationId += 1);
    this.#socket.write(encodeRequest(name, version, { correlationId, clientId: this.#clientId }, message));
    const payload = await this.#payload(name);
    const answer = decodeResponse(name, version, payload);
    if (answer.correlationId !== correlationId) throw this.#broken(`${name}: the answers are out of order`);
    return answer.message;
  }

  close(): void {
    this.#failure ??= 'it was closed from here';
    this.#socket.destroy();
  }

  async #authenticate(token: string): Promise<void> {
    const handshake = await this.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
    if (handshake.errorCode !== 0)
      throw this.#broken(`it does not take tokens by OAUTHBEARER; it takes ${handshake.mechanisms.join(', ')}`);
    const authBytes = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);
    const { errorCode, errorMessage } = await this.ask('SaslAuthenticate', 2, { authBytes });
    if (errorCode !== 0) throw this.#broken(`it refuses the token: ${errorMessage ?? `error ${errorCode}`}`);
  }

  async #payload(name: string): Promise<Buffer> {
    const deadline = performance.now() + answerTimeoutMs;
    for (;;) {
      const frame = this.#frames.next();
      // What is read is lent where sockets share buffers; here every chunk is its own.
      if (frame !== null) return frame;
      if (this.#failure !== null) throw this.#broken(`${name}: ${this.#failure}`);
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw this.#broken(`${name}: no answer within ${answerTimeoutMs / 1_000} s`);
      await this.#changed(leftMs);
    }
  }

  #changed(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#wake = resolve;
    return promise.finally(() => clearTimeout(timer));
  }

  #broken(detail: string): SluiceError<'replay-connection'> {
    return new SluiceError('replay-connection', `${this.address}: ${detail}`, { retriable: true });
  }
}

async function opened(host: string, port: number, { tls }: LinkOptions): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = tls === null ? connectPlain({ host, port }) : connectTls({ host, port, servername: host, ...tls });
  const failed = (why: string): void => {
    socket.destroy();
    reject(new SluiceError('replay-connection', `${host}:${port} cannot be reached: ${why}`, { retriable: true }));
  };
  const timer = setTimeout(() => failed(`no connection within ${connectTimeoutMs / 1_000} s`), connectTimeoutMs);
  const onError = (error: Error): void => failed(error.message);
  socket.once('error', onError);
  socket.once(tls === null ? 'connect' : 'secureConnect', () => {
    socket.off('error', onError);
    socket.setNoDelay(true);
    resolve(socket);
  });
  return await promise.finally(() => clearTimeout(timer));
}
