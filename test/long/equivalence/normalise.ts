/**
 * Answers of two clusters can never be equal to the byte. What must differ stands in one table here, each with its
 * reason, and is replaced by a word on both sides; everything else must be the same.
 */
import { type ApiName, batches, errorName, parseBatch, zeroUuid } from '../../../src/ports/kafka/protocol/protocol.ts';
import { sharedToken, unknownTopicId } from './at.ts';
import type { Side } from './side.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Normalisation {
  readonly what: string;
  readonly reason: string;
  /** Default: every API. */
  readonly apis?: readonly ApiName[];
  /** Fields by name, wherever they stand. */
  readonly fields: readonly string[] | RegExp;
  /** `undefined`: this value stays as it is. */
  readonly replace: (value: unknown, side: Side) => Json | undefined;
}

const positive =
  (word: string) =>
  (value: unknown): Json | undefined =>
    (typeof value === 'bigint' && value > 0n) || (typeof value === 'number' && value > 0) ? word : undefined;
const nonEmpty =
  (word: string) =>
  (value: unknown): Json | undefined =>
    typeof value === 'string' && value !== '' ? word : undefined;

export const normalisations: readonly Normalisation[] = [
  {
    what: 'throttle time',
    reason: 'quotas are counted by each broker on its own',
    fields: ['throttleTimeMs'],
    replace: () => '<throttle>',
  },
  {
    what: 'host',
    reason: 'the gateway puts its own address in place of the broker’s',
    fields: ['host'],
    replace: nonEmpty('<host>'),
  },
  { what: 'port', reason: 'as the host', fields: ['port'], replace: positive('<port>') },
  { what: 'cluster id', reason: 'each cluster makes its own', fields: ['clusterId'], replace: nonEmpty('<cluster>') },
  {
    what: 'topic id',
    reason: 'each cluster gives its own: replaced by the name of the topic',
    fields: ['topicId'],
    replace: (value, side) => idText(String(value), side),
  },
  {
    what: 'member id',
    reason: 'the coordinator makes it up',
    fields: ['memberId', 'leader'],
    replace: nonEmpty('<member>'),
  },
  {
    what: 'fetch session id',
    reason: 'the broker draws it by lot',
    fields: ['sessionId'],
    replace: positive('<session>'),
  },
  {
    what: 'producer id',
    reason: 'counted by each cluster',
    fields: ['producerId', 'ongoingTxnProducerId'],
    replace: positive('<producer>'),
  },
  {
    what: 'time',
    reason: 'the two requests are not sent in the same millisecond',
    fields: /[tT]imestamp|TimeMs$/,
    replace: positive('<time>'),
  },
  {
    what: 'log directory',
    reason: 'a folder of each cluster’s own',
    fields: ['logDir', 'path'],
    replace: nonEmpty('<folder>'),
  },
  {
    what: 'sizes on disk',
    reason: 'depend on what else the cluster holds',
    fields: ['totalBytes', 'usableBytes'],
    replace: positive('<bytes>'),
  },
  {
    what: 'end of the controllers’ log',
    reason: 'depends on what else the cluster did',
    apis: ['DescribeQuorum'],
    fields: ['highWatermark', 'logEndOffset', 'replicaDirectoryId'],
    replace: () => '<controllers’ log>',
  },
  {
    what: 'epochs of streams groups',
    reason: 'they count how often a group was assigned anew, which depends on when it heard of its topics',
    apis: ['StreamsGroupDescribe'],
    fields: ['groupEpoch', 'assignmentEpoch', 'memberEpoch'],
    replace: positive('<epoch>'),
  },
  {
    what: 'telemetry ids',
    reason: 'made up by the broker',
    fields: ['clientInstanceId', 'subscriptionId'],
    replace: () => '<telemetry id>',
  },
  {
    what: 'records',
    reason: 'batches carry times: replaced by the values of the records',
    fields: ['records'],
    replace: recordText,
  },
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
const keyFields = [
  'name',
  'topic',
  'topicName',
  'topicId',
  'groupId',
  'transactionalId',
  'resourceName',
  'key',
  'user',
  'partitionIndex',
  'index',
  'partition',
  'apiKey',
  'source',
  'resourceType',
];

/** What a message is part of. */
export interface Context {
  readonly api: ApiName;
  readonly side: Side;
  /** The names of the case carry it. */
  readonly token: string;
}

/** A message as plain data, with what must differ replaced and lists of entities in one order. */
export function normalise(value: unknown, context: Context, field = ''): Json {
  const replaced = ruleFor(field, context.api)?.replace(value, context.side);
  if (replaced !== undefined) return replaced;
  if (typeof value === 'number') return errorFields.test(field) ? errorName(value) : value;
  if (typeof value === 'bigint') return `${value}`;
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return textWithoutIds(value, context.side);
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) {
    const items = value
      .filter((item) => !belongsElsewhere(item, context.token))
      .map((item) => normalise(item, context, field));
    // The order of entities carries no meaning, and brokers take it from hash maps.
    return items.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      key === 'unknownTags' ? [] : [[key, normalise(inner, context, key)]],
    ),
  );
}

function ruleFor(field: string, api: ApiName): Normalisation | undefined {
  return normalisations.find(({ fields, apis }) => {
    if (apis !== undefined && !apis.includes(api)) return false;
    return fields instanceof RegExp ? fields.test(field) : fields.includes(field);
  });
}

/** Listings show what other cases made, which is there at other times on each side. Ids and folders are random, and may look like a name. */
function belongsElsewhere(item: unknown, token: string): boolean {
  return namesIn(item).some((name) => {
    const found = /-(q\d+)(?![0-9])/.exec(withoutFolders(name))?.[1];
    return found !== undefined && found !== token && found !== sharedToken;
  });
}

function namesIn(item: unknown): string[] {
  if (typeof item === 'string') return [item];
  if (item === null || typeof item !== 'object') return [];
  return Object.entries(item).flatMap(([key, value]) =>
    typeof value === 'string' && !key.endsWith('Id') ? [value] : idNames(key, value),
  );
}

/** Groups and transactions are called ids, and named by people. */
function idNames(key: string, value: unknown): string[] {
  return typeof value === 'string' && (key === 'groupId' || key === 'transactionalId') ? [value] : [];
}

/** What an entity in a list is known by; empty where nothing tells it from the others. */
function keyOf(item: Json | undefined): string {
  return isObject(item)
    ? keyFields.flatMap((key) => (item[key] === undefined ? [] : [JSON.stringify(item[key])])).join(' ')
    : '';
}

function orderOf(item: Json): string {
  return `${keyOf(item)} ${JSON.stringify(item)}`;
}

/** Ids and folders within a text, such as that of an error or a configuration. */
function textWithoutIds(text: string, side: Side): string {
  const rest = text
    .replaceAll(/[A-Za-z0-9_-]{22}/g, (id) => (side.nameOf(id) === undefined ? id : `<id of ${side.nameOf(id)}>`))
    .replaceAll(/cluster id "[^"]*"/g, 'cluster id <cluster>');
  return withoutFolders(rest);
}

function withoutFolders(text: string): string {
  return text.replaceAll(/\/[^ ,:]*sluice-kafka-[A-Za-z0-9]+/g, '<folder>');
}

export interface Difference {
  /** Such as `answer.topics[0].errorCode`. */
  readonly path: string;
  readonly broker: Json | undefined;
  readonly gateway: Json | undefined;
}

export function differencesOf(broker: Json | undefined, gateway: Json | undefined, path: string): Difference[] {
  if (broker === gateway) return [];
  if (Array.isArray(broker) && Array.isArray(gateway)) return differencesInLists(broker, gateway, path);
  if (isObject(broker) && isObject(gateway)) {
    return [...new Set([...Object.keys(broker), ...Object.keys(gateway)])].flatMap((key) =>
      differencesOf(broker[key], gateway[key], `${path}.${key}`),
    );
  }
  return [{ path, broker, gateway }];
}

/** Entities are held against those of the same name, others against those in the same place. */
function differencesInLists(broker: Json[], gateway: Json[], path: string): Difference[] {
  const named = [broker, gateway].every((list) => new Set(list.map(keyOf)).size === list.length);
  const byKey = (list: Json[]): Map<string, Json> =>
    new Map(list.map((item, index) => [(named && keyOf(item)) || String(index), item]));
  const left = byKey(broker);
  const right = byKey(gateway);
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    differencesOf(left.get(key), right.get(key), `${path}[${key}]`),
  );
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
