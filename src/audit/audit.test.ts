import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import canonicalize from 'canonicalize';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Entry } from '../model/entry.ts';
import { auditEvent, codeOf, entryProblem, openAuditLog } from './audit.ts';
import type { AuditLog } from './audit.ts';

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string, bounds: { segmentBytesMax?: number } = {}): Promise<AuditLog> {
  const options = { directory, mode: 'strict', gatewayId: 'gw-1', clock: systemClock, logger: silentLogger } as const;
  return openAuditLog(options, undefined, bounds);
}

async function segments(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort();
}

async function lines(directory: string): Promise<string[]> {
  const texts = await Promise.all((await segments(directory)).map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').slice(0, -1));
}

async function entries(directory: string): Promise<Entry[]> {
  return (await lines(directory)).map((line) => JSON.parse(line) as Entry);
}

const stopped = auditEvent('gateway.stopped', { reason: 'test' });

test('a line is a canonical CloudEvents envelope whose data has the shape of its code', async (t) => {
  const directory = await folder(t);
  const log = await open(directory);
  const id = log.append(
    auditEvent('policy.loaded', { revision: 'b', previous_revision: 'none', documents: ['z', 'ü', '"'] }, 'policy/b'),
  );
  await log.durable();
  const [line = ''] = await lines(directory);
  const entry = JSON.parse(line) as Entry;
  assert.equal(line, canonicalize(entry));
  assert.deepEqual(
    { ...entry, time: '' },
    {
      specversion: '1.0',
      id,
      source: '/sluice/gw-1',
      type: 'dev.sluice.audit.policy.loaded',
      time: '',
      subject: 'policy/b',
      datacontenttype: 'application/json',
      data: { revision: 'b', previous_revision: 'none', documents: ['z', 'ü', '"'] },
    },
  );
  assert.ok(Math.abs(Date.parse(entry.time) - Date.now()) < 60_000);
  await log.close();
});

test('durable() resolves only for what is in the file, and order is kept', async (t) => {
  const directory = await folder(t);
  const log = await open(directory);
  const ids: string[] = [];
  for (let i = 0; i < 200; i += 1) {
    ids.push(log.append(auditEvent('gateway.stopped', { reason: `n${i}` })));
    if (i % 10 === 0) {
      await log.durable();
      assert.deepEqual(
        (await entries(directory)).map((entry) => entry.id),
        ids,
      );
    }
  }
  await log.close();
  assert.deepEqual((await entries(directory)).map((entry) => entry.id).slice(0, -1), ids);
});

test('only the owner can read the folder and its files', async (t) => {
  const directory = join(await folder(t), 'made', 'here');
  const log = await open(directory);
  log.append(stopped);
  await log.close();
  const [name = ''] = await segments(directory);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
});

test('a full segment is followed by the next, names sort in order, and no entry is cut', async (t) => {
  const directory = await folder(t);
  const log = await open(directory, { segmentBytesMax: 1_000 });
  for (let i = 0; i < 40; i += 1) {
    log.append(stopped);
    await log.durable();
  }
  await log.close();
  const names = await segments(directory);
  assert.ok(names.length >= 8, `${names.length} segments`);
  for (const name of names) {
    assert.match(name, /^audit-\d{8}-\d{6}-\d{3}\.jsonl$/);
    assert.ok((await stat(join(directory, name))).size <= 1_000);
  }
  const numbers = (await entries(directory)).map((entry) => Number(entry.id.split('.')[1]));
  assert.deepEqual(
    numbers,
    Array.from({ length: 41 }, (_, i) => i + 1),
  );
});

test('a run that closed is followed by a new segment without a report', async (t) => {
  const directory = await folder(t);
  for (let run = 0; run < 2; run += 1) {
    const log = await open(directory);
    log.append(stopped);
    await log.close();
  }
  assert.equal((await segments(directory)).length, 2);
  assert.deepEqual((await entries(directory)).map(codeOf), [
    'gateway.stopped',
    'log.closed',
    'gateway.stopped',
    'log.closed',
  ]);
});

test('a torn last line stays as it is and is reported first thing', async (t) => {
  const directory = await folder(t);
  const first = await open(directory);
  const id = first.append(stopped);
  await first.durable();
  const [name = ''] = await segments(directory);
  const whole = (await stat(join(directory, name))).size;
  await appendFile(join(directory, name), '{"data":{"rea');

  const second = await open(directory);
  second.append(stopped);
  await second.close();
  const [torn = '', next = ''] = await segments(directory);
  assert.ok((await readFile(join(directory, torn), 'utf8')).endsWith('{"data":{"rea'));
  const [report] = (await readFile(join(directory, next), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);
  assert.ok(report);
  assert.equal(codeOf(report), 'log.recovered');
  assert.deepEqual(
    { ...report.data, last_time: '' },
    { segment: name, cause: 'torn-line', complete_bytes: whole, torn_bytes: 13, last_id: id, last_time: '' },
  );
  await first.close();
});

test('torn segments are reported even when the run after them tore its very first line', async (t) => {
  const directory = await folder(t);
  const first = await open(directory);
  first.append(stopped);
  await first.durable();
  const [name = ''] = await segments(directory);
  await appendFile(join(directory, name), '{"to');
  await appendFile(join(directory, 'audit-29990101-000000-000.jsonl'), '{"da');
  const log = await open(directory);
  await log.close();
  const last = (await segments(directory)).at(-1) ?? '';
  assert.equal(last, 'audit-29990101-000000-001.jsonl', 'sorts after a segment from the future');
  const reports = (await readFile(join(directory, last), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);
  assert.deepEqual(
    reports.map((entry) => entry.data['segment']),
    [name, 'audit-29990101-000000-000.jsonl', undefined],
  );
  assert.deepEqual(reports.map(codeOf), ['log.recovered', 'log.recovered', 'log.closed']);
  await first.close();
});

test('a run that ended without log.closed is reported with its last entry', async (t) => {
  const directory = await folder(t);
  const first = await open(directory);
  const id = first.append(stopped);
  await first.durable();
  const second = await open(directory);
  await second.durable();
  const [, report] = await entries(directory);
  assert.ok(report);
  assert.equal(report.data['cause'], 'not-closed');
  assert.equal(report.data['last_id'], id);
  await Promise.all([first.close(), second.close()]);
});

test('whatever the log writes of itself has the shape that the catalogue says', async (t) => {
  const directory = await folder(t);
  const first = await open(directory);
  first.append(stopped);
  await first.durable();
  const second = await open(directory);
  await second.close();
  for (const entry of await entries(directory)) assert.equal(entryProblem(entry), null);
  await first.close();
});

test('a folder that cannot be made is an error that says which', async () => {
  await assert.rejects(open('/dev/null/audit'), { code: 'audit-unavailable', message: /\/dev\/null\/audit/ });
});

test('data that JSON cannot carry is the emitter’s error and leaves the log usable', async (t) => {
  const directory = await folder(t);
  const log = await open(directory);
  assert.throws(() => log.append({ code: 'x', data: { n: Number.NaN } }), { code: 'entry-malformed' });
  log.append(stopped);
  await log.durable();
  const codes = (await entries(directory)).map(codeOf);
  assert.deepEqual(codes, ['log.entries-lost', 'gateway.stopped'], 'its number is not simply missing');
  await log.close();
});
