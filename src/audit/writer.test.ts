import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Entry } from '../model/entry.ts';
import { auditEvent, codeOf, entryProblem, openAuditLog } from './audit.ts';
import type { AuditLog, EntryDraft } from './audit.ts';
import type { LogFiles, SegmentFile } from './files.ts';

type Fault = 'none' | 'write' | 'half-write' | 'sync' | 'create' | 'hang';

/** A disk in memory that fails as it is told. */
class Disk implements LogFiles {
  fault: Fault = 'none';
  /** Whether a truncate works while the disk is at fault. */
  truncates = true;
  syncs = 0;
  writes = 0;
  readonly files = new Map<string, Buffer>();
  /** What a power cut would leave. */
  readonly synced = new Map<string, Buffer>();
  #hanging = Promise.withResolvers<void>();

  heal(): void {
    this.fault = 'none';
    this.#hanging.resolve();
    this.#hanging = Promise.withResolvers<void>();
  }

  async list(): Promise<readonly string[]> {
    return [...this.files.keys()].sort();
  }

  async create(name: string): Promise<SegmentFile> {
    if (this.fault === 'create') throw new Error('ENOSPC: no space left on device, open');
    assert.ok(!this.files.has(name), 'a segment is never made twice');
    this.files.set(name, Buffer.alloc(0));
    return {
      write: (bytes) => this.#write(name, Buffer.from(bytes)),
      sync: async () => {
        this.syncs += 1;
        if (this.fault === 'sync') throw new Error('EIO: i/o error, fdatasync');
        this.synced.set(name, this.#content(name));
      },
      truncate: async (length) => {
        if (!this.truncates) throw new Error('EIO: i/o error, ftruncate');
        this.files.set(name, this.#content(name).subarray(0, length));
      },
      close: async () => {},
    };
  }

  async release(): Promise<void> {}

  async remove(name: string): Promise<void> {
    if (!this.truncates) throw new Error('EIO: i/o error, unlink');
    this.files.delete(name);
  }

  async tail(name: string, bytesMax: number): Promise<{ size: number; bytes: Buffer }> {
    const content = this.#content(name);
    return { size: content.length, bytes: content.subarray(Math.max(0, content.length - bytesMax)) };
  }

  entries(): Entry[] {
    const lines = [...this.files.keys()]
      .sort()
      .flatMap((name) => this.#content(name).toString().split('\n').slice(0, -1));
    const entries = lines.map((line) => JSON.parse(line) as Entry);
    for (const entry of entries) assert.equal(entryProblem(entry), null);
    return entries;
  }

  async #write(name: string, bytes: Buffer): Promise<void> {
    this.writes += 1;
    if (this.fault === 'hang') await this.#hanging.promise;
    if (this.fault === 'half-write') {
      this.files.set(name, Buffer.concat([this.#content(name), bytes.subarray(0, bytes.length / 2)]));
    }
    if (this.fault === 'write' || this.fault === 'half-write')
      throw new Error('ENOSPC: no space left on device, write');
    this.files.set(name, Buffer.concat([this.#content(name), bytes]));
  }

  #content(name: string): Buffer {
    return this.files.get(name) ?? Buffer.alloc(0);
  }
}

const quick = { retryMs: 5, retryMsMax: 10, stallMs: 40 };

function openOn(
  disk: LogFiles,
  mode: 'strict' | 'available',
  bounds: Parameters<typeof openAuditLog>[2] = {},
  logger: Logger = silentLogger,
): Promise<AuditLog> {
  const options = { directory: '/nowhere', mode, gatewayId: 'gw', clock: systemClock, logger } as const;
  return openAuditLog(options, disk, { ...quick, ...bounds });
}

const notice: EntryDraft = auditEvent('gateway.stopped', { reason: 'x'.repeat(100) });
const important: EntryDraft = {
  ...notice,
  code: 'policy.loaded',
  data: { revision: 'r', previous_revision: 'none', documents: ['x'.repeat(100)] },
};

async function until(condition: () => boolean): Promise<void> {
  const endMs = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < endMs, 'it did not come to pass');
    await sleep(2);
  }
}

for (const fault of ['write', 'half-write', 'sync', 'create'] as const) {
  test(`strict: a disk that fails (${fault}) refuses, and goes on by itself when it is whole again`, async () => {
    const disk = new Disk();
    const log = await openOn(disk, 'strict');
    log.append(notice);
    if (fault !== 'create') await log.durable();
    disk.fault = fault;
    const ids = [log.append(notice), log.append(important)];
    await assert.rejects(log.durable(), { code: 'audit-unavailable', retriable: true, message: /ENOSPC|EIO/ });
    assert.equal(log.status().writable, false);
    await assert.rejects(log.durable(), { code: 'audit-unavailable' }, 'at once, without waiting for the next try');
    disk.heal();
    await until(() => log.status().writable);
    await log.durable();
    // Where not even the clean-up could be synced, one report says so.
    const told = disk
      .entries()
      .filter((entry) => codeOf(entry) !== 'log.recovered')
      .map((entry) => entry.id);
    assert.deepEqual(told.slice(1), ids, 'nothing is lost and nothing comes twice');
    assert.ok(disk.entries().length - told.length <= (fault === 'sync' ? 1 : 0));
    assert.equal(log.status().lost, 0);
    await log.close();
  });
}

test('a failed write that cannot be taken back is told first thing after it', async () => {
  const disk = new Disk();
  const log = await openOn(disk, 'strict');
  log.append(notice);
  await log.durable();
  const [segment = ''] = disk.files.keys();
  const whole = disk.files.get(segment)?.length;
  disk.truncates = false;
  disk.fault = 'half-write';
  log.append(notice);
  await assert.rejects(log.durable());
  disk.heal();
  await until(() => log.status().writable);
  const report = [...disk.files.values()].at(-1)?.toString().split('\n')[0] ?? '';
  const entry = JSON.parse(report) as Entry;
  assert.equal(entryProblem(entry), null);
  assert.equal(codeOf(entry), 'log.recovered');
  assert.equal(entry.data['cause'], 'write-failed');
  await log.close();
  const reported = disk
    .entries()
    .filter((one) => codeOf(one) === 'log.recovered')
    .map((one) => one.data);
  assert.ok(reported.some((data) => data['segment'] === segment && data['complete_bytes'] === whole));
});

test('strict: a disk that hangs refuses after a time, and the entries are there when it comes back', async () => {
  const disk = new Disk();
  const log = await openOn(disk, 'strict');
  disk.fault = 'hang';
  const id = log.append(notice);
  await assert.rejects(log.durable(), { code: 'audit-unavailable', message: /too long/ });
  assert.equal(log.status().writable, false);
  disk.heal();
  await until(() => log.status().writable);
  assert.equal(disk.entries()[0]?.id, id);
  await log.close();
});

test('available: a disk that fails or hangs holds nobody up, and what was queued is written later', async () => {
  for (const fault of ['write', 'hang'] as const) {
    const disk = new Disk();
    const log = await openOn(disk, 'available');
    disk.fault = fault;
    log.append(notice);
    await log.durable();
    await log.durable();
    assert.equal(log.status().writable, false);
    disk.heal();
    await until(() => log.status().writable);
    await log.close();
    assert.deepEqual(disk.entries().map(codeOf), ['gateway.stopped', 'log.closed']);
  }
});

test('a queue that is full loses windows first, counts what it loses, and tells it when it can write again', async () => {
  const disk = new Disk();
  const log = await openOn(disk, 'available', { queueBytesMax: 10_000, queueBytesHardMax: 20_000 });
  disk.fault = 'write';
  const ids: string[] = [];
  for (let i = 0; i < 200; i += 1) ids.push(log.append(notice));
  assert.ok(log.status().backlogged);
  const { lost } = log.status();
  assert.ok(lost > 50 && lost < 200, `${lost} lost`);
  log.append(important);
  assert.equal(log.status().lost, lost, 'there is still room for what must be durable');
  for (let i = 0; i < 200; i += 1) log.append(important);
  const lostAtLast = log.status().lost;
  assert.ok(lostAtLast > lost, 'but not without end');

  disk.heal();
  await until(() => log.status().writable && !log.status().backlogged);
  log.append(notice);
  await log.durable();
  await log.close();
  const entries = disk.entries();
  const reports = entries.filter((entry) => codeOf(entry) === 'log.entries-lost');
  assert.equal(reports.length, 1);
  assert.equal(reports[0]?.data['count'], lostAtLast);
  assert.equal(reports[0]?.data['first_id'], ids[200 - lost]);
  assert.equal(new Set(entries.map((entry) => entry.id)).size, entries.length);
  const numbers = entries.map((entry) => Number(entry.id.split('.')[1]));
  assert.equal(Math.max(...numbers) - entries.length, lostAtLast, 'the gaps in the numbers are what was reported');
});

test('strict: after a loss nothing is durable until the loss is told', async () => {
  const disk = new Disk();
  const log = await openOn(disk, 'strict', { queueBytesMax: 1_000, queueBytesHardMax: 2_000 });
  disk.fault = 'hang';
  for (let i = 0; i < 50; i += 1) log.append(important);
  assert.ok(log.status().lost > 0);
  await assert.rejects(log.durable(), { code: 'audit-unavailable' });
  assert.equal(log.status().writable, true, 'refused for the loss, not because the disk hangs');
  disk.heal();
  await until(() => !log.status().backlogged);
  log.append(important);
  await log.durable();
  const codes = disk.entries().map(codeOf);
  assert.ok(codes.indexOf('log.entries-lost') !== -1 && codes.indexOf('log.entries-lost') < codes.length - 1);
  await log.close();
});

test('many entries share a sync; a lone one does not wait for others', async () => {
  const disk = new Disk();
  const log = await openOn(disk, 'strict');
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 50 }, () => {
        const id = log.append(notice);
        return log.durable().then(() => {
          const left = [...disk.synced.values()].join('');
          assert.ok(left.includes(`"id":"${id}"`), 'nothing is acknowledged before its sync');
        });
      }),
    );
  }
  assert.equal(disk.entries().length, 1_000);
  assert.ok(disk.syncs <= 40, `${disk.syncs} syncs`);
  const startMs = performance.now();
  log.append(notice);
  await log.durable();
  assert.ok(performance.now() - startMs < 100);
  await log.close();
});

test('close() on a disk that fails ends, and says how much is lost', async () => {
  const errors: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (fields, message) => errors.push(`${fields['entries'] ?? ''} ${message}`),
  };
  for (const fault of ['write', 'hang'] as const) {
    const disk = new Disk();
    const log = await openOn(disk, 'strict', {}, logger);
    disk.fault = fault;
    log.append(notice);
    log.append(notice);
    await assert.rejects(log.durable());
    await log.close();
    assert.equal(log.status().lost, 3);
    assert.match(errors.at(-1) ?? '', /^3 audit entries were lost/);
    assert.match(log.append(notice), /\.4$/);
    disk.heal();
  }
});

test('a real disk without space refuses in strict mode', { skip: process.platform !== 'linux' }, async () => {
  const disk = new Disk();
  const full: LogFiles = {
    list: async () => [],
    create: async () => {
      const file = await open('/dev/full', 'a');
      return {
        write: async (bytes) => void (await file.write(bytes)),
        sync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      };
    },
    remove: async () => {},
    release: async () => {},
    tail: (name, max) => disk.tail(name, max),
  };
  const log = await openOn(full, 'strict');
  log.append(notice);
  await assert.rejects(log.durable(), { code: 'audit-unavailable', message: /ENOSPC/ });
  await log.close();
});
