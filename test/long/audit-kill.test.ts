/**
 * kill -9 at random moments under load, two hundred times over one log: whatever was acknowledged is there, the log is
 * intact after every kill, and nothing is missing that the gateway itself does not report.
 *
 * SLUICE_LONG_BUDGET=short does it ten times.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { VerifierKey, auditEvent, openAuditLog, parseCheckpoint, verifyLog } from '../../src/audit/audit.ts';
import type { AuditLog, Checkpoint } from '../../src/audit/audit.ts';
import { createGate } from '../../src/gate/gate.ts';
import type { GateSession, RunningGate } from '../../src/gate/gate.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Decision } from '../../src/model/decision.ts';
import type { PolicySet } from '../../src/policy/policy.ts';

const rounds = process.env['SLUICE_LONG_BUDGET'] === 'short' ? 10 : 200;
const childFlag = '--write-until-killed';
const policies: PolicySet = (() => {
  const rule = { policy: 'readers', effect: 'allow', index: 0, source: 'a.yaml:1' } as const;
  const permit: Decision = { effect: 'permit', reason: 'allowed', rule, revision: 'r' };
  const access = {
    revision: 'r',
    decide: () => permit,
    decideAny: () => permit,
    settled: () => true,
    stretch: () => permit,
  };
  return { revision: 'r', policies: ['readers'], accessFor: () => access };
})();

function open(folder: string): Promise<AuditLog> {
  const checkpoint = { everyMs: 1_000, entries: 50, keyFile: join(folder, 'audit-key') };
  const base = { directory: join(folder, 'audit'), mode: 'strict', gatewayId: 'gw', clock: systemClock } as const;
  return openAuditLog({ ...base, logger: silentLogger, checkpoint }, undefined, { segmentBytesMax: 100_000 });
}

/** Sessions that come and go, flows in them, and entries whose ids are told once they are on disk. */
async function writeUntilKilled(folder: string): Promise<never> {
  const log = await open(folder);
  const settings = { policies: () => policies, audit: log, mode: 'strict', windowMs: 200 } as const;
  const gate = createGate({ ...settings, clock: systemClock, logger: silentLogger });
  const acknowledge = async (): Promise<never> => {
    for (;;) {
      const id = log.append(auditEvent('gateway.stopped', { reason: 'x'.repeat(200) }));
      await log.durable();
      process.stdout.write(`${id}\n`);
    }
  };
  return Promise.race([
    ...Array.from({ length: 5 }, acknowledge),
    ...Array.from({ length: 3 }, (_, n) => sessions(gate, n)),
  ]);
}

async function sessions(gate: RunningGate, client: number): Promise<never> {
  for (let round = 0; ; round += 1) {
    const credential = { type: 'jwt', id: `jti-${client}-${round}` } as const;
    const session: GateSession = await gate.join(
      { kind: 'job', id: `job-${client}`, issuer: 'corp', groups: [], claims: {}, expiresAtMs: null, credential },
      {
        port: 'orders',
        address: '10.0.0.7',
        addressPort: 50_000,
        clientId: `client-${client}`,
        softwareName: 's',
        softwareVersion: '1',
        mechanism: 'OAUTHBEARER',
        tls: true,
      },
    );
    for (let i = 0n; i < 20n; i += 1n) {
      session.decide('read', 'topic', `topic-${i}`, 0, 'Fetch v17');
      await session.durable();
      session.account({
        action: 'read',
        topic: `topic-${i}`,
        partition: 0,
        firstOffset: i,
        lastOffset: i + 9n,
        records: 10,
        bytes: 99,
      });
    }
  }
}

/** The ids that a child acknowledged until it was killed, `afterMs` after it began to write or to start. */
async function runAndKill(folder: string, afterMs: number, whileStarting: boolean): Promise<string[]> {
  const child = spawn(process.execPath, [import.meta.filename, childFlag, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    begun.resolve();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  if (!whileStarting) await Promise.race([begun.promise, ended]);
  await sleep(afterMs);
  child.kill('SIGKILL');
  await ended;
  // The last line may be cut; the entry it stood for need not be there.
  return output.split('\n').slice(0, -1);
}

async function pinnedKey(folder: string): Promise<VerifierKey | null> {
  const text = await readFile(join(folder, 'audit', 'checkpoints', 'log.vkey'), 'utf8').catch(() => null);
  return text === null ? null : VerifierKey.parse(text.trimEnd());
}

async function idsIn(folder: string): Promise<Set<string>> {
  const names = (await readdir(join(folder, 'audit'))).filter((name) => name.endsWith('.jsonl'));
  const ids = new Set<string>();
  for (const name of names) {
    const text = await readFile(join(folder, 'audit', name), 'utf8');
    for (const [, id = ''] of text.matchAll(/"id":"([^"]+)","source":/g)) ids.add(id);
  }
  return ids;
}

async function killRepeatedly(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kill-'));
  const acknowledged: string[] = [];
  let key: VerifierKey | null = null;
  let known: Checkpoint | null = null;
  let interrupted = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      const whileStarting = round % 4 === 3;
      acknowledged.push(
        ...(await runAndKill(folder, whileStarting ? Math.random() * 500 : Math.random() * 120, whileStarting)),
      );
      key ??= await pinnedKey(folder);
      // Each verification reads the whole log.
      if (key === null || (round >= 20 && round % 10 !== 0)) continue;
      const report = await verifyLog(join(folder, 'audit'), { keys: [key], known });
      const findings = JSON.stringify(report.findings.filter(({ reported }) => !reported));
      // Killed between writing its key and signing its first checkpoint, a log has nothing yet that proves it.
      const expected: string = report.checkpoints === 0 && known === null ? 'unproved' : 'intact';
      assert.equal(report.integrity, expected, `round ${round}: ${findings}`);
      assert.notEqual(report.completeness, 'incomplete', `round ${round}: ${findings}`);
      interrupted = report.findingsTotal;
      known = report.keep === null ? known : parseCheckpoint(report.keep);
    }
    await (await open(folder)).close();
    const report = await verifyLog(join(folder, 'audit'), { keys: key === null ? [] : [key], known });
    assert.deepEqual([report.integrity, report.completeness, report.unsigned], ['intact', 'gaps-reported', 0]);
    assert.ok(report.findings.every(({ reported, code }) => reported && code === 'interrupted'));
    assert.ok(
      report.findingsTotal >= interrupted && report.findingsTotal >= rounds / 2,
      `${report.findingsTotal} interruptions told`,
    );
    const ids = await idsIn(folder);
    assert.ok(acknowledged.length > rounds * 5, `${acknowledged.length} acknowledged`);
    assert.deepEqual(
      acknowledged.filter((id) => !ids.has(id)),
      [],
    );
    console.log(
      `${rounds} kills, ${report.entries} entries in ${report.segments} segments, ${report.checkpoints} checkpoints, ${acknowledged.length} acknowledged, ${report.findingsTotal} interruptions reported`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === childFlag) await writeUntilKilled(process.argv[3] ?? '');
else test('kill -9 leaves no hole that the log does not tell of', killRepeatedly);
