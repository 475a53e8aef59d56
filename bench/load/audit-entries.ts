/**
 * Writes entries as fast as they can be made and prints one line of JSON: how many, how many bytes, and the CPU time of
 * the whole process for each. Entries are windows of flow, made by the gate, signed, in strict mode.
 *
 *   sh scripts/node.sh bench/load/audit-entries.ts FOLDER ENTRIES
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openAuditLog } from '../../src/audit/audit.ts';
import { createGate } from '../../src/gate/gate.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { policies } from './permit-all.ts';

const [, , directory = '', wanted = '300000'] = process.argv;
const total = Number(wanted);
const settings = { mode: 'strict', clock: systemClock, logger: silentLogger } as const;
const checkpoint = { everyMs: 1_000, entries: 1_000, keyFile: `${directory}.key` };
const log = await openAuditLog({ ...settings, directory, gatewayId: 'bench', checkpoint });
const gate = createGate({ ...settings, policies: () => policies, audit: log, windowMs: 3_600_000 });
const credential = { type: 'jwt', id: 'jti-1' } as const;
const groups = ['payments-eng', 'batch'];
const session = await gate.join(
  { kind: 'job', id: 'acme/settle', issuer: 'buildkite', groups, claims: {}, expiresAtMs: null, credential },
  {
    port: 'orders',
    address: '10.0.0.7',
    addressPort: 50_000,
    clientId: 'settle',
    softwareName: 'apache-kafka-java',
    softwareVersion: '4.2.0',
    mechanism: 'OAUTHBEARER',
    tls: true,
  },
);

/** Each of another partition, so that each becomes an entry. */
async function write(entries: number): Promise<void> {
  for (let partition = 0; partition < entries; partition += 1) {
    session.account({
      action: 'read',
      topic: 'payments',
      partition,
      firstOffset: 1_000n,
      lastOffset: 1_999n,
      records: 1_000,
      bytes: 100_000,
    });
    if (partition % 1_000 === 999) await (log.status().backlogged ? log.durable() : new Promise(setImmediate));
  }
  await log.durable();
}

await write(total / 5);
const before = log.status().entries;
const startMs = performance.now();
const cpu = process.cpuUsage();
await write(total);
const { user, system } = process.cpuUsage(cpu);
const entries = log.status().entries - before;
const seconds = (performance.now() - startMs) / 1_000;
await gate.close();
await log.close();
const segments = (await readdir(directory)).filter((name) => name.endsWith('.jsonl'));
const sizes = await Promise.all(segments.map(async (name) => (await stat(join(directory, name))).size));
const bytes = sizes.reduce((sum, size) => sum + size, 0);
const cpuUs = (user + system) / entries;
console.log(JSON.stringify({ entries, seconds, cpuUs, bytesPerEntry: bytes / log.status().entries }));
