/**
 * What it costs to know what a fetch delivers and where a produce request writes: scanning in chunks and glancing, against
 * decoding the whole. CPU time, medians of interleaved rounds; nothing is read or sent, the bytes are there before.
 *
 *   sh scripts/node.sh bench/fetch-scan.ts
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  FetchScan,
  FrameReader,
  batches,
  buildBatch,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isControl,
  ProduceGlance,
} from '../src/ports/kafka/protocol/protocol.ts';
import type { FetchVisitor } from '../src/ports/kafka/protocol/protocol.ts';
import { spreadOf } from './statistics.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const rounds = 9;
const roundsToWarmUp = 3;
const roundMs = 200;
const messagesForHeap = 50;
const version = { fetch: 18, produce: 13 };
const topicId = 'AAECAwQFBgcICQoLDA0ODw';
const sizeBytes = 4;

interface Row {
  readonly label: string;
  readonly payloadBytes: number;
  /** Handles one message; gives how many records it found. */
  readonly handle: () => number;
}

function batchOf(baseOffset: number, bytes: number): Buffer {
  const record = {
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta: 0,
    key: null,
    value: Buffer.alloc(bytes - 80),
    headers: [],
  };
  return buildBatch(
    {
      baseOffset: BigInt(baseOffset),
      partitionLeaderEpoch: 0,
      attributes: 0,
      lastOffsetDelta: 0,
      baseTimestamp: 0n,
      maxTimestamp: 0n,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
    },
    [record],
  );
}

function recordsOf(bytes: number, batchBytes: number): Buffer {
  return Buffer.concat(Array.from({ length: bytes / batchBytes }, (_, index) => batchOf(index, batchBytes)));
}

class Counter implements FetchVisitor {
  found = 0;
  topic(): void {}
  partition(): void {
    this.found += 1;
  }
  records(_index: number, _first: bigint, _last: bigint, records: number): void {
    this.found += records;
  }
  end(): void {}
}

const counter = new Counter();
const glance = new ProduceGlance();

function scanRow(label: string, payload: Buffer, chunkBytes: number): Row {
  return {
    label: `${label}, scanned in ${chunkBytes / 1024} KB chunks`,
    payloadBytes: payload.length,
    handle: () => {
      const scan = new FetchScan(payload.length, version.fetch, counter);
      for (let from = 0; from < payload.length; from += chunkBytes) {
        scan.push(payload, from, Math.min(from + chunkBytes, payload.length));
      }
      return counter.found;
    },
  };
}

function countDecoded(payload: Buffer): number {
  let found = 0;
  for (const topic of decodeResponse('Fetch', version.fetch, payload).message.responses) {
    for (const { records } of topic.partitions) {
      for (const batch of batches(records ?? Buffer.alloc(0)))
        if (!isControl(batch.attributes)) found += batch.recordsCount;
    }
  }
  return found;
}

/** With what it takes to have the whole frame first. */
function joinedRow(label: string, frame: Buffer, chunkBytes: number): Row {
  return {
    label: `${label}, joined from ${chunkBytes / 1024} KB chunks and decoded`,
    payloadBytes: frame.length - sizeBytes,
    handle: () => {
      const reader = new FrameReader(frame.length);
      for (let from = 0; from < frame.length; from += chunkBytes) reader.push(frame.subarray(from, from + chunkBytes));
      const payload = reader.next();
      return payload === null ? 0 : countDecoded(payload);
    },
  };
}

function fetchRows(partitions: number, bytes: number, batchBytes: number): Row[] {
  const records = recordsOf(bytes, batchBytes);
  const label = `fetch ${partitions} × ${bytes / 1000} KB in batches of ${batchBytes / 1000} KB`;
  const topic = {
    topicId,
    partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, records })),
  };
  const frame = encodeResponse('Fetch', version.fetch, 1, { responses: [topic] });
  const payload = frame.subarray(sizeBytes);
  return [
    scanRow(label, payload, 65_536),
    scanRow(label, payload, 262_144),
    { label: `${label}, decoded`, payloadBytes: payload.length, handle: () => countDecoded(payload) },
    joinedRow(label, frame, 65_536),
  ];
}

function produceRows(produceVersion: number, topics: number, partitions: number, bytes: number): Row[] {
  const records = batchOf(0, bytes);
  const topicData = Array.from({ length: topics }, (_, topic) => ({
    name: `orders.eu.topic-${topic}`,
    topicId: topicId.slice(0, -4) + 'ABCDEFGH'.charAt(topic).repeat(3) + 'w',
    partitionData: Array.from({ length: partitions }, (__, index) => ({ index, records })),
  }));
  const header = { correlationId: 1, clientId: 'bench' };
  const payload = encodeRequest('Produce', produceVersion, header, { acks: -1, timeoutMs: 30_000, topicData }).subarray(
    sizeBytes,
  );
  const { headerBytes } = decodeRequestHeader(payload);
  const label = `produce v${produceVersion}, ${topics} topics × ${partitions} partitions × ${bytes / 1000} KB`;
  return [
    {
      label: `${label}, glanced at`,
      payloadBytes: payload.length,
      handle: () => {
        return glance.read(payload, 0, payload.length, payload.length) ? glance.count : 0;
      },
    },
    {
      label: `${label}, decoded`,
      payloadBytes: payload.length,
      handle: () =>
        decodeRequest('Produce', produceVersion, payload, headerBytes).topicData.reduce(
          (sum, { partitionData }) => sum + partitionData.length,
          0,
        ),
    },
  ];
}

/** Microseconds of CPU and heap bytes per message. */
function round(row: Row): { readonly us: number; readonly heapBytes: number } {
  collect();
  const heapBefore = process.memoryUsage().heapUsed;
  for (let left = messagesForHeap; left > 0; left -= 1) row.handle();
  // Few enough for no garbage to have been collected yet.
  const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / messagesForHeap;
  const before = process.cpuUsage();
  const end = performance.now() + roundMs;
  let handled = 0;
  for (; performance.now() < end; handled += 20) for (let left = 20; left > 0; left -= 1) row.handle();
  const { user, system } = process.cpuUsage(before);
  return { us: (user + system) / handled, heapBytes };
}

const rows = [
  ...fetchRows(20, 50_000, 50_000),
  ...fetchRows(20, 50_000, 1_000),
  ...fetchRows(1, 16_000, 16_000),
  ...produceRows(13, 1, 1, 16_000),
  ...produceRows(9, 4, 5, 1_000),
  ...produceRows(13, 4, 5, 1_000),
];
for (const row of rows) if (row.handle() === 0) throw new Error(`${row.label}: nothing was found`);
const measured = rows.map((row) => ({ row, figures: [] as { us: number; heapBytes: number }[] }));
for (let index = 0; index < roundsToWarmUp + rounds; index += 1) {
  for (const { row, figures } of measured) {
    const figure = round(row);
    if (index >= roundsToWarmUp) figures.push(figure);
  }
}
process.stdout.write(
  `${'CPU µs'.padStart(9)}${'(min)'.padStart(9)}${'GB/s'.padStart(9)}${'heap bytes'.padStart(13)}\n`,
);
for (const { row, figures } of measured) {
  const us = spreadOf(figures.map((figure) => figure.us));
  const heap = spreadOf(figures.map((figure) => figure.heapBytes));
  const cells = [
    us.median.toFixed(2).padStart(9),
    us.min.toFixed(2).padStart(9),
    (row.payloadBytes / us.median / 1000).toFixed(1).padStart(9),
    heap.median.toFixed(0).padStart(13),
  ];
  process.stdout.write(`${cells.join('')}   ${row.label}\n`);
}
