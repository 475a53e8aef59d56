/** kill -9 under load: whatever was acknowledged is in the files, and the next run says where the last one ended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Entry } from '../model/entry.ts';
import { auditEvent, codeOf, entryProblem, openAuditLog } from './audit.ts';
import type { AuditLog } from './audit.ts';

const rounds = 6;
const childFlag = '--write-until-killed';

function open(directory: string): Promise<AuditLog> {
  return openAuditLog(
    { directory, mode: 'strict', gatewayId: 'gw', clock: systemClock, logger: silentLogger },
    undefined,
    {
      segmentBytesMax: 200_000,
    },
  );
}

async function writeUntilKilled(directory: string): Promise<never> {
  const log = await open(directory);
  const write = async (): Promise<never> => {
    for (;;) {
      const ids = Array.from({ length: 5 }, () =>
        log.append(auditEvent('gateway.stopped', { reason: 'x'.repeat(300) })),
      );
      await log.durable();
      process.stdout.write(`${ids.join('\n')}\n`);
    }
  };
  return Promise.race(Array.from({ length: 20 }, write));
}

/** The ids that a child acknowledged until it was killed. */
async function runAndKill(directory: string, afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [import.meta.filename, childFlag, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    begun.resolve();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await Promise.race([begun.promise, ended]);
  await sleep(afterMs);
  child.kill('SIGKILL');
  await ended;
  // The last line may be cut; the entry it stood for need not be there.
  return output.split('\n').slice(0, -1);
}

async function twoGateways(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-two-'));
  const child = spawn(process.execPath, [import.meta.filename, childFlag, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const segments = await readdir(directory);
    await assert.rejects(open(directory), {
      code: 'audit-unavailable',
      message: new RegExp(`process ${child.pid} writes there already`),
    });
    child.kill('SIGKILL');
    await ended;
    await (await open(directory)).close();
    const left = await readdir(directory);
    assert.ok(segments.every((name) => name === 'lock' || left.includes(name)));
    assert.ok(!left.includes('lock'), 'a lock is given back at the end');
  } finally {
    child.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  }
}

async function entriesOf(directory: string): Promise<Entry[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  const entries = texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as Entry);
  for (const entry of entries) assert.equal(entryProblem(entry), null);
  return entries;
}

async function killRepeatedly(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-crash-'));
  try {
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds; round += 1)
      acknowledged.push(...(await runAndKill(directory, 20 + round * 17)));
    await (await open(directory)).close();

    const entries = await entriesOf(directory);
    const ids = new Set(entries.map((entry) => entry.id));
    assert.ok(acknowledged.length > rounds * 20, `${acknowledged.length} acknowledged`);
    assert.deepEqual(
      acknowledged.filter((id) => !ids.has(id)),
      [],
    );
    assert.equal(ids.size, entries.length, 'no id comes twice');

    const recovered = entries.filter((entry) => codeOf(entry) === 'log.recovered');
    assert.equal(recovered.length, rounds, 'each killed run is reported by the one after it');
    for (const [run, numbers] of Map.groupBy(entries, (entry) => entry.id.split('.')[0])) {
      const found = numbers.map((entry) => Number(entry.id.split('.')[1]));
      assert.deepEqual(
        found,
        found.map((_, i) => i + 1),
        `run ${run} has no gap before its end`,
      );
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

if (process.argv[2] === childFlag) await writeUntilKilled(process.argv[3] ?? '');
else {
  test('kill -9 at any moment loses nothing that was acknowledged', killRepeatedly);
  test('a second gateway is kept out of the folder, until the first is gone', twoGateways);
}
