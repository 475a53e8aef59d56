/** What a scan of an answer to a Fetch must tell, made from the whole answer by the other decoder. */
import fc from 'fast-check';

import { batches, isControl } from '../batch-header.ts';
import { FetchScan } from '../fetch-scan.ts';
import type { FetchVisitor } from '../fetch-scan.ts';
import type { FetchResponse } from '../messages.gen.ts';
import { decodeResponse, encodeResponse } from '../messages.ts';
import { buildBatch } from '../record-batch.ts';
import type { UnknownTag } from '../values.ts';
import { headerArbitrary, recordsArbitrary } from './batch-arbitrary.ts';
import { messageCases } from './message-arbitrary.ts';

const sizeBytes = 4;

export type FetchEvent = readonly [name: string, ...values: unknown[]];

/** Collects everything it is told. */
export class EventLog implements FetchVisitor {
  readonly events: FetchEvent[] = [];

  head(errorCode: number, sessionId: number): void {
    this.events.push(['head', errorCode, sessionId]);
  }

  topic(name: string, topicId: string): void {
    this.events.push(['topic', name, topicId]);
  }

  partition(index: number, errorCode: number): void {
    this.events.push(['partition', index, errorCode]);
  }

  records(index: number, firstOffset: bigint, lastOffset: bigint, records: number, bytes: number): void {
    this.events.push(['records', index, firstOffset, lastOffset, records, bytes]);
  }

  brokers(brokers: Parameters<NonNullable<FetchVisitor['brokers']>>[0]): void {
    this.events.push(['brokers', brokers]);
  }

  end(): void {
    this.events.push(['end']);
  }
}

/** Throws `ProtocolError` as the decoder does. */
export function expectedEvents(version: number, payload: Buffer): FetchEvent[] {
  const { message } = decodeResponse('Fetch', version, payload);
  const events: FetchEvent[] = version >= 7 ? [['head', message.errorCode, message.sessionId]] : [];
  for (const topic of message.responses) {
    events.push(['topic', topic.topic, topic.topicId]);
    for (const { partitionIndex, errorCode, records } of topic.partitions) {
      events.push(['partition', partitionIndex, errorCode]);
      const told = [...batches(records ?? Buffer.alloc(0))];
      const last = told.at(-1);
      if (last === undefined) continue;
      const data = told.filter(({ attributes }) => !isControl(attributes));
      const count = data.reduce((sum, { recordsCount }) => sum + recordsCount, 0);
      const end = last.baseOffset + BigInt(last.lastOffsetDelta);
      events.push(['records', partitionIndex, told[0]?.baseOffset, end, count, records?.length]);
    }
  }
  if (carriesBrokers(version, payload)) {
    events.push([
      'brokers',
      message.nodeEndpoints.map(({ nodeId, host, port, rack }) => ({ nodeId, host, port, rack })),
    ]);
  }
  return [...events, ['end']];
}

/** Where the tags after the last topic begin: what the answer takes without any. */
function tagsFrom(version: number, payload: Buffer): number {
  const { correlationId, message, unknownTags } = decodeResponse('Fetch', version, payload);
  const bare = { ...message, nodeEndpoints: [], unknownTags: [] };
  return encodeResponse('Fetch', version, correlationId, bare, unknownTags).length - sizeBytes - 1;
}

/** True where NodeEndpoints is there, be it with no broker. For answers as `encodeResponse` writes them. */
function carriesBrokers(version: number, payload: Buffer): boolean {
  if (version < 16) return false;
  const from = tagsFrom(version, payload);
  return payload[from] !== 0 && payload[from + 1] === 0;
}

/** The payload that must go on to the client: as it is, but NodeEndpoints zeros under a number nobody knows. */
export function expectedOutput(version: number, payload: Buffer): Buffer {
  if (!carriesBrokers(version, payload)) return payload;
  const { correlationId, message, unknownTags } = decodeResponse('Fetch', version, payload);
  const alone = encodeResponse('Fetch', version, 0, { nodeEndpoints: message.nodeEndpoints });
  const bare = encodeResponse('Fetch', version, 0, {});
  // Tag and length come before the field's bytes.
  const added = alone.length - bare.length - 1;
  const data = Buffer.alloc(added <= 128 ? added - 1 : added - 2);
  const following = message.unknownTags ?? [];
  const tags: UnknownTag[] = [{ tag: 127 - following.length, data }];
  for (const { tag, data: kept } of following) {
    tags.push({ tag: Math.max(tag, (tags.at(-1)?.tag ?? 0) + 1), data: kept });
  }
  const blanked: FetchResponse = { ...message, nodeEndpoints: [], unknownTags: tags };
  return encodeResponse('Fetch', version, correlationId, blanked, unknownTags).subarray(sizeBytes);
}

/** Scans as a relay does: each chunk in the same read buffer, which is written over as soon as `push` has returned. */
export function scanInChunks(
  version: number,
  payload: Buffer,
  cuts: readonly number[],
): { events: FetchEvent[]; output: Buffer } {
  const log = new EventLog();
  const scan = new FetchScan(payload.length, version, log);
  const output: Buffer[] = [];
  const readBuffer = Buffer.alloc(payload.length + 7);
  const ends = [...cuts.filter((cut) => cut > 0 && cut < payload.length).toSorted((a, b) => a - b), payload.length];
  let from = 0;
  for (const to of ends) {
    const start = from % 7;
    payload.copy(readBuffer, start, from, to);
    scan.push(readBuffer, start, start + to - from);
    output.push(Buffer.from(readBuffer.subarray(start, start + to - from)));
    readBuffer.fill(0xa5);
    from = to;
  }
  return { events: log.events, output: Buffer.concat(output) };
}

const batchArbitrary: fc.Arbitrary<Buffer> = fc
  .tuple(headerArbitrary, fc.nat({ max: 4 }), recordsArbitrary)
  .map(([header, codec, records]) => buildBatch({ ...header, attributes: header.attributes | codec }, records));

/** One message of magic 0 or 1, with content that stands for nothing. */
const oldMessageArbitrary: fc.Arbitrary<Buffer> = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.nat({ max: 1 }), fc.nat({ max: 7 }), fc.nat({ max: 80 }))
  .map(([offset, magic, attributes, contentBytes]): Buffer => {
    const message: Buffer = Buffer.alloc(26 + contentBytes, 0xee);
    message.writeBigInt64BE(offset);
    message.writeInt32BE(message.length - 12, 8);
    message.writeInt8(magic, 16);
    message.writeInt8(attributes, 17);
    return message;
  });

/** Batches one after the other, the last of which may be cut off anywhere. */
const batchesArbitrary: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: batchArbitrary }, { weight: 1, arbitrary: oldMessageArbitrary }), {
      maxLength: 4,
    }),
    fc.oneof(batchArbitrary, fc.constant<Buffer>(Buffer.alloc(0))),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([whole, tail, part]) => Buffer.concat([...whole, tail.subarray(0, Math.floor(tail.length * part))]));

const tagsArbitrary = fc
  .uniqueArray(fc.oneof(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 100, max: 0x7fff_ffff })), { maxLength: 3 })
  .map((tags) => tags.toSorted((a, b) => a - b).map((tag) => ({ tag, data: Buffer.from('future') })));

/** Payloads of answers to a Fetch in this version, as a broker may send them. */
export function fetchPayloads(version: number): fc.Arbitrary<Buffer> {
  const entry = messageCases().find(({ label }) => label === `Fetch response v${version}`);
  if (entry === undefined) throw new Error(`Fetch has no version ${version}`);
  return fc
    .tuple(
      entry.message as fc.Arbitrary<FetchResponse>,
      fc.array(fc.option(batchesArbitrary, { nil: null, freq: 8 }), { minLength: 4, maxLength: 4 }),
      fc.oneof(tagsArbitrary, fc.constant([])),
      fc.integer(),
    )
    .map(([message, records, tags, correlationId]) => {
      let at = 0;
      const responses = message.responses.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((partition) => {
          const given = { ...partition, records: records[at % 4] ?? null };
          at += 1;
          return given;
        }),
      }));
      const whole = { ...message, responses, unknownTags: entry.flexible ? tags : [] };
      const headerTags = entry.flexible && at % 2 === 1 ? [{ tag: 0, data: Buffer.from('of the header') }] : [];
      return encodeResponse('Fetch', version, correlationId, whole, headerTags).subarray(sizeBytes);
    });
}
