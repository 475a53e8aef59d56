/**
 * A month of a gateway's audit log, written by the gate and the log themselves under a clock that runs ahead: jobs and
 * people come, read and write on, are turned away now and then, and go. `payments` is slow, so that its record 4711 is
 * some twelve days old; the other topics are busy.
 */
import { mock } from 'node:test';
import { openAuditLog } from '../../../src/audit/audit.ts';
import type { AuditLog } from '../../../src/audit/audit.ts';
import { createGate } from '../../../src/gate/gate.ts';
import type { GateSession, RunningGate } from '../../../src/gate/gate.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Decision } from '../../../src/model/decision.ts';
import type { Principal } from '../../../src/model/principal.ts';
import type { ClientFacts } from '../../../src/model/session.ts';
import type { PolicySet } from '../../../src/policy/policy.ts';

export interface MonthOptions {
  readonly directory: string;
  readonly keyFile: string;
  readonly startMs: number;
  readonly days: number;
  /** The month ends early where so many entries are written. */
  readonly entriesMax: number;
}

const windowMs = 60_000;
const clients = 104;
const topics = 120;
const partitions = 12;
/** Minutes that a client stays, at the least and beyond that at random. */
const stayMinutes = 120;
const paymentsRecordsPerMinute = 0.28;
const busyRecordsPerMinute = 9_000;

/** The same month every time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

const rule = { policy: 'payments-readers', effect: 'allow', index: 0, source: 'payments.yaml:12' } as const;
const permit: Decision = { effect: 'permit', reason: 'allowed', rule, revision: '5f0c2d1b' };
const deny: Decision = { effect: 'deny', reason: 'no-matching-rule', rule: null, revision: '5f0c2d1b' };
const decide = (_action: string, _type: string, name: string): Decision => (name.endsWith('.secrets') ? deny : permit);
const access = { revision: '5f0c2d1b', decide, decideAny: () => permit, settled: () => true, stretch: () => permit };
const policies: PolicySet = { revision: '5f0c2d1b', policies: ['payments-readers'], accessFor: () => access };

function principalOf(client: number): Principal {
  const person = client % 4 === 0;
  const id = person ? `person-${client}@acme.example` : `acme/pipeline-${client}/step-${client % 7}`;
  return {
    kind: person ? 'user' : 'job',
    id,
    issuer: person ? 'corp' : 'buildkite',
    groups: [`team-${client % 9}`, 'payments-eng'].slice(0, 1 + (client % 2)),
    claims: {},
    expiresAtMs: null,
    credential: { type: 'jwt', id: `jti-${client}` },
  };
}

function clientOf(client: number): ClientFacts {
  return {
    port: 'orders',
    address: `10.0.${client % 6}.${10 + client}`,
    addressPort: 50_000,
    clientId: `client-${client}`,
    softwareName: client % 3 === 0 ? 'librdkafka' : 'apache-kafka-java',
    softwareVersion: client % 3 === 0 ? '2.11.0' : '4.2.0',
    mechanism: 'OAUTHBEARER',
    tls: true,
  };
}

/** One client's presence: what it works on, and how far it has read. */
class Visit {
  readonly session: GateSession;
  readonly untilMs: number;
  readonly #writes: boolean;
  readonly #flows: { readonly topic: string; readonly partition: number; next: bigint }[];

  constructor(session: GateSession, nowMs: number, ends: Ends, random: () => number) {
    this.session = session;
    this.untilMs = nowMs + (1 + random()) * stayMinutes * 60_000;
    this.#writes = random() < 0.3;
    const count = 1 + Math.floor(random() * 4);
    this.#flows = Array.from({ length: count }, (_, index) => {
      const topic = index === 0 && random() < 0.15 ? 'payments' : `orders.region-${Math.floor(random() * topics)}`;
      const partition = Math.floor(random() * partitions);
      const end = ends.of(topic, partition, nowMs);
      // Most go on at the end; a few read what has piled up.
      return { topic, partition, next: random() < 0.1 ? (end * 9n) / 10n : end };
    });
    const action = this.#writes ? 'write' : 'read';
    for (const { topic } of this.#flows)
      session.decide(action, 'topic', topic, -1, this.#writes ? 'Produce v13' : 'Fetch v17');
  }

  minute(nowMs: number, ends: Ends, random: () => number): void {
    for (const flow of this.#flows) {
      const end = ends.of(flow.topic, flow.partition, nowMs);
      if (flow.next >= end) continue;
      const records = Number(end - flow.next);
      this.session.account({
        action: this.#writes ? 'write' : 'read',
        topic: flow.topic,
        partition: flow.partition,
        firstOffset: flow.next,
        lastOffset: end - 1n,
        records,
        bytes: records * 412,
      });
      flow.next = end;
    }
    if (random() < 0.01) this.session.decide('read', 'topic', 'payments.secrets', 0, 'Fetch v17');
  }
}

/** Where each partition's end is: it moves with time. */
class Ends {
  readonly #startMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  of(topic: string, partition: number, nowMs: number): bigint {
    const perMinute = topic === 'payments' ? paymentsRecordsPerMinute : busyRecordsPerMinute;
    return BigInt(Math.floor(((nowMs - this.#startMs) / 60_000) * perMinute * (1 + partition / 100)));
  }
}

/** @returns entries written */
export async function writeMonth(options: MonthOptions, onProgress: (share: number) => void): Promise<number> {
  let nowMs = options.startMs;
  const clock = { nowMs: () => nowMs };
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const checkpoint = { everyMs: 3_600_000, entries: 1_000_000, keyFile: options.keyFile };
    const base = { directory: options.directory, mode: 'strict', gatewayId: 'gw-1', clock } as const;
    const log = await openAuditLog({ ...base, logger: silentLogger, checkpoint });
    const settings = { policies: () => policies, audit: log, mode: 'strict', windowMs } as const;
    const gate = createGate({ ...settings, clock, logger: silentLogger });
    const random = randomFrom(4_711);
    const world = { gate, log, ends: new Ends(options.startMs), random, visits: new Map<number, Visit>() };
    const endMs = options.startMs + options.days * 86_400_000;
    while (nowMs < endMs && log.status().entries < options.entriesMax) {
      nowMs += windowMs;
      await minute(world, nowMs);
      if (nowMs % 3_600_000 === 0) onProgress((nowMs - options.startMs) / (endMs - options.startMs));
    }
    await gate.close();
    await log.close();
    return log.status().entries;
  } finally {
    mock.timers.reset();
  }
}

interface World {
  readonly gate: RunningGate;
  readonly log: AuditLog;
  readonly ends: Ends;
  readonly random: () => number;
  readonly visits: Map<number, Visit>;
}

async function minute({ gate, log, ends, random, visits }: World, nowMs: number): Promise<void> {
  for (let client = 0; client < clients; client += 1) {
    const visit = visits.get(client);
    if (visit === undefined && random() < 0.1) {
      const session = await gate.join(principalOf(client), clientOf(client));
      visits.set(client, new Visit(session, nowMs, ends, random));
    } else if (visit !== undefined && visit.untilMs <= nowMs) {
      visit.session.leave('the client closed the connection');
      visits.delete(client);
    } else visit?.minute(nowMs, ends, random);
  }
  if (random() < 0.05) {
    const claimed = { claimedId: `person-${Math.floor(random() * 50)}@acme.example`, claimedIssuer: 'corp' };
    gate.authenticationFailed({ code: 'expired', detail: 'the token expired', ...claimed }, clientOf(1));
  }
  // The gate looks after its windows four times a second.
  mock.timers.tick(250);
  if (log.status().backlogged) await log.durable();
  else await new Promise((resolve) => setImmediate(resolve));
}
