/**
 * Long random runs of a client with a session, through the gateway to a broker without rules and beside it to a broker
 * that enforces the rules itself. Both brokers are a model of KIP-227. Once as the bytes lie and once decoded.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchSessionDecidedMs } from '../../../lib/limits.ts';
import {
  type Draft,
  type FetchRequest,
  type FetchResponse,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../protocol/protocol.ts';
import { decideFetch, fetchVerdict } from './fetch-fast.ts';
import { fetchSessions } from './fetch-session.ts';
import { fetch } from './fetch.ts';
import type { Verdict } from './handler.ts';
import { type World, ask, exchangeOf, requestOnTheWire, worldOf } from './testing.ts';

const ids: Readonly<Record<string, string>> = {
  a: 'AAAAAAAAAAAAAAAAAAAAAQ',
  b: 'AAAAAAAAAAAAAAAAAAAAAg',
  c: 'AAAAAAAAAAAAAAAAAAAAAw',
};
const names = Object.keys(ids);
const header = { correlationId: 7, clientId: 'test' };

/** mulberry32: the same run for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface ModelSession {
  epoch: number;
  readonly partitions: Set<string>;
}

/** Answers a fetch with every partition it would look at: records, or 29 where its rules forbid. */
class ModelBroker {
  readonly sessions = new Map<number, ModelSession>();
  readonly #may: (topic: string) => boolean;
  #nextId: number;

  constructor(firstId: number, may: (topic: string) => boolean) {
    this.#nextId = firstId;
    this.#may = may;
  }

  answer(request: FetchRequest): { errorCode: number; sessionId: number; codes: Map<string, number> } {
    const named = partitionsOf(request.topics.map((topic) => [topic, topic.partitions.map((one) => one.partition)]));
    if (request.sessionEpoch === 0 || request.sessionEpoch === -1) {
      this.sessions.delete(request.sessionId);
      if (request.sessionEpoch === -1) return this.#of(0, new Set(named));
      this.#nextId += 1;
      this.sessions.set(this.#nextId, { epoch: 1, partitions: new Set(named) });
      return this.#of(this.#nextId, new Set(named));
    }
    const session = this.sessions.get(request.sessionId);
    if (session === undefined) return { errorCode: 70, sessionId: 0, codes: new Map() };
    if (session.epoch !== request.sessionEpoch) return { errorCode: 71, sessionId: 0, codes: new Map() };
    for (const one of named) session.partitions.add(one);
    const forgotten = request.forgottenTopicsData.map((topic) => [topic, topic.partitions] as const);
    for (const one of partitionsOf(forgotten)) session.partitions.delete(one);
    session.epoch += 1;
    if (session.partitions.size > 0) return this.#of(request.sessionId, session.partitions);
    this.sessions.delete(request.sessionId);
    return this.#of(0, new Set(named));
  }

  #of(sessionId: number, partitions: ReadonlySet<string>): ReturnType<ModelBroker['answer']> {
    const codes = new Map([...partitions].map((one) => [one, this.#may(one.split(':')[0] ?? '') ? 0 : 29]));
    return { errorCode: 0, sessionId, codes };
  }
}

type Named = readonly [topic: { readonly topic: string; readonly topicId: string }, partitions: readonly number[]];

function partitionsOf(topics: readonly Named[]): string[] {
  return topics.flatMap(([topic, partitions]) => partitions.map((partition) => `${nameOf(topic)}:${partition}`));
}

function nameOf({ topic, topicId }: { readonly topic: string; readonly topicId: string }): string {
  return topic !== '' ? topic : (names.find((name) => ids[name] === topicId) ?? '?');
}

function responseOf(
  version: number,
  { errorCode, sessionId, codes }: ReturnType<ModelBroker['answer']>,
): Draft<FetchResponse> {
  const responses = Array.from(codes, ([one, code]) => {
    const [topic = '', index] = one.split(':');
    return {
      ...(version >= 13 ? { topicId: ids[topic] ?? '' } : { topic }),
      partitions: [{ partitionIndex: Number(index), errorCode: code, highWatermark: 10n, records: Buffer.alloc(0) }],
    };
  });
  return { errorCode, sessionId, responses };
}

function codesOf(response: FetchResponse): Map<string, number> {
  return new Map(
    response.responses.flatMap((topic) =>
      topic.partitions.map(({ partitionIndex, errorCode }): [string, number] => [
        `${nameOf(topic)}:${partitionIndex}`,
        errorCode,
      ]),
    ),
  );
}

/** Through `decideFetch` where it takes the request, else through the handler. @returns null where it did not */
async function short(
  world: World,
  version: number,
  message: Draft<FetchRequest>,
): Promise<{ verdict: Verdict<'Fetch'>; sent: FetchRequest } | null> {
  const payload = encodeRequest('Fetch', version, header, message).subarray(4);
  const { headerBytes } = decodeRequestHeader(payload);
  const { request: _, ...arrival } = exchangeOf(world, 'Fetch', version, message);
  const topicOf = (key: string): string => (version >= 13 ? (arrival.cluster.topicName(key) ?? '') : key);
  const stands = (key: string, partition: number): boolean =>
    arrival.access.sees('read', 'topic', topicOf(key), partition);
  const sessions = fetchSessions(arrival.connection);
  const delivered = decideFetch(payload, headerBytes, payload.length, {
    ...arrival,
    sessions,
    stands,
    nowMs: performance.now(),
    last: null,
  });
  if (delivered === null) return null;
  const verdict = fetchVerdict(delivered);
  return await Promise.resolve({ verdict, sent: decodeRequest('Fetch', version, payload, headerBytes) });
}

class Run {
  readonly world: World;
  readonly version: number;
  readonly #shortWay: boolean;
  readonly #behind: ModelBroker;
  readonly #judge: ModelBroker;
  taken = 0;
  all = 0;

  constructor(version: number, shortWay: boolean) {
    this.version = version;
    this.#shortWay = shortWay;
    this.world = worldOf(
      names.map((name) => `read topic ${name}`),
      Object.fromEntries(names.map((name) => [ids[name] ?? '', name])),
    );
    for (const name of names) this.world.known.set(ids[name] ?? '', name);
    this.#behind = new ModelBroker(100, () => true);
    this.#judge = new ModelBroker(500, (topic) => this.world.permitted.has(`read topic ${topic}`));
  }

  /** The answer that the client gets, after it was held to what the brokers hold and would say. */
  async step(message: Draft<FetchRequest>, judgeId: number): Promise<FetchResponse & { judgeId: number }> {
    const given = requestOnTheWire('Fetch', this.version, message);
    const expected = this.#judge.answer({ ...given, sessionId: judgeId });
    const delivered = await this.#through(message);
    for (const { partitions } of this.#behind.sessions.values()) {
      for (const one of partitions) {
        assert.ok(this.world.permitted.has(`read topic ${one.split(':')[0]}`), `the broker still reads ${one}`);
      }
    }
    // What is named and forgotten at once, as no client does, a broker reads all the same where its session ends by it.
    if (delivered.errorCode === 0 && !contradicts(given)) {
      assert.deepEqual(sorted(codesOf(delivered)), sorted(expected.codes));
    }
    return { ...delivered, judgeId: expected.sessionId };
  }

  async #through(message: Draft<FetchRequest>): Promise<FetchResponse> {
    this.all += 1;
    const quick = this.#shortWay ? await short(this.world, this.version, message) : null;
    if (quick === null) {
      const outcome = await ask(this.world, fetch, this.version, message);
      if (outcome.answer !== null) return outcome.answer;
      assert.ok(outcome.forwarded);
      return await outcome.deliver(responseOf(this.version, this.#behind.answer(outcome.forwarded)));
    }
    this.taken += 1;
    const { verdict, sent } = quick;
    assert.ok(verdict.kind === 'forward' && verdict.request === undefined);
    const { version } = this;
    const answer = this.#behind.answer(sent);
    // What is large passes through a scan, which must come to the same.
    const payload = encodeResponse('Fetch', version, 7, responseOf(version, answer)).subarray(4);
    const scan = verdict.streams?.(payload.length);
    assert.ok(scan);
    scan.push(payload);
    scan.end();
    return decodeResponse('Fetch', version, payload).message;
  }
}

function contradicts({ topics, forgottenTopicsData }: FetchRequest): boolean {
  const named = partitionsOf(topics.map((topic) => [topic, topic.partitions.map((one) => one.partition)]));
  const forgotten = partitionsOf(forgottenTopicsData.map((topic) => [topic, topic.partitions]));
  return named.some((one) => forgotten.includes(one));
}

function sorted(codes: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return [...codes].toSorted(([one], [other]) => one.localeCompare(other));
}

for (const version of [7, 11, 12, 13, 18]) {
  for (const shortWay of [true, false]) {
    const way = shortWay ? 'as the bytes lie' : 'decoded';
    describe(`v${version}, ${way}`, () => {
      it('answers as a broker with the rules, and no broker holds what may not be read', async (t) => {
        let nowMs = 1_000;
        t.mock.method(performance, 'now', () => nowMs);
        const counts = { taken: 0, all: 0, anew: 0 };
        for (let seed = 1; seed <= 6; seed += 1) {
          const random = randomOf(seed * 1_000 + version);
          const run = new Run(version, shortWay);
          let session = { id: 0, judgeId: 0, epoch: 0 };
          for (let left = 60; left > 0; left -= 1) {
            if (random(6) === 0) {
              const rule = `read topic ${names[random(names.length)]}`;
              if (!run.world.permitted.delete(rule)) run.world.permitted.add(rule);
              // By another revision, or with the time.
              if (random(2) === 0) run.world.revision = `r${left}`;
              else nowMs += fetchSessionDecidedMs;
            }
            const closing = random(25) === 0;
            const epoch = closing ? -1 : session.epoch;
            const message = { sessionId: session.id, sessionEpoch: epoch, ...wanted(random, version, epoch > 0) };
            const answer = await run.step(message, session.judgeId);
            if (answer.errorCode !== 0) counts.anew += 1;
            const goesOn = answer.errorCode === 0 && answer.sessionId !== 0;
            session = goesOn
              ? { id: answer.sessionId, judgeId: answer.judgeId, epoch: epoch + 1 }
              : { id: 0, judgeId: 0, epoch: 0 };
          }
          counts.taken += run.taken;
          counts.all += run.all;
        }
        assert.ok(counts.anew > 0);
        if (shortWay) assert.ok(counts.taken > counts.all / 5, `${counts.taken} of ${counts.all} went the short way`);
      });
    });
  }
}

function wanted(random: (below: number) => number, version: number, going: boolean): Draft<FetchRequest> {
  const some = (most: number) =>
    Array.from({ length: random(most) }, () => {
      const name = names[random(names.length)] ?? 'a';
      return { ...(version >= 13 ? { topicId: ids[name] ?? '' } : { topic: name }), partition: random(3) };
    });
  return {
    topics: some(going ? 3 : 6).map(({ partition, ...topic }) => ({ ...topic, partitions: [{ partition }] })),
    forgottenTopicsData: (going ? some(3) : []).map(({ partition, ...topic }) => ({
      ...topic,
      partitions: [partition],
    })),
  };
}
