/**
 * Asks a broker every API in every version that both it and our codec have, so that its answers can be recorded. What it
 * sends is our own codec's work and proves nothing; what comes back is the broker's.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  apiByKey,
  apiByName,
  decodeResponse,
  encodeRequest,
  FrameReader,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import type { ApiName, Draft, RequestMessages, ResponseMessages } from '../../../src/ports/kafka/protocol/protocol.ts';
import { driverClientId } from './relay.ts';

const answerTimeoutMs = 20_000;
const frameBytesMax = 64 * 1024 * 1024;

/** One connection, one request at a time; it reconnects where the broker hung up. */
export class Driver {
  readonly #port: number;
  readonly #report: (line: string) => void;
  readonly #ranges = new Map<number, readonly [number, number]>();
  #socket: Socket | undefined;
  #correlationId = 0;

  constructor(port: number, report: (line: string) => void) {
    this.#port = port;
    this.#report = report;
  }

  /** Versions that broker and codec share, lowest first; empty where the broker does not offer the API. */
  async versions(api: ApiName): Promise<number[]> {
    if (this.#ranges.size === 0) await this.#learn();
    const row = apiByName(api);
    const [lowest, highest] = this.#ranges.get(row.key) ?? [1, 0];
    const from = Math.max(lowest, row.minVersion);
    const to = Math.min(highest, row.maxVersion);
    return Array.from({ length: Math.max(to - from + 1, 0) }, (_, index) => from + index);
  }

  /** The highest shared version that is not above `version`, or the lowest there is. */
  async atMost(api: ApiName, version: number): Promise<number> {
    const versions = await this.versions(api);
    return versions.findLast((one) => one <= version) ?? versions[0] ?? apiByName(api).maxVersion;
  }

  /** Undefined where no answer came, or none that our codec can read: both are reported. */
  async ask<N extends ApiName>(
    api: N,
    version: number,
    message: Draft<RequestMessages[N]>,
  ): Promise<ResponseMessages[N] | undefined> {
    try {
      const payload = await this.raw(api, version, message);
      return decodeResponse(api, version, payload).message;
    } catch (error) {
      this.#report(`${api} v${version}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  /** Asks in every shared version. */
  async each<N extends ApiName>(api: N, draft: (version: number) => Draft<RequestMessages[N]>): Promise<void> {
    for (const version of await this.versions(api)) await this.ask(api, version, draft(version));
  }

  async raw<N extends ApiName>(api: N, version: number, message: Draft<RequestMessages[N]>): Promise<Buffer> {
    this.#correlationId += 1;
    const frame = encodeRequest(
      api,
      version,
      { correlationId: this.#correlationId, clientId: driverClientId },
      message,
    );
    const socket = await this.#connected();
    const answer = nextFrame(socket);
    socket.write(frame);
    return await answer;
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket;
    const socket = connect(this.#port, '127.0.0.1');
    await once(socket, 'connect');
    socket.setNoDelay(true);
    socket.on('error', () => {});
    this.#socket = socket;
    return socket;
  }

  async #learn(): Promise<void> {
    const answer = await this.ask('ApiVersions', 3, { clientSoftwareName: 'capture', clientSoftwareVersion: '1' });
    for (const { apiKey, minVersion, maxVersion } of answer?.apiKeys ?? []) {
      if (apiByKey(apiKey) !== undefined) this.#ranges.set(apiKey, [minVersion, maxVersion]);
    }
  }
}

function nextFrame(socket: Socket): Promise<Buffer> {
  const reader = new FrameReader(frameBytesMax);
  return new Promise((resolve, reject) => {
    const end = (error: Error | undefined, payload?: Buffer): void => {
      clearTimeout(timer);
      socket.off('data', take);
      socket.off('close', closed);
      if (payload !== undefined) return resolve(payload);
      socket.destroy();
      reject(error ?? new Error('no answer'));
    };
    const take = (chunk: Buffer): void => {
      reader.push(chunk);
      const payload = reader.next();
      if (payload !== null) end(undefined, payload);
    };
    const closed = (): void => end(new Error('the broker closed the connection'));
    const timer = setTimeout(() => end(new Error(`no answer within ${answerTimeoutMs} ms`)), answerTimeoutMs);
    socket.on('data', take);
    socket.on('close', closed);
  });
}

/** Fields for versions from `first` on. */
export function since<T extends object>(version: number, first: number, fields: T): Partial<T> {
  return version >= first ? fields : {};
}

/** Fields for versions up to `last`. */
export function until<T extends object>(version: number, last: number, fields: T): Partial<T> {
  return version <= last ? fields : {};
}

/** A uuid in Kafka's text form. */
export function newUuid(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
}

const retryPauseMs = 300;

/** Repeats until the condition holds, or gives back the last answer: coordinators need a moment. */
export async function eventually<T>(ask: () => Promise<T>, holds: (answer: T) => boolean, tries = 20): Promise<T> {
  for (let left = tries; ; left -= 1) {
    const answer = await ask();
    if (left === 0 || holds(answer)) return answer;
    await sleep(retryPauseMs);
  }
}
