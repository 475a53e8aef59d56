/**
 * Answers of two clusters can never be equal to the byte. What must differ stands in one table here, each with its
 * reason, and is replaced by a word on both sides; everything else must be the same.
 */
import { batches, errorName, parseBatch, zeroUuid } from '../../../src/ports/kafka/protocol/protocol.ts';
import { unknownTopicId } from './at.ts';
import type { Side } from './side.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Normalisation {
  readonly what: string;
  readonly reason: string;
  /** Fields by name, wherever they stand. */
  readonly fields: readonly string[] | RegExp;
  /** `undefined`: this value stays as it is. */
  readonly replace: (value: unknown, side: Side) => Json | undefined;
}

const positive = (word: string) => (value: unknown): Json | undefined =>
  (typeof value === 'bigint' && value > 0n) || (typeof value === 'number' && value > 0) ? word : undefined;
const nonEmpty = (word: string) => (value: unknown): Json | undefined => (typeof value === 'string' && value !== '' ? word : undefined);

export const normalisations: readonly Normalisation[] = [
  { what: 'throttle time', reason: 'quotas are counted by each broker on its own', fields: ['throttleTimeMs'], replace: () => '<throttle>' },
  { what: 'host', reason: 'the gateway puts its own address in place of the broker’s', fields: ['host'], replace: nonEmpty('<host>') },
  { what: 'port', reason: 'as the host', fields: ['port'], replace: positive('<port>') },
  { what: 'cluster id', reason: 'each cluster makes its own', fields: ['clusterId'], replace: nonEmpty('<cluster>') },
  { what: 'topic id', reason: 'each cluster gives its own: replaced by the name of the topic', fields: ['topicId'], replace: (value, side) => idText(String(value), side) },
  { what: 'member id', reason: 'the coordinator makes it up', fields: ['memberId', 'leader'], replace: nonEmpty('<member>') },
  { what: 'producer id', reason: 'counted by each cluster', fields: ['producerId', 'ongoingTxnProducerId'], replace: positive('<producer>') },
  { what: 'time', reason: 'the two requests are not sent in the same millisecond', fields: /[tT]imestamp|TimeMs$/, replace: positive('<time>') },
  { what: 'log directory', reason: 'a folder of each cluster’s own', fields: ['logDir', 'path'], replace: nonEmpty('<folder>') },
  { what: 'sizes on disk', reason: 'depend on what else the cluster holds', fields: ['totalBytes', 'usableBytes'], replace: positive('<bytes>') },
  {
    what: 'offsets of the controllers’ log',
    reason: 'depend on what else the cluster did',
    fields: ['logEndOffset', 'lastFetchTimestamp', 'lastCaughtUpTimestamp', 'leaderEpochOfQuorum', 'replicaDirectoryId'],
    replace: () => '<controller log>',
  },
  { what: 'telemetry ids', reason: 'made up by the broker', fields: ['clientInstanceId', 'subscriptionId'], replace: () => '<telemetry id>' },
  { what: 'records', reason: 'batches carry times: replaced by the values of the records', fields: ['records'], replace: recordText },
  { what: 'unknown tags', reason: 'not part of a message', fields: ['unknownTags'], replace: () => '<tags>' },
];

function idText(id: string, side: Side): Json {
  if (id === zeroUuid) return '<no id>';
  if (id === unknownTopicId) return '<id of no topic>';
  return `<id of ${side.nameOf(id) ?? 'a topic not of this suite'}>`;
}

function recordText(value: unknown): Json | undefined {
  if (!Buffer.isBuffer(value)) return undefined;
  const values: string[] = [];
  for (const batch of batches(value)) {
    for (const { value: bytes } of parseBatch(value, batch.position).records) values.push(String(bytes));
  }
  return values.join(',');
}

const errorFields = /[eE]rrorCode$/;
/** What an element of a list is known by. */
const keyFields = ['name', 'topic', 'topicName', 'topicId', 'groupId', 'transactionalId', 'resourceName', 'key', 'user', 'partitionIndex', 'index', 'partition', 'apiKey'];

/** A message as plain data, with what must differ replaced and lists of entities in one order. */
export function normalise(value: unknown, side: Side, token: string, field = ''): Json {
  const rule = normalisations.find(({ fields }) => (fields instanceof RegExp ? fields.test(field) : fields.includes(field)));
  const replaced = rule?.replace(value, side);
  if (replaced !== undefined) return replaced;
  if (typeof value === 'number') return errorFields.test(field) ? errorName(value) : value;
  if (typeof value === 'bigint') return `${value}`;
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return withoutIds(value, side);
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) {
    const items = value.filter((item) => !belongsElsewhere(item, token)).map((item) => normalise(item, side, token, field));
    // The order of entities carries no meaning, and brokers take it from hash maps.
    return items.map((item) => ({ item, order: orderOf(item) })).toSorted((a, b) => (a.order < b.order ? -1 : 1)).map(({ item }) => item);
  }
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => key !== 'unknownTags').map(([key, inner]) => [key, normalise(inner, side, token, key)]),
  );
}

/** Listings show what other cases made, which is there at other times on each side. */
function belongsElsewhere(item: unknown, token: string): boolean {
  const names = typeof item === 'string' ? [item] : item !== null && typeof item === 'object' ? Object.values(item).filter((inner) => typeof inner === 'string') : [];
  return names.some((name) => {
    const found = /-(q\d+)(?![0-9])/.exec(name)?.[1];
    return found !== undefined && found !== token && found !== 'q0';
  });
}

function orderOf(item: Json): string {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) return JSON.stringify(item);
  return `${keyFields.map((key) => JSON.stringify(item[key] ?? '')).join()} ${JSON.stringify(item)}`;
}

/** Ids within a text, such as that of an error. */
function withoutIds(text: string, side: Side): string {
  return text.replaceAll(/[A-Za-z0-9_-]{22}/g, (id) => (side.nameOf(id) === undefined ? id : `<id of ${side.nameOf(id)}>`));
}

export interface Difference {
  /** Such as `answer.topics[0].errorCode`. */
  readonly path: string;
  readonly broker: Json | undefined;
  readonly gateway: Json | undefined;
}

export function differencesOf(broker: Json | undefined, gateway: Json | undefined, path: string): Difference[] {
  if (broker === gateway) return [];
  if (Array.isArray(broker) && Array.isArray(gateway)) {
    return Array.from({ length: Math.max(broker.length, gateway.length) }, (_, index) => index).flatMap((index) =>
      differencesOf(broker[index], gateway[index], `${path}[${index}]`),
    );
  }
  if (isObject(broker) && isObject(gateway)) {
    return [...new Set([...Object.keys(broker), ...Object.keys(gateway)])].flatMap((key) => differencesOf(broker[key], gateway[key], `${path}.${key}`));
  }
  return [{ path, broker, gateway }];
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
