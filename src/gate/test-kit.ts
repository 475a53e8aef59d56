/** A gate on a real audit log in a temporary folder, with time turned by the test. For tests only. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import type { TestContext } from 'node:test';
import { codeOf, entryProblem, openAuditLog } from '../audit/audit.ts';
import type { AuditLog } from '../audit/audit.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Decision, RuleRef } from '../model/decision.ts';
import type { Entry } from '../model/entry.ts';
import type { JsonObject, JsonValue } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { ClientFacts } from '../model/session.ts';
import type { PolicySet } from '../policy/policy.ts';
import { createGate } from './gate.ts';
import type { GateObserver, GateSession, RunningGate } from './gate.ts';
import type { SessionBounds } from './sessions.ts';
import { sessionBounds } from './sessions.ts';

const startMs = Date.parse('2026-03-12T08:00:00.000Z');
const windowMs = 5_000;

export const alice: Principal = {
  kind: 'user',
  id: 'alice',
  issuer: 'corp',
  groups: ['payments-eng'],
  claims: { mfa: true },
  expiresAtMs: startMs + 3_600_000,
  credential: { type: 'jwt', id: 'jti-1' },
};

export const laptop: ClientFacts = {
  port: 'orders',
  address: '10.0.0.7',
  addressPort: 50_001,
  clientId: 'console-consumer',
  softwareName: 'apache-kafka-java',
  softwareVersion: '4.2.0',
  mechanism: 'OAUTHBEARER',
  tls: true,
};

/** Permits what is listed as `action type name`, by rule number of its place in the list. */
export function policy(revision: string, permitted: readonly string[]): PolicySet {
  const permits = permitted.map((_, index): Decision => {
    const rule: RuleRef = { policy: 'readers', effect: 'allow', index, source: `readers.yaml:${index + 1}` };
    return Object.freeze({ effect: 'permit', reason: 'allowed', rule, revision });
  });
  const deny: Decision = Object.freeze({ effect: 'deny', reason: 'no-matching-rule', rule: null, revision });
  return {
    revision,
    policies: ['readers'],
    accessFor: () => ({
      revision,
      decide: (action, type, name) => permits[permitted.indexOf(`${action} ${type} ${name}`)] ?? deny,
      decideAny: (action, type) =>
        permits[permitted.findIndex((line) => line.startsWith(`${action} ${type} `))] ?? deny,
      settled: () => true,
      stretch: () => permits,
    }),
  };
}

export const readers: PolicySet = policy('r1', [
  'read topic payments',
  'describe topic payments',
  'read group billing',
  'write topic payments',
]);

export interface Bench {
  readonly gate: RunningGate;
  readonly log: AuditLog;
  policies: PolicySet | null;
  /** How far the gate's clock is off from the timers'. */
  skewMs: number;
  /** Every entry on disk so far, each checked against its schema. */
  entries(): Promise<Entry[]>;
  codes(): Promise<string[]>;
  pass(ms: number): void;
}

export async function bench(
  t: TestContext,
  bounds: SessionBounds = sessionBounds,
  observer?: GateObserver,
): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-gate-'));
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: startMs });
  const made: { policies: PolicySet | null; skewMs: number } = { policies: readers, skewMs: 0 };
  const clock = { nowMs: (): number => Date.now() + made.skewMs };
  const log = await openAuditLog({
    directory,
    mode: 'strict',
    gatewayId: 'gw',
    clock,
    logger: silentLogger,
  });
  const options = { audit: log, mode: 'strict', windowMs, clock, logger: silentLogger } as const;
  const gate = createGate(
    { ...options, policies: () => made.policies, ...(observer === undefined ? {} : { observer }) },
    bounds,
  );
  t.after(async () => {
    await gate.close();
    await log.close();
    mock.timers.reset();
    await rm(directory, { recursive: true, force: true });
  });
  const entries = async (): Promise<Entry[]> => {
    await log.durable();
    return readEntries(directory);
  };
  return Object.assign(made, {
    gate,
    log,
    entries,
    codes: async () => (await entries()).map(codeOf),
    pass: (ms: number) => mock.timers.tick(ms),
  });
}

async function readEntries(directory: string): Promise<Entry[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  const entries = texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as Entry);
  for (const entry of entries) assert.equal(entryProblem(entry), null);
  return entries;
}

export function field(data: JsonObject, ...path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = data;
  for (const name of path)
    value =
      typeof value === 'object' && value !== null ? (Reflect.get(value, name) as JsonValue | undefined) : undefined;
  return value;
}

export function read(session: GateSession, partition: number, first: bigint, last: bigint): void {
  session.account({
    action: 'read',
    topic: 'payments',
    partition,
    firstOffset: first,
    lastOffset: last,
    records: Number(last - first) + 1,
    bytes: 10 * (Number(last - first) + 1),
  });
}
