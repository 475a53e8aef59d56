/**
 * The frames that the native load generator and fake broker exchange, made with the gateway's own codec and written as
 * files. They are real: record batches with checksums, topics by id, the versions that clients of Kafka 4 speak.
 */
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchOf } from '../../harness/batches.ts';
import {
  type Draft,
  type ResponseMessages,
  encodeRequest,
  encodeResponse,
} from '../../src/ports/kafka/protocol/protocol.ts';

export type Operation = 'produce' | 'fetch';

/** What one run of the load generator sends and expects. */
export interface Exchange {
  readonly operation: Operation;
  /** Of the frame that carries records: the request of a produce, the answer to a fetch. */
  readonly frameBytes: number;
  readonly requestFile: string;
  readonly responseFile: string;
  /** Where the number of the topic stands in either frame. */
  readonly topicAt: { readonly request: number; readonly response: number };
  /** Where a fetch says how much it wants, by which the fake broker knows the answer; -1 in a produce. */
  readonly sizeAt: number;
  /** Set where requests go on with a fetch session: the frame that begins it, and where a request has its epoch. */
  readonly session?: { readonly beginFile: string; readonly epochAt: number };
}

export interface FrameFiles {
  /** The rules of the fake broker, for `bench/load/broker.c`. */
  readonly rulesFile: string;
  exchange(operation: Operation, frameBytes: number): Exchange;
}

export interface Cluster {
  readonly brokerPort: number;
  readonly topics: number;
}

export const frameSizes: readonly number[] = [1_024, 16_384, 102_400, 1_048_576];

const produceVersion = 13;
export const fetchVersion = 17;
export const clientId = 'bench';
/** The last four bytes of a topic's id are its number. */
const idPrefix = Buffer.from('736c756963652d626368', 'hex');
const recordBytesMax = 1_000;
export const apiKeys = { produce: 0, fetch: 1, metadata: 3, apiVersions: 18 } as const;
/** Stands for the size in a fetch request until the place is known. */
const sizeMarker = 0x7a6b5c4d;
const baseOffset = 4_711n;

export function topicName(index: number): string {
  return `bench.topic-${index}`;
}

export function topicId(index: number): string {
  const bytes = Buffer.alloc(16);
  idPrefix.copy(bytes);
  bytes.writeUInt32BE(index, 12);
  return bytes.toString('base64url');
}

/** Writes all frames of all sizes into `folder`. @param more rules for the fake broker, before the others */
export function writeFrames(folder: string, cluster: Cluster, more: readonly string[] = []): FrameFiles {
  const exchanges = frameSizes.flatMap((bytes) => [produceExchange(folder, bytes), fetchExchange(folder, bytes)]);
  const lines = [...more, ...exchanges.map((exchange) => ruleFor(exchange)), ...bootstrapRules(folder, cluster)];
  const rulesFile = join(folder, 'rules.txt');
  writeFileSync(rulesFile, `${lines.join('\n')}\n`);
  return {
    rulesFile,
    exchange(operation, frameBytes) {
      const found = exchanges.find((one) => one.operation === operation && one.frameBytes === frameBytes);
      if (found === undefined) throw new Error(`no frames of ${frameBytes} bytes were made`);
      return found;
    },
  };
}

/** Frames that bring a connection through SASL; the file holds a token and is the owner's alone. */
export function writeOpening(folder: string, token: string): string {
  const handshake = encodeRequest('SaslHandshake', 1, { correlationId: 1, clientId }, { mechanism: 'OAUTHBEARER' });
  const authBytes = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);
  const authenticate = encodeRequest('SaslAuthenticate', 2, { correlationId: 2, clientId }, { authBytes });
  const file = join(folder, 'opening.bin');
  writeFileSync(file, Buffer.concat([handshake, authenticate]), { mode: 0o600 });
  return file;
}

function produceExchange(folder: string, frameBytes: number): Exchange {
  const request = fitted(frameBytes, (records) =>
    encodeRequest(
      'Produce',
      produceVersion,
      { correlationId: 0, clientId },
      {
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ topicId: topicId(0), partitionData: [{ index: 0, records }] }],
      },
    ),
  );
  const response = encodeResponse('Produce', produceVersion, 0, {
    responses: [{ topicId: topicId(0), partitionResponses: [{ index: 0, baseOffset, logStartOffset: 0n }] }],
  });
  return saved(folder, { operation: 'produce', frameBytes, sizeAt: -1 }, request, response);
}

function fetchExchange(folder: string, frameBytes: number): Exchange {
  const request = encodeRequest(
    'Fetch',
    fetchVersion,
    { correlationId: 0, clientId },
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52_428_800,
      topics: [
        { topicId: topicId(0), partitions: [{ partition: 0, fetchOffset: baseOffset, partitionMaxBytes: sizeMarker }] },
      ],
    },
  );
  const sizeAt = sizePlace(request);
  request.writeUInt32BE(frameBytes, sizeAt);
  const response = fitted(frameBytes, (records) =>
    encodeResponse('Fetch', fetchVersion, 0, {
      responses: [
        {
          topicId: topicId(0),
          partitions: [
            { partitionIndex: 0, highWatermark: 9_999n, lastStableOffset: 9_999n, logStartOffset: 0n, records },
          ],
        },
      ],
    }),
  );
  return saved(folder, { operation: 'fetch', frameBytes, sizeAt }, request, response);
}

function sizePlace(request: Buffer): number {
  const marker = Buffer.alloc(4);
  marker.writeUInt32BE(sizeMarker);
  return request.indexOf(marker);
}

/** A frame of exactly that many bytes, give or take a few where a length prefix grows. */
function fitted(frameBytes: number, frame: (records: Buffer) => Buffer): Buffer {
  let valueBytes = frameBytes;
  for (let tries = 0; tries < 8; tries += 1) {
    const made = frame(batchOf(values(Math.max(1, valueBytes))));
    if (made.length === frameBytes) return made;
    valueBytes += frameBytes - made.length;
  }
  return frame(batchOf(values(valueBytes)));
}

/** Random bytes, cut into records of about 1 KB. */
function values(bytes: number): Buffer[] {
  const count = Math.ceil(bytes / recordBytesMax);
  return Array.from({ length: count }, (_, index) => randomBytes(Math.floor((bytes + index) / count)));
}

function saved(
  folder: string,
  kind: Pick<Exchange, 'operation' | 'frameBytes' | 'sizeAt'>,
  request: Buffer,
  response: Buffer,
): Exchange {
  const name = `${kind.operation}-${kind.frameBytes}`;
  const requestFile = join(folder, `${name}-request.bin`);
  const responseFile = join(folder, `${name}-response.bin`);
  writeFileSync(requestFile, request);
  writeFileSync(responseFile, response);
  const topicAt = { request: request.indexOf(idPrefix) + 12, response: response.indexOf(idPrefix) + 12 };
  return { ...kind, requestFile, responseFile, topicAt };
}

/** A line for the fake broker. A produce request is known by its own size, and must come as it was sent. */
function ruleFor({ operation, frameBytes, requestFile, responseFile, topicAt, sizeAt }: Exchange): string {
  const copies = `${topicAt.request}:${topicAt.response}:4`;
  if (operation === 'produce') {
    // A frame's size does not count itself.
    const size = statSync(requestFile).size - 4;
    return `${apiKeys.produce} ${produceVersion} 0 ${size} ${copies} ${responseFile} ${requestFile}`;
  }
  return `${apiKeys.fetch} ${fetchVersion} ${sizeAt} ${frameBytes} ${copies} ${responseFile} -`;
}

function bootstrapRules(folder: string, cluster: Cluster): string[] {
  const rules: string[] = [];
  const add = (key: number, version: number, name: string, frame: Buffer): void => {
    const file = join(folder, `${name}-v${version}.bin`);
    writeFileSync(file, frame);
    rules.push(`${key} ${version} -1 0 - ${file} -`);
  };
  for (const version of [0, 3, 4]) {
    add(apiKeys.apiVersions, version, 'api-versions', encodeResponse('ApiVersions', version, 0, apiVersions()));
  }
  add(apiKeys.metadata, 12, 'metadata', encodeResponse('Metadata', 12, 0, metadata(cluster)));
  return rules;
}

function apiVersions(): Draft<ResponseMessages['ApiVersions']> {
  const row = (apiKey: number, minVersion: number, maxVersion: number): object => ({ apiKey, minVersion, maxVersion });
  return {
    errorCode: 0,
    apiKeys: [
      row(apiKeys.produce, 0, produceVersion),
      row(apiKeys.fetch, 4, fetchVersion),
      row(apiKeys.metadata, 0, 12),
      row(apiKeys.apiVersions, 0, 4),
    ],
  };
}

/** The whole cluster, whichever topics were asked for. */
function metadata({ brokerPort, topics }: Cluster): Draft<ResponseMessages['Metadata']> {
  return {
    brokers: [{ nodeId: 0, host: '127.0.0.1', port: brokerPort, rack: null }],
    clusterId: 'bench',
    controllerId: 0,
    topics: Array.from({ length: topics }, (_, index) => ({
      name: topicName(index),
      topicId: topicId(index),
      partitions: [{ partitionIndex: 0, leaderId: 0, leaderEpoch: 0, replicaNodes: [0], isrNodes: [0] }],
    })),
  };
}
