/**
 * Damaged requests, 10⁸ bytes of them, through a running gateway to a real broker: before, during and after
 * authentication, and as a principal with few rights. The gateway lives, stays small, lets nothing through, says so
 * in its log, and an honest client beside notices nothing.
 *
 * SLUICE_LONG_BUDGET=short sends a few million bytes. SLUICE_HOSTILE_BYTES says how many. SLUICE_FUZZ_SEED=n sends
 * the same again, SLUICE_HOSTILE_ONLY=i only its connection number i.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../../../src/model/entry.ts';
import { fuzzSeed } from '../../../src/ports/kafka/protocol/testing/mutation.ts';
import { metrics, refusalsIn, sum, unexpected } from './accounts.ts';
import { attack } from './attacker.ts';
import { Canary } from './canary.ts';
import { type Ground, startGround } from './ground.ts';
import { Score, listed } from './score.ts';
import { Seeds } from './seeds.ts';

const short = process.env['SLUICE_LONG_BUDGET'] === 'short';
const bytesWanted = Number(process.env['SLUICE_HOSTILE_BYTES'] ?? (short ? 4_000_000 : 100_000_000));
const only = process.env['SLUICE_HOSTILE_ONLY'];
const attackers = 16;
/** Memory beyond what the gateway takes before the attack. */
const grownBytesMax = 400_000_000;
const watchEveryMs = 500;

let ground: Ground;

before(async () => {
  ground = await startGround();
});

after(async () => {
  await ground?.stop();
});

test('nothing gets through, nothing grows, everything is told', async (t) => {
  const { gateway, idp } = ground;
  t.diagnostic(`SLUICE_FUZZ_SEED=${fuzzSeed}`);
  const victimsBefore = await ground.victims();
  const canary = new Canary(gateway.bootstrap, await idp.token('canary'));
  canary.start();
  await sleep(1_500);
  const base = { bytes: gateway.memory().residentBytes, descriptors: descriptors() };
  const score = new Score();
  const received = await storm(score);
  await told(t, score, received);
  const heard = refusalsOf('canary');
  assert.deepEqual(heard, [], 'what the canary was refused');
  t.diagnostic(`canary: ${await canary.stop()}`);
  assert.equal(gateway.exitCode(), undefined, 'the gateway lives');
  t.diagnostic(`the gateway took at most ${score.longestScrapeMs.toFixed(0)} ms to tell its metrics`);
  t.diagnostic(
    `memory: ${mb(base.bytes)} before, ${mb(gateway.memory().peakBytes)} at its peak, ${mb(gateway.memory().residentBytes)} after`,
  );
  assert.ok(gateway.memory().peakBytes < base.bytes + grownBytesMax, 'memory is bounded');
  const left = await settledDescriptors(base.descriptors);
  t.diagnostic(`file descriptors: ${base.descriptors} before, ${left} after`);
  assert.ok(left <= base.descriptors, 'no file descriptor is left behind');
  const victimsAfter = await ground.victims();
  t.diagnostic(`questions that the broker was slow to answer: ${ground.slowQuestions().join(', ') || 'none'}`);
  assert.deepEqual(victimsAfter, victimsBefore, 'what is not Mallory’s is as it was');
  await verified(t);
});

/** @returns bytes that the gateway has read */
async function storm(score: Score): Promise<number> {
  const { gateway, aims, idp } = ground;
  const target = {
    address: gateway.bootstrap,
    token: await idp.token('mallory'),
    seeds: new Seeds(aims),
    seed: fuzzSeed,
    score,
  };
  let received = 0;
  let next = 0;
  const enough = (): boolean => received >= bytesWanted || gateway.exitCode() !== undefined;
  if (only !== undefined) {
    await attack(target, Number(only));
    return bytesWanted;
  }
  const work = async (): Promise<void> => {
    while (!enough()) {
      next += 1;
      await attack(target, next - 1);
    }
  };
  const watch = async (): Promise<void> => {
    while (!enough()) {
      await sleep(watchEveryMs);
      const begun = performance.now();
      const read = await metrics(gateway.telemetry);
      score.longestScrapeMs = Math.max(score.longestScrapeMs, performance.now() - begun);
      received = read('sluice_bytes_total', 'direction').get('from-client') ?? 0;
    }
  };
  await Promise.all([watch(), ...Array.from({ length: attackers }, work)]);
  return received;
}

/** What was done and what came back; and that the log holds every refusal that the gateway counted. */
async function told(t: TestContext, score: Score, received: number): Promise<void> {
  const { gateway } = ground;
  // Folds are written a second after they began.
  await sleep(3_000);
  const read = await metrics(gateway.telemetry);
  const closes = read('sluice_connections_closed_total', 'reason');
  const log = refusalsIn(gateway.entries());
  t.diagnostic(
    `${score.frames} frames, ${mb(score.bytes)} sent, ${mb(received)} read by the gateway, over ${score.connections} connections (${listed(score.of('courses'))})`,
  );
  t.diagnostic(`damage: ${listed(score.of('mutations'))}`);
  t.diagnostic(`${score.answers} answers: ${listed(score.of('codes'))}`);
  t.diagnostic(`${score.closedByGateway} connections closed by the gateway; closes by reason: ${listed(closes)}`);
  t.diagnostic(
    `in the log: ${log.denied} denials; authentication: ${listed(log.authentication)}; refusals: ${listed(log.refused)}`,
  );
  for (const detail of unavailable()) t.diagnostic(`could not be decided: ${detail}`);
  const heap = (part: string): string => mb(sum(read(`sluice_${part}`)));
  t.diagnostic(
    `heap: ${heap('nodejs_heap_size_used_bytes')} of ${heap('nodejs_heap_size_total_bytes')}, outside it ${heap('nodejs_external_memory_bytes')}`,
  );
  assert.deepEqual([...score.of('oddities')], [], 'answers that make no sense');
  assert.deepEqual(unexpected(closes), [], 'reasons to close a connection that nobody thought of');
  assert.equal(
    sum(log.authentication),
    sum(read('sluice_authentication_failures_total', 'code')),
    'refused credentials',
  );
  assert.equal(sum(log.refused), sum(read('sluice_refusals_total', 'code')), 'refused requests');
  assert.equal(log.denied, read('sluice_decisions_total', 'effect').get('deny') ?? 0, 'denied operations');
  assert.equal(sum(read('sluice_audit_entries_lost')), 0);
}

/** Why requests were refused that the gateway could not decide. */
function unavailable(): ReadonlySet<string> {
  const details = ground.gateway.entries().flatMap(({ data }) => {
    const { refusal, request = '' } = data as { refusal?: { code: string; detail: string }; request?: string };
    return refusal?.code === 'unavailable' ? [`${request}: ${refusal.detail}`] : [];
  });
  return new Set(details);
}

/** Entries of one principal that refuse something. */
function refusalsOf(id: string): Entry[] {
  return ground.gateway.entries().filter(({ type, data }) => {
    const { principal } = data as { principal?: { id: string } };
    return principal?.id === id && /\.(denied|refused)$/.test(type);
  });
}

function descriptors(): number {
  return readdirSync(`/proc/${ground.gateway.pid}/fd`).length;
}

async function settledDescriptors(base: number): Promise<number> {
  for (let tries = 0; descriptors() > base && tries < 80; tries += 1) await sleep(500);
  return descriptors();
}

/** Ends the gateway in good order and has its log verified as an auditor would. */
async function verified(t: TestContext): Promise<void> {
  const { gateway } = ground;
  gateway.signal('SIGTERM');
  assert.equal(await gateway.ended, 0);
  const cli = new URL('../../../src/cli/sluice.ts', import.meta.url).pathname;
  const key = join(gateway.auditDirectory, 'checkpoints', 'log.vkey');
  const outcome = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(
      process.execPath,
      [cli, 'audit', 'verify', gateway.auditDirectory, '--key', key],
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
  t.diagnostic(
    `sluice audit verify: exit code ${outcome.code}: ${outcome.output.trim().split('\n').slice(0, 6).join(' · ')}`,
  );
  assert.equal(outcome.code, 0, outcome.output);
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
