/** A TCP relay that passes bytes on as they come, and hands every whole frame to a recorder. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { apiByKey, decodeRequestHeader, FrameReader } from '../../../src/ports/kafka/protocol/protocol.ts';
import type { ApiRow } from '../../../src/ports/kafka/protocol/protocol.ts';
import type { Recorder } from './recorder.ts';

export interface Relay {
  /** What the broker must advertise: `host:port`. */
  readonly address: string;
  readonly port: number;
  /** Where connections go, and what it runs; to be set before the first connection. */
  target(port: number, broker: string): void;
  /** What to call the clients whose id is not known to `sourceOf`. */
  label(client: string): void;
  close(): Promise<void>;
}

/** The driver's requests come from our own codec: its answers count, they do not. */
export const driverClientId = 'capture-driver';

const frameBytesMax = 64 * 1024 * 1024;
const sources: readonly (readonly [prefix: string, name: string])[] = [
  [driverClientId, 'a driver'],
  ['capture-kafkajs', 'kafkajs 2.2.4'],
  ['capture-platformatic', '@platformatic/kafka 2.12.1'],
  ['rdkafka', 'kcat 1.7.1 (librdkafka 2.0.2)'],
];

export async function startRelay(recorder: Recorder): Promise<Relay> {
  let upstreamPort = 0;
  let broker = '';
  let label = 'Java';
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
    observe(
      client,
      upstream,
      (clientId) => sourceOf(clientId, label),
      () => broker,
      recorder,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    port,
    target(newPort, newBroker) {
      upstreamPort = newPort;
      broker = newBroker;
    },
    label(client) {
      label = client;
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function sourceOf(clientId: string | null, label: string): string {
  return sources.find(([prefix]) => clientId?.startsWith(prefix))?.[1] ?? label;
}

interface Asked {
  readonly api: ApiRow;
  readonly version: number;
  readonly source: string;
}

function observe(
  client: Socket,
  upstream: Socket,
  nameOf: (clientId: string | null) => string,
  broker: () => string,
  recorder: Recorder,
): void {
  const requests = new FrameReader(frameBytesMax);
  const responses = new FrameReader(frameBytesMax);
  const waiting = new Map<number, Asked>();
  let readable = true;
  const each = (reader: FrameReader, chunk: Buffer, use: (payload: Buffer) => void): void => {
    if (!readable) return;
    try {
      reader.push(chunk);
      for (let payload = reader.next(); payload !== null; payload = reader.next()) use(Buffer.from(payload));
    } catch {
      readable = false; // the raw tokens after SaslHandshake v0, or a frame beyond bounds: passed on, not recorded
    }
  };
  client.on('data', (chunk: Buffer) =>
    each(requests, chunk, (payload) => {
      const header = decodeRequestHeader(payload);
      const api = apiByKey(header.apiKey);
      if (api === undefined || header.apiVersion < api.minVersion || header.apiVersion > api.maxVersion) return;
      const source = nameOf(header.clientId);
      waiting.set(header.correlationId, { api, version: header.apiVersion, source });
      if (header.clientId === driverClientId || isPassword(api, payload)) return;
      recorder.add({
        api,
        direction: 'request',
        version: header.apiVersion,
        payload,
        source: `${source} to Apache Kafka ${broker()}`,
      });
    }),
  );
  upstream.on('data', (chunk: Buffer) =>
    each(responses, chunk, (payload) => {
      const asked = waiting.get(payload.readInt32BE(0));
      waiting.delete(payload.readInt32BE(0));
      if (asked === undefined) return;
      recorder.add({
        api: asked.api,
        direction: 'response',
        version: asked.version,
        payload,
        source: `Apache Kafka ${broker()} to ${asked.source}`,
      });
    }),
  );
}

/** A SASL PLAIN token holds a password between two zero bytes. What SCRAM sends gives none away. */
function isPassword(api: ApiRow, payload: Buffer): boolean {
  return api.name === 'SaslAuthenticate' && !/n,,n=|c=biws/.test(payload.toString('latin1'));
}
