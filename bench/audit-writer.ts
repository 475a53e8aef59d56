/**
 * What auditing costs, unsigned and signed (Merkle tree, a checkpoint every second): CPU microseconds of the whole process per entry (build, canonical JSON, queue, write, fsync) with
 * many writers and with one at a time, the time until an entry is on disk, and nanoseconds per operation on a flow that is
 * known already, which writes nothing.
 *
 *   sh scripts/node.sh bench/audit-writer.ts [FOLDER]     FOLDER: on the disk to be measured; default the temporary folder
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuditLog } from '../src/audit/audit.ts';
import type { AuditLog } from '../src/audit/audit.ts';
import { createGate } from '../src/gate/gate.ts';
import type { GateSession, RunningGate } from '../src/gate/gate.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/logger.ts';
import type { Principal } from '../src/model/principal.ts';
import type { ClientFacts } from '../src/model/session.ts';
import { policies } from './load/permit-all.ts';

const credential = { type: 'jwt', id: 'jti-1' } as const;
const principal: Principal = {
  kind: 'job',
  id: 'acme/settle',
  issuer: 'buildkite',
  groups: ['payments-eng', 'batch'],
  claims: {},
  expiresAtMs: null,
  credential,
};
const client: ClientFacts = {
  port: 'orders',
  address: '10.0.0.7',
  addressPort: 50_000,
  clientId: 'settle',
  softwareName: 'apache-kafka-java',
  softwareVersion: '4.2.0',
  mechanism: 'OAUTHBEARER',
  tls: true,
};

const parent = process.argv[2] ?? tmpdir();
console.log(`audit log in ${parent}, Node ${process.version}`);
for (const signed of [false, true]) {
  const how = signed ? 'signed' : 'unsigned';
  await report(`${how}: flow.opened, 64 writers`, signed, (session) => opened(session, 64, 60_000));
  await report(`${how}: flow.opened, 1 writer`, signed, (session) => opened(session, 1, 2_000));
  await report(`${how}: flow.window`, signed, windows);
}
await hotPath();

async function withGate<Result>(
  signed: boolean,
  work: (session: GateSession, gate: RunningGate, log: AuditLog) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(parent, 'sluice-bench-'));
  const log = await openAuditLog({
    directory,
    mode: 'strict',
    gatewayId: 'bench',
    clock: systemClock,
    logger: silentLogger,
    ...(signed && { checkpoint: { everyMs: 1_000, entries: 1_000, keyFile: join(directory, 'key') } }),
  });
  const gate = createGate({
    policies: () => policies,
    audit: log,
    mode: 'strict',
    windowMs: 3_600_000,
    clock: systemClock,
    logger: silentLogger,
  });
  try {
    return await work(await gate.join(principal, client), gate, log);
  } finally {
    await gate.close();
    await log.close();
    await rm(directory, { recursive: true });
  }
}

async function report(
  name: string,
  signed: boolean,
  work: (session: GateSession, gate: RunningGate) => Promise<readonly number[]>,
): Promise<void> {
  await withGate(signed, async (session, gate, log) => {
    const before = log.status().entries;
    const startMs = performance.now();
    const cpu = process.cpuUsage();
    const waitsMs = (await work(session, gate)).toSorted((a, b) => a - b);
    const { user, system } = process.cpuUsage(cpu);
    const entries = log.status().entries - before;
    const rate = entries / ((performance.now() - startMs) / 1_000);
    const waits = waitsMs.length === 0 ? '' : `, on disk after p50 ${at(waitsMs, 0.5)} ms, p99 ${at(waitsMs, 0.99)} ms`;
    console.log(
      `${name}: ${((user + system) / entries).toFixed(1)} µs CPU per entry, ${Math.round(rate)} entries/s${waits}`,
    );
  });
}

/** First uses of different flows, each waited for, by writers that go on as soon as theirs is on disk. */
async function opened(session: GateSession, writers: number, entries: number): Promise<number[]> {
  const waitsMs: number[] = [];
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < entries) {
      next += 1;
      const startMs = performance.now();
      session.decide('read', 'topic', `topic-${next}`, 0, 'Fetch v17');
      await session.durable();
      waitsMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  return waitsMs;
}

/** Windows of many partitions, written out when there is no room for more. */
async function windows(session: GateSession): Promise<number[]> {
  for (let partition = 0; partition < 50_000; partition += 1) {
    session.account({
      action: 'read',
      topic: 'payments',
      partition,
      firstOffset: 1_000n,
      lastOffset: 1_999n,
      records: 1_000,
      bytes: 100_000,
    });
    if (partition % 1_000 === 999) await new Promise((resolve) => setImmediate(resolve));
  }
  return [];
}

/** What every fetch costs once its flow is known: a decision, nothing to wait for, an account. */
async function hotPath(): Promise<void> {
  await withGate(true, async (session) => {
    const operations = 2_000_000;
    session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
    await session.durable();
    const flow = { action: 'read', topic: 'payments', partition: 0, records: 100, bytes: 10_000 } as const;
    for (const measured of [false, true]) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < operations; i += 1) {
        session.decide('read', 'topic', 'payments', 0, 'Fetch v17');
        if (session.durable() !== null) throw new Error('a known flow has to wait');
      }
      const decided = process.hrtime.bigint();
      for (let i = 0n; i < BigInt(operations); i += 1n) {
        session.account({ ...flow, firstOffset: i * 100n, lastOffset: i * 100n + 99n });
      }
      const accounted = process.hrtime.bigint();
      if (!measured) continue;
      console.log(
        `known flow: decide and durable ${perOperation(decided - start, operations)} ns, account ${perOperation(accounted - decided, operations)} ns`,
      );
    }
  });
}

function perOperation(elapsedNs: bigint, operations: number): string {
  return (Number(elapsedNs) / operations).toFixed(0);
}

function at(sorted: readonly number[], quantile: number): string {
  return (sorted[Math.floor(sorted.length * quantile)] ?? 0).toFixed(2);
}
