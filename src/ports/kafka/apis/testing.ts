/** Stand-ins for the gate and the cluster, so that one handler can be asked by itself. Messages travel through the codec both ways. */
import { createHash } from 'node:crypto';
import type { GateSession } from '../../../gate/gate.ts';
import type { RecordObligation } from '../../../model/decision.ts';
import type { Action, ResourceType } from '../../../model/operation.ts';
import type { RecordedItem } from '../../../recording/recording.ts';
import type { AddressBook } from '../addresses.ts';
import type { ClusterView } from '../cluster.ts';
import {
  type ApiName,
  type Draft,
  type RequestMessages,
  type ResponseMessages,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../protocol/protocol.ts';
import type { UpstreamConnection } from '../upstream.ts';
import { BrokerVersions } from '../versions.ts';
import { type ApiHandler, type Exchange, RequestAccess, type Verdict } from './handler.ts';

/** `read topic payments`, or with a partition `read topic payments 3`: what is permitted, or was asked. */
export type Question = string;

export interface World {
  /** Permits exactly these; a question with a partition is also permitted by the same one without. May change between requests. */
  permitted: Set<Question>;
  /** Names by id of the topics that exist. */
  readonly topics: Map<string, string>;
  /** What the gateway has learned of them. */
  readonly known: Map<string, string>;
  /** What was asked with an entry, in order. */
  readonly asked: Question[];
  /** What was refused by `access.refused`. */
  readonly refusals: string[];
  /** What was accounted: `read payments 3 100-104 5`. */
  readonly flows: string[];
  readonly learned: { nodeId: number; host: string; port: number }[];
  /** Whether the brokers create topics by themselves; they do unless told otherwise. */
  autoCreation?: boolean;
  /** Stands for the client's connection; give another to come over another connection. */
  connection: object;
  revision: string;
  /** What every permit obliges to record. */
  obligation: RecordObligation | null;
  /** What was handed to the recorder. */
  readonly items: RecordedItem[];
}

export function worldOf(permitted: readonly Question[] = [], topics: Readonly<Record<string, string>> = {}): World {
  return {
    permitted: new Set(permitted),
    topics: new Map(Object.entries(topics)),
    known: new Map(),
    asked: [],
    refusals: [],
    flows: [],
    learned: [],
    connection: {},
    revision: 'r1',
    obligation: null,
    items: [],
  };
}

/** What a handler did with a request: everything as it would be on the wire. */
export interface Outcome<N extends ApiName> {
  readonly kind: Verdict<N>['kind'];
  /** True where the client's own bytes go on. */
  readonly unread: boolean;
  /** True where a large answer may pass in pieces. */
  readonly streams: boolean;
  /** What the broker gets; `null` where it gets nothing. */
  readonly forwarded: RequestMessages[N] | null;
  /** The answer of the gateway's own; `null` where the broker answers. */
  readonly answer: ResponseMessages[N] | null;
  /** What the client gets for the broker's answer. @throws where nothing was forwarded */
  deliver(response: Draft<ResponseMessages[N]>): Promise<ResponseMessages[N]>;
}

/** Sends one request through a handler. */
export async function ask<N extends ApiName>(
  world: World,
  handler: ApiHandler<N>,
  version: number,
  request: Draft<RequestMessages[N]>,
): Promise<Outcome<N>> {
  const { name } = handler;
  const exchange = exchangeOf(world, name, version, request);
  const verdict = await handler.handle(exchange);
  const upstreamVersion = (verdict.kind === 'forward' ? verdict.upstreamVersion : undefined) ?? version;
  const sent = verdict.kind === 'forward' ? (verdict.request ?? request) : null;
  return {
    kind: verdict.kind,
    unread: verdict.kind === 'forward' && verdict.request === undefined && upstreamVersion === version,
    streams: verdict.kind === 'forward' && verdict.streams !== undefined,
    forwarded: sent === null ? null : requestOnTheWire(name, upstreamVersion, sent),
    answer: verdict.kind === 'answer' ? responseOnTheWire(name, version, verdict.response) : null,
    async deliver(response) {
      if (verdict.kind !== 'forward') throw new Error(`${name} v${version} was not forwarded`);
      const message = responseOnTheWire(name, upstreamVersion, response);
      const original = responseOnTheWire(name, upstreamVersion, response);
      const changed = (await verdict.onResponse?.(message)) ?? false;
      return responseOnTheWire(name, version, asDraft<ResponseMessages[N]>(changed ? message : original));
    },
  };
}

export function exchangeOf<N extends ApiName>(
  world: World,
  name: N,
  version: number,
  request: Draft<RequestMessages[N]>,
): Exchange<N> {
  return {
    name,
    version,
    request: requestOnTheWire(name, version, request),
    access: new RequestAccess({ session: sessionOf(world) }, `${name} v${version}`),
    cluster: clusterOf(world),
    addresses: addressBook,
    upstreamVersions: BrokerVersions.none,
    connection: world.connection,
  };
}

/** Node 1 to 3 have an address behind the gateway; others have none. */
const addressBook: AddressBook = {
  bootstrap: { host: 'gateway', port: 9000 },
  forNode: (nodeId) => (nodeId >= 1 && nodeId <= 3 ? { host: 'gateway', port: 9000 + nodeId } : null),
};

/** What a message is after encoding and decoding: every field there, those of other versions at their defaults. */
export function requestOnTheWire<N extends ApiName>(
  name: N,
  version: number,
  request: Draft<RequestMessages[N]>,
): RequestMessages[N] {
  const frame = encodeRequest(name, version, { correlationId: 7, clientId: 'test' }, request);
  const payload = frame.subarray(4);
  return decodeRequest(name, version, payload, decodeRequestHeader(payload).headerBytes);
}

function responseOnTheWire<N extends ApiName>(
  name: N,
  version: number,
  response: Draft<ResponseMessages[N]>,
): ResponseMessages[N] {
  return decodeResponse(name, version, encodeResponse(name, version, 7, response).subarray(4)).message;
}

function asDraft<T>(message: T): Draft<T> {
  return message as Draft<T>;
}

function permits(world: World, action: Action, type: ResourceType, name: string, partition: number): boolean {
  const whole = `${action} ${type} ${name}`;
  return world.permitted.has(whole) || (partition >= 0 && world.permitted.has(`${whole} ${partition}`));
}

function sessionOf(world: World): GateSession {
  const decision = (effect: boolean): ReturnType<GateSession['decide']> => ({
    effect: effect ? 'permit' : 'deny',
    reason: effect ? 'allowed' : 'no-matching-rule',
    rule: null,
    revision: world.revision,
    ...(effect && world.obligation !== null && { record: world.obligation }),
  });
  const session: Partial<GateSession> = {
    id: 'session-1',
    get revision() {
      return world.revision;
    },
    decide(action, type, name, partition) {
      world.asked.push(partition >= 0 ? `${action} ${type} ${name} ${partition}` : `${action} ${type} ${name}`);
      return decision(permits(world, action, type, name, partition));
    },
    decideAny(action, type) {
      world.asked.push(`${action} any ${type}`);
      return decision([...world.permitted].some((question) => question.startsWith(`${action} ${type} `)));
    },
    permits: (action, type, name, partition) => permits(world, action, type, name, partition),
    refuse: (code) => void world.refusals.push(code),
    durable: () => null,
    recorder: {
      record: (_, { payload, ...item }) =>
        void world.items.push({ ...item, payload: payload === null ? null : Buffer.from(payload) }),
      digest: (_, parts) => createHash('sha256').update(Buffer.concat(parts)).digest(),
      durable: () => null,
      close() {},
    },
    account: ({ action, topic, partition, firstOffset, lastOffset, records }) =>
      void world.flows.push(`${action} ${topic} ${partition} ${firstOffset}-${lastOffset} ${records}`),
  };
  return session as GateSession;
}

function clusterOf(world: World): ClusterView {
  const { known } = world;
  const view: Partial<ClusterView> = {
    topicName: (id) => known.get(id),
    learnTopic: (id, name) => void known.set(id, name),
    learnBrokers: (brokers) =>
      void world.learned.push(...brokers.map(({ nodeId, host, port }) => ({ nodeId, host, port }))),
    async resolveTopics(ids) {
      const unresolved = new Set<string>();
      for (const id of ids) {
        const name = world.topics.get(id);
        if (name === undefined) unresolved.add(id);
        else known.set(id, name);
      }
      return await Promise.resolve(unresolved);
    },
    async missingTopics(names) {
      const existing = new Set(world.topics.values());
      return await Promise.resolve(new Set(names.filter((name) => !existing.has(name))));
    },
    nodeIds: () => [1],
    async own() {
      const value = String(world.autoCreation ?? true);
      const answer = { results: [{ configs: [{ name: 'auto.create.topics.enable', value }] }] };
      return await Promise.resolve({
        request: async () => await Promise.resolve(answer),
      } as unknown as UpstreamConnection);
    },
    allTopics: async () => await Promise.resolve([...world.topics].map(([topicId, name]) => ({ name, topicId }))),
  };
  return view as ClusterView;
}
