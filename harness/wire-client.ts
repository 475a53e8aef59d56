/** A Kafka client that does exactly what a test tells it, well-behaved or not: frames out, payloads in. */
import { type Socket, connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  type ApiName,
  type Draft,
  FrameReader,
  type RequestMessages,
  type ResponseMessages,
  decodeResponse,
  encodeRequest,
} from '../src/ports/kafka/protocol/protocol.ts';
import { addressesOf } from './scene.ts';

const answerTimeoutMs = 20_000;

export interface WireClientOptions {
  readonly clientId?: string;
  /** Sent before anything else: a PROXY header. */
  readonly preamble?: Buffer;
  readonly tls?: ConnectionOptions;
}

export class WireClient {
  readonly socket: Socket;
  readonly #clientId: string;
  readonly #frames = new FrameReader(0x7fffffff);
  #correlationId = 0;
  #closed = false;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket, clientId: string) {
    this.socket = socket;
    this.#clientId = clientId;
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      this.#wake?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  static async connect(address: string, options: WireClientOptions = {}): Promise<WireClient> {
    const [target] = addressesOf(address);
    if (target === undefined) throw new Error(`no address in "${address}"`);
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opened: Socket =
        options.tls === undefined ? connectPlain(target) : connectTls({ ...target, ...options.tls });
      opened.once('error', reject);
      opened.once(options.tls === undefined ? 'connect' : 'secureConnect', () => resolve(opened));
    });
    socket.setNoDelay(true);
    if (options.preamble !== undefined) socket.write(options.preamble);
    return new WireClient(socket, options.clientId ?? 'wire-client');
  }

  /** On a socket that is connected already. */
  static over(socket: Socket, clientId = 'wire-client'): WireClient {
    return new WireClient(socket, clientId);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Writes bytes as they are. */
  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** The frame of a request; its correlation id counts up. */
  frame<N extends ApiName>(name: N, version: number, message: Draft<RequestMessages[N]>): Buffer {
    this.#correlationId += 1;
    return encodeRequest(name, version, { correlationId: this.#correlationId, clientId: this.#clientId }, message);
  }

  /** Sends a request and reads the next payload as its answer. */
  async ask<N extends ApiName>(
    name: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N]> {
    this.write(this.frame(name, version, message));
    return (await this.answer(name, version)).message;
  }

  /** Reads the next payload as an answer. @throws where the connection closes first */
  async answer<N extends ApiName>(
    name: N,
    version: number,
  ): Promise<{ correlationId: number; message: ResponseMessages[N] }> {
    const payload = await this.payload();
    if (payload === null) throw new Error(`the connection was closed instead of an answer to ${name} v${version}`);
    return decodeResponse(name, version, payload);
  }

  /** The next payload, or `null` where the connection ends first. */
  async payload(): Promise<Buffer | null> {
    const deadline = performance.now() + answerTimeoutMs;
    for (;;) {
      const payload = this.#frames.next();
      if (payload !== null) return payload;
      if (this.#closed) return null;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`no answer within ${answerTimeoutMs} ms`);
      await this.#changed(leftMs);
    }
  }

  /** Resolves when the other end has closed the connection; false where it does not in time. */
  async closes(withinMs: number = answerTimeoutMs): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!this.#closed && performance.now() < deadline) await this.#changed(deadline - performance.now());
    return this.#closed;
  }

  /** SaslHandshake v1 and SaslAuthenticate v2 over OAUTHBEARER. */
  async authenticate(token: string): Promise<ResponseMessages['SaslAuthenticate']> {
    const handshake = await this.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
    if (handshake.errorCode !== 0) throw new Error(`SaslHandshake answered ${handshake.errorCode}`);
    return this.ask('SaslAuthenticate', 2, { authBytes: Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`) });
  }

  close(): void {
    this.socket.destroy();
  }

  #changed(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
