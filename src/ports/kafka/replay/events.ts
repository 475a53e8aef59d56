/** From a recording's items to records: batches are taken apart, references are asked for, and what is missing is said. */
import { messageOf } from '../../../lib/errors.ts';
import type { JsonObject, JsonValue } from '../../../model/json.ts';
import { type BatchHeader, batches, codecOf, isControl, parseBatch } from '../protocol/protocol.ts';
import { type AnsweredItem, type ReadItem, withAnswers } from './answers.ts';
import type { BatchEvent, Direction, Reference, ReplayEvent, ReplayedRecord, Resolver, Verdict } from './contract.ts';
import { DeliveredRecords } from './delivered-records.ts';

/** Which items are looked at; the others are not taken apart. */
export interface ItemFilter {
  readonly topic?: string;
  readonly partition?: number;
  readonly direction?: Direction;
  /** Milliseconds since the epoch: at or after, and before. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** @param resolve asks a broker for what the recording only refers to; absent: nobody is asked */
export async function* replayEvents(
  items: AsyncIterable<ReadItem>,
  filter: ItemFilter = {},
  resolve?: Resolver,
): AsyncGenerator<ReplayEvent> {
  for await (const answered of withAnswers(items)) {
    const { item } = answered;
    if (item.atMs < (filter.sinceMs ?? -Infinity) || item.atMs >= (filter.untilMs ?? Infinity)) continue;
    if (item.kind === 'request') yield requestEvent(answered);
    else if (item.kind === 'gap') {
      const missing = `${item.records} records in ${number(item.meta['items'])} items are missing here: ${text(item.meta['cause'])}`;
      yield { kind: 'note', atMs: item.atMs, text: missing };
    } else if (item.kind !== 'answered' && wanted(item.meta, item.kind, filter)) {
      if (item.meta['batches'] === undefined) yield* batchEvents(answered, item.kind, item.payload);
      else yield* referenceEvents(answered, item.kind, resolve);
    }
  }
}

function wanted(meta: JsonObject, direction: Direction, filter: ItemFilter): boolean {
  return (
    (filter.direction === undefined || filter.direction === direction) &&
    (filter.topic === undefined || filter.topic === meta['topic']) &&
    (filter.partition === undefined || filter.partition === meta['partition'])
  );
}

function requestEvent({ item }: AnsweredItem): ReplayEvent {
  const operations = list(item.meta['operations']).map((operation) => {
    const { action, type, name, partitions } = object(operation);
    const numbers = list(partitions).filter((one) => typeof one === 'number');
    return { action: text(action), type: text(type), name: text(name), partitions: numbers };
  });
  return { kind: 'request', atMs: item.atMs, request: text(item.meta['request']), operations };
}

function* batchEvents(answered: AnsweredItem, direction: Direction, bytes: Buffer): Generator<ReplayEvent> {
  const { item } = answered;
  const seen = direction === 'delivered' ? new DeliveredRecords(item.meta) : null;
  try {
    for (const header of batches(bytes)) {
      if (seen !== null && !seen.batch(header)) continue;
      yield batchEvent(answered, direction, bytes, header, seen);
    }
  } catch (error) {
    yield {
      kind: 'note',
      atMs: item.atMs,
      text: `a batch of ${placeOf(item.meta)} cannot be read: ${messageOf(error)}`,
    };
  }
}

function batchEvent(
  { item, fate, baseOffset }: AnsweredItem,
  direction: Direction,
  bytes: Buffer,
  header: BatchHeader,
  seen: DeliveredRecords | null,
): BatchEvent {
  const { topic, partition } = place(item.meta);
  // What is produced counts from 0; where it came to stand, the broker said in its answer.
  const base = direction === 'delivered' ? header.baseOffset : baseOffset;
  const records = parseBatch(bytes, header.position).records.flatMap((record): ReplayedRecord[] => {
    const offset = base === null ? null : base + BigInt(record.offsetDelta);
    if (seen !== null && (offset === null || !seen.has(offset))) return [];
    const timestampMs = header.baseTimestamp + record.timestampDelta;
    const { key, value, headers } = record;
    return [{ direction, topic, partition, offset, timestampMs, key, value, headers }];
  });
  const codec = codecOf(header.attributes);
  return { kind: 'batch', atMs: item.atMs, direction, topic, partition, codec, records, fate };
}

async function* referenceEvents(
  answered: AnsweredItem,
  direction: Direction,
  resolve: Resolver | undefined,
): AsyncGenerator<ReplayEvent> {
  const { item, baseOffset, digest, fate } = answered;
  const seen = direction === 'delivered' ? new DeliveredRecords(item.meta) : null;
  for (const entry of list(item.meta['batches'])) {
    const found = object(entry);
    if (found['control'] === true) continue;
    const reference = referenceOf(item.meta, direction, found, baseOffset);
    const { topic, partition, lastOffsetDelta, records } = reference;
    const known = reference.offset >= 0n;
    const about = {
      kind: 'reference',
      atMs: item.atMs,
      direction,
      topic,
      partition,
      firstOffset: known ? reference.offset : null,
      lastOffset: known ? reference.offset + BigInt(lastOffsetDelta) : null,
      records,
    } as const;
    const missing = whyMissing(reference, fate.kind, resolve);
    if (missing !== null || resolve === undefined) {
      yield { ...about, ...(missing ?? { verdict: 'not-asked', detail: '' }) };
      continue;
    }
    const resolved = await resolve(reference, digest);
    if ('verdict' in resolved) yield { ...about, ...resolved };
    else yield* resolvedEvents(answered, direction, resolved.batch, seen);
  }
}

function* resolvedEvents(
  answered: AnsweredItem,
  direction: Direction,
  batch: Buffer,
  seen: DeliveredRecords | null,
): Generator<ReplayEvent> {
  const [header] = batches(batch);
  if (header === undefined || isControl(header.attributes) || (seen !== null && !seen.batch(header))) return;
  // The broker's own copy says where it stands.
  yield batchEvent({ ...answered, baseOffset: header.baseOffset }, direction, batch, header, seen);
}

function whyMissing(
  reference: Reference,
  fate: 'written' | 'refused' | 'unknown',
  resolve: Resolver | undefined,
): { verdict: Verdict; detail: string } | null {
  if (reference.digest === '')
    return { verdict: 'not-kept', detail: 'the recording keeps metadata only: the policy asked for no more' };
  if (fate === 'refused') return { verdict: 'gone', detail: 'the broker refused it' };
  if (reference.offset < 0n)
    return { verdict: 'unreadable', detail: 'the broker did not say at which offset it stands (acks=0, or no answer)' };
  if (resolve === undefined)
    return { verdict: 'not-asked', detail: 'the recording refers to the broker: say which with --bootstrap' };
  return null;
}

function referenceOf(meta: JsonObject, direction: Direction, found: JsonObject, baseOffset: bigint | null): Reference {
  const own = /^\d{1,19}$/.test(text(found['offset'])) ? BigInt(text(found['offset'])) : -1n;
  const offset = direction === 'delivered' ? own : baseOffset === null ? -1n : baseOffset + own;
  return {
    direction,
    ...place(meta),
    offset,
    lastOffsetDelta: number(found['last']),
    records: number(found['records']),
    bytes: number(found['bytes']),
    codec: text(found['codec']),
    digest: text(found['digest']),
  };
}

function place(meta: JsonObject): { topic: string; partition: number } {
  const { topic, partition } = meta;
  return { topic: typeof topic === 'string' ? topic : '', partition: typeof partition === 'number' ? partition : -1 };
}

function placeOf(meta: JsonObject): string {
  const { topic, partition } = place(meta);
  return `${topic}-${partition}`;
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function object(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function number(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
