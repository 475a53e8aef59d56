/** One hostile connection after the other. Which one does what follows from the seed and its number alone. */
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { addressesOf } from '../../../harness/scene.ts';
import {
  type ApiName,
  FrameReader,
  apiByKey,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  errorName,
} from '../../../src/ports/kafka/protocol/protocol.ts';
import { Attack } from './mutations.ts';
import type { Seeds } from './seeds.ts';
import type { Score } from './score.ts';

const burstsMax = 14;
const framesPerBurstMax = 16;
/** How long a burst's answers are waited for; long polls and rebalances take longer, and are left behind. */
const burstMs = 150;
const doorApis: readonly ApiName[] = ['ApiVersions', 'SaslHandshake', 'SaslAuthenticate'];

export interface Target {
  readonly address: string;
  readonly token: string;
  readonly seeds: Seeds;
  readonly seed: number;
  readonly score: Score;
}

/** @param index of the connection, from 0 */
export async function attack(target: Target, index: number): Promise<void> {
  const random = new Attack((target.seed ^ Math.imul(index + 1, 0x9e37_79b1)) >>> 0);
  const peer = await Peer.open(target, random);
  if (peer === null) return;
  try {
    await courses[courseOf(random)](peer);
  } finally {
    peer.leave();
  }
}

type Course =
  | 'before authentication'
  | 'at the door'
  | 'in the middle of authentication'
  | 'forged credential'
  | 'few rights';

function courseOf(random: Attack): Course {
  const roll = random.random.next(100);
  if (roll < 10) return 'before authentication';
  if (roll < 20) return 'at the door';
  if (roll < 23) return 'in the middle of authentication';
  return roll < 26 ? 'forged credential' : 'few rights';
}

const courses: Readonly<Record<Course, (peer: Peer) => Promise<void>>> = {
  'before authentication': async (peer) => peer.storm('before authentication'),
  'at the door': async (peer) => peer.storm('at the door', doorApis),
  async 'in the middle of authentication'(peer) {
    peer.write(request('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' }));
    await peer.storm('in the middle of authentication');
  },
  async 'forged credential'(peer) {
    const token = peer.random.random.mutate(Buffer.from(`n,,\x01auth=Bearer ${peer.token}\x01\x01`));
    peer.write(request('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' }));
    peer.write(request('SaslAuthenticate', 2, { authBytes: token }));
    await peer.storm('forged credential');
  },
  async 'few rights'(peer) {
    peer.write(request('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' }));
    peer.write(request('SaslAuthenticate', 2, { authBytes: Buffer.from(`n,,\x01auth=Bearer ${peer.token}\x01\x01`) }));
    await peer.answers(2, 5_000);
    await peer.storm('few rights');
  },
};

function request<N extends ApiName>(api: N, version: number, message: Parameters<typeof encodeRequest<N>>[3]): Buffer {
  return encodeRequest(api, version, { correlationId: 0, clientId: 'mallory' }, message);
}

interface Pending {
  readonly correlationId: number;
  readonly api: ApiName;
  readonly version: number;
}

class Peer {
  readonly random: Attack;
  readonly token: string;
  readonly #target: Target;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(0x7fff_ffff);
  readonly #pending: Pending[] = [];
  /** Ids on this connection so far: an answer to one that came twice could be to either. */
  readonly #ids = new Map<number, number>();
  /** A frame lied about its size: from there on nobody can say what the other end takes for a request. */
  #derailed = false;
  #answers = 0;
  #closed = false;
  #left = false;
  #correlationId = 100;
  #changed: () => void = () => {};

  private constructor(target: Target, random: Attack, socket: Socket) {
    this.#target = target;
    this.random = random;
    this.token = target.token;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      for (let payload = this.#frames.next(); payload !== null; payload = this.#frames.next()) this.#take(payload);
      this.#changed();
    });
    socket.on('close', () => {
      this.#closed = true;
      if (!this.#left) target.score.closedByGateway += 1;
      this.#changed();
    });
  }

  static async open(target: Target, random: Attack): Promise<Peer | null> {
    const [address] = addressesOf(target.address);
    if (address === undefined) throw new Error('the gateway has no address');
    const socket = connect(address);
    try {
      await once(socket, 'connect');
    } catch {
      target.score.notConnected += 1;
      return null;
    }
    target.score.connections += 1;
    return new Peer(target, random, socket);
  }

  write(bytes: Buffer): void {
    if (this.#closed) return;
    this.#socket.write(bytes);
    this.#target.score.bytes += bytes.length;
  }

  /** Pipelined damaged requests until the other end has had enough, or the course is over. */
  async storm(course: string, only?: readonly ApiName[]): Promise<void> {
    const { score } = this.#target;
    score.count('courses', course);
    for (let burst = this.random.random.next(burstsMax) + 1; burst > 0 && !this.#closed; burst -= 1) {
      const frames = Array.from({ length: 1 + this.random.random.next(framesPerBurstMax) }, () => this.#frame(only));
      const before = this.#answers;
      this.write(Buffer.concat(frames));
      score.frames += frames.length;
      await this.answers(before + this.#pending.length, burstMs);
    }
  }

  /** Waits for so many answers in all, the end of the connection, or the time. */
  async answers(count: number, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!this.#closed && this.#answers < count) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  leave(): void {
    this.#left = true;
    if (this.random.once(2)) this.#socket.destroy();
    else {
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), 500).unref();
    }
  }

  #frame(only: readonly ApiName[] | undefined): Buffer {
    const { seeds, score } = this.#target;
    this.#correlationId += 1;
    const { api, payload } = seeds.aimed(this.random, this.#correlationId, only);
    const { frame, names } = this.random.damage(api, payload, seeds.any(this.random));
    for (const name of names) score.count('mutations', name);
    this.#expect(frame);
    return frame;
  }

  /** Notes what the other end must take the frame for. */
  #expect(frame: Buffer): void {
    if (this.#derailed) return;
    if (frame.readInt32BE(0) !== frame.length - 4) {
      this.#derailed = true;
      return;
    }
    try {
      const { apiKey, apiVersion, correlationId } = decodeRequestHeader(frame.subarray(4));
      const api = apiByKey(apiKey)?.name;
      if (api === undefined) return;
      this.#ids.set(correlationId, (this.#ids.get(correlationId) ?? 0) + 1);
      this.#pending.push({ correlationId, api, version: apiVersion });
    } catch {
      // No request: it closes the connection.
    }
  }

  #take(payload: Buffer): void {
    const { score } = this.#target;
    this.#answers += 1;
    score.answers += 1;
    if (this.#derailed || payload.length < 4) return;
    const correlationId = payload.readInt32BE(0);
    if (correlationId === 0) return;
    const at = this.#pending.findIndex((one) => one.correlationId === correlationId);
    const pending = this.#pending[at];
    if (pending === undefined) {
      score.count('oddities', 'an answer that was not asked for');
      return;
    }
    // Those before it have no answer (Produce with acks=0).
    this.#pending.splice(0, at + 1);
    if (this.#ids.get(correlationId) === 1) this.#read(pending, payload);
  }

  #read({ api, version }: Pending, payload: Buffer): void {
    const { score } = this.#target;
    try {
      const { message } = decodeResponse(api, this.#answeredVersion(api, version), payload);
      const codes = new Set<number>();
      collectCodes(message, codes);
      if (codes.size === 0) codes.add(0);
      for (const code of codes) score.count('codes', errorName(code));
    } catch (error) {
      score.count('oddities', `an answer to ${api} v${version} that cannot be read: ${String(error).slice(0, 120)}`);
    }
  }

  /** KIP-511: of an unknown version of ApiVersions comes version 0. */
  #answeredVersion(api: ApiName, version: number): number {
    return api === 'ApiVersions' && (version < 0 || version > 4) ? 0 : version;
  }
}

function collectCodes(value: unknown, codes: Set<number>): void {
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return;
  if (Array.isArray(value)) {
    for (const element of value) collectCodes(element, codes);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (/errorCode$/i.test(key) && typeof inner === 'number') codes.add(inner);
    else collectCodes(inner, codes);
  }
}
