import assert from 'node:assert/strict';
import { readFileSync, globSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Entry } from '../model/entry.ts';
import { auditEvent } from './draft.ts';
import type { EntryDraft } from './draft.ts';
import { catalogue, isEventCode, mustBeDurable, renderEntry } from './catalogue.ts';
import { describeEvents } from './describe.ts';
import { entryLine } from './envelope.ts';
import { codeOf, entryProblem } from './entry-shape.ts';
import type { EventCode, EventData, SessionData } from './events.ts';
import { schemas } from './schemas.ts';

const about: SessionData = {
  session_id: '7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1',
  seq: 1,
  port: 'orders',
  principal: { kind: 'user', id: 'alice', issuer: 'corp', groups: ['payments-eng'], groups_more: 3 },
  client: { address: '10.0.0.7', client_id: 'settle', software: 'librdkafka 2.1', mechanism: 'PLAIN', tls: true },
  policy_revision: '5f0c2b8d91aa73e0',
};
const authorization = {
  granted: false,
  operation: 'read',
  resourceType: 'topic',
  resourceName: 'payments.secrets',
  patternType: 'literal',
  partition: 3,
  reason: 'denied-by-rule',
  rule: { policy: 'payments-readers', effect: 'deny', index: 0, source: 'payments.yaml:31' },
} as const;
const time = '2026-03-12T08:15:02.117Z';
const recording = {
  recording: '20260312-081502-0a1b2c3d4e5f',
  session_id: about.session_id,
  port: 'orders',
  principal: { kind: 'user', id: 'alice', issuer: 'corp' },
  level: 'full',
  tags: { owner: 'risk', classification: 'pii', retention_ms: null },
};
const totals = { segments: 2, items: 30, records: 100, bytes: 70_000_000 };
const lost = { items: 1, records: 5, bytes: 200 };
const vkey = 'sluice/gw-1+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const credential = { type: 'jwt', id: 'jti-1' };

/** One of each: the compiler holds that none is missing. */
const examples: EventData = {
  'gateway.started': { version: '0.1.0', audit_mode: 'strict', ports: ['orders'], policy_revision: 'none' },
  'gateway.stopped': { reason: 'SIGTERM' },
  'worker.died': {
    worker: 3,
    cause: 'signal SIGKILL',
    connections: 12,
    windows_may_be_missing: { start: time, end: time },
    sessions: ['7f9c24e8-3b2a-4c1d-9e5f-0a1b2c3d4e5f'],
  },
  'worker.entries-lost': { worker: 3, count: 7 },
  'policy.loaded': { revision: 'b', previous_revision: 'a', documents: ['payments-readers'] },
  'policy.rejected': {
    revision_in_force: 'a',
    problems: [{ path: 'payments.yaml', line: 3, column: 7, message: 'unknown key `alow`' }],
    problems_total: 2,
  },
  'session.opened': { ...about, credential, expires_at: time },
  'session.closed': {
    ...about,
    reason: 'client closed',
    opened_at: time,
    counters: {
      entries: 9,
      connections: 3,
      denials: 1,
      refusals: 0,
      flows: 2,
      windows: 4,
      records_read: 100,
      records_written: 0,
      bytes_read: 1_000,
      bytes_written: 0,
    },
  },
  'authentication.failed': {
    port: 'orders',
    client: about.client,
    failure: { code: 'expired', detail: 'the token expired 40 s ago' },
    claimed: { id: 'mallory', issuer: 'corp' },
    count: 12,
    more_addresses: true,
  },
  'authentication.renewed': { ...about, credential, expires_at: null, previous_session_id: about.session_id },
  'operation.denied': { ...about, authorization, request: 'Fetch v17', count: 2, more_resources: true },
  'operation.refused': {
    ...about,
    refusal: { code: 'unknown-api', detail: 'no API has key 999' },
    request: 'Api 999',
    count: 1,
  },
  'flow.opened': {
    ...about,
    authorization: { ...authorization, granted: true, rule: null, patternType: 'any' },
    request: 'Produce v12',
  },
  'flow.window': {
    ...about,
    flow: {
      operation: 'read',
      topic: 'payments',
      partition: 3,
      ranges: [
        ['4700', '4719'],
        ['9223372036854775807', '9223372036854775807'],
      ],
      approximate: true,
      records: 21,
      records_without_offset: 1,
      bytes: 210,
      requests: 3,
    },
    window: { start: time, end: time },
  },
  'log.recovered': {
    segment: 'audit-20260312-081502-000.jsonl',
    cause: 'torn-line',
    complete_bytes: 812,
    torn_bytes: 13,
    last_id: 'r.3',
    last_time: time,
  },
  'log.entries-lost': { count: 7, first_id: 'r.4', last_id: 'r.10', since: time, until: time, cause: 'ENOSPC' },
  'recording.started': recording,
  'recording.rotated': { ...recording, segment: 1, bytes: 67_108_864, digest: '0'.repeat(64) },
  'recording.closed': { ...recording, totals, digest: '0'.repeat(64) },
  'recording.failed': { ...recording, cause: 'ENOSPC', totals, lost },
  'recording.lost': { session_id: about.session_id, cause: 'ENOSPC', lost },
  'recording.erased': { ...recording, cause: 'asked', by: 'root@gw-1', at: time },
  'recording.read': { ...recording, purpose: 'replay', by: 'root@gw-1', at: time },
  'log.queried': {
    query_id: about.session_id,
    asked_at: time,
    by: { user: 'auditor', uid: 1001, host: 'gw-1', claimed: 'carol' },
    kind: 'filter',
    question: '{"topic":"payments"}',
    digest: 'a'.repeat(64),
    outcome: 'answered',
    rows: 3,
    more: false,
    verified: false,
    file_owner: 1001,
  },
  'log.opened': { key: vkey, tree_size: 8, checkpoint_every_ms: 10_000, checkpoint_entries: 1_000 },
  'log.key-changed': { old_key: vkey, new_key: 'sluice/gw-1+new' },
  'log.entries-missing': {
    segment: 'audit-20260312-081502-000.jsonl',
    cause: 'segment-gone',
    first_index: 3,
    count: 5,
  },
  'log.tombstone': {
    first_index: 8,
    entries: 8,
    first_segment: 'audit-20260312-081502-000.jsonl',
    last_segment: 'audit-20260312-081502-000.jsonl',
    segments: [
      {
        name: 'audit-20260312-081502-000.jsonl',
        first_index: 8,
        entries: 8,
        bytes: 4_711,
        sha256: '0'.repeat(64),
        first_time: time,
        last_time: time,
      },
    ],
    older: { segments: 0, bytes: 0 },
    policy: 'keep 86400s',
    subtrees: ['L9k2IA2XLjt0Pb7+DRh92GOq41WL1muFF5XLpHGHbf4='],
    anchors: [],
    key_changes: [{ index: 9, old_key: vkey, new_key: 'sluice/gw-1+new' }],
    reports: [{ segment: 'audit-x', cause: 'not-closed', complete_bytes: 1, torn_bytes: 0, last_id: 'r.7' }],
    first_run: 'r',
    run: {
      name: 'r',
      next: 17,
      last_id: 'r.16',
      checkpoint_every_ms: 10_000,
      closed: null,
      gaps: [[3, 4]],
      losses: [[3, 4, 2]],
    },
    sessions: [['7f1de1a4-7b52-4d0e-a0c0-5fd6c2a3f0d1', 4]],
    sessions_more: 0,
  },
  'log.push-failing': { sink: 's3', since: time, cause: 'bucket.example answered 503' },
  'log.push-restored': { sink: 's3', since: time, failures: 9 },
  'log.closed': { entries: 11, lost: 7 },
};

const codes = Object.keys(catalogue).filter(isEventCode);

function written(draft: EntryDraft): Entry {
  return JSON.parse(entryLine(draft, 'r.1', '/sluice/gw', time)) as Entry;
}

function example(code: EventCode): Entry {
  return written(auditEvent(code, examples[code]));
}

test('every code has a schema that takes its example, and no schema is without a code', () => {
  assert.deepEqual(Object.keys(schemas).sort(), codes.toSorted());
  for (const code of codes) assert.equal(entryProblem(example(code)), null, code);
});

test('every schema refuses a field too many, one too few, and one of another type', () => {
  for (const code of codes) {
    const entry = example(code);
    assert.match(entryProblem({ ...entry, data: { ...entry.data, token: 'x' } }) ?? '', /token/, code);
    for (const name of Object.keys(entry.data).filter((one) => !one.startsWith('more_'))) {
      const { [name]: _, ...without } = entry.data;
      assert.notEqual(entryProblem({ ...entry, data: without }), null, `${code} without ${name}`);
      assert.notEqual(
        entryProblem({ ...entry, data: { ...entry.data, [name]: { wrong: 1 } } }),
        null,
        `${code} ${name}`,
      );
    }
  }
});

test('the envelope is held too', () => {
  const entry = example('log.closed');
  assert.match(entryProblem({ ...entry, specversion: '0.3' }) ?? '', /^specversion/);
  assert.match(entryProblem({ ...entry, type: 'dev.sluice.audit.nothing' }) ?? '', /^type: no event/);
  assert.match(entryProblem({ ...entry, time: 'yesterday' }) ?? '', /^time/);
  assert.notEqual(entryProblem(null), null);
  assert.equal(codeOf(entry), 'log.closed');
});

test('every code is said in one line that names what matters', () => {
  const says: { readonly [Code in EventCode]: RegExp } = {
    'gateway.started': /0\.1\.0 started, ports orders/,
    'gateway.stopped': /SIGTERM/,
    'worker.died': /worker 3 died \(signal SIGKILL\) with 12 connections of 1 sessions; .* may be missing/,
    'worker.entries-lost': /worker 3 lost 7 entries/,
    'policy.loaded': /b in force instead of a: payments-readers/,
    'policy.rejected': /2 problem.*a stays in force: payments\.yaml:3:7 unknown key `alow`/,
    'session.opened': /user alice of corp at 10\.0\.0\.7 opened session .* on port orders \(PLAIN\)/,
    'session.closed': /closed \(client closed\): 100 records read, 0 written, 1 denials, 9 entries/,
    'authentication.failed': /from 10\.0\.0\.7 .* failed 12 times: expired, .* \(claimed to be mallory of corp\)/,
    'authentication.renewed': /alice of corp .* authenticated again/,
    'operation.denied':
      /denied read topic payments\.secrets partition 3 by payments-readers deny\[0\] \(payments\.yaml:31\) 2 times \[Fetch v17\]/,
    'operation.refused': /refused Api 999: unknown-api, no API has key 999/,
    'flow.opened': /may read topic any .*\[Produce v12\]/,
    'flow.window':
      /read 21 records \(210 bytes\) of payments-3: offsets 4700–4719, 9223372036854775807 \(approximate\), 1 without offsets/,
    'log.recovered': /audit-20260312-081502-000\.jsonl .* \(torn-line\): 812 bytes are whole, 13 are not/,
    'log.entries-lost': /7 entries were lost between .*: ENOSPC/,
    'recording.started': /20260312-081502-0a1b2c3d4e5f \(full\) of user alice of corp, session .* started/,
    'recording.rotated': /filled segment 1/,
    'recording.closed': /closed: 100 records, 70000000 bytes in 2 segments/,
    'recording.failed': /failed after 100 records, 5 more are lost: ENOSPC/,
    'recording.lost': /5 records of session .* were not recorded: ENOSPC/,
    'recording.erased': /of user alice of corp, .* erased by root@gw-1 \(asked\)/,
    'recording.read': /root@gw-1 reads recording .* of user alice of corp, .*: replay/,
    'log.queried': /auditor \(1001\) at gw-1, as carol, asked \{"topic":"payments"\}: answered, 3 rows/,
    'log.opened': /behind 8 entries, signed by sluice\/gw-1\+c74f20a3/,
    'log.key-changed': /sluice\/gw-1\+new signs .* instead of sluice\/gw-1\+c74f20a3/,
    'log.entries-missing': /5 entries of audit-20260312-081502-000\.jsonl are gone, from position 3 \(segment-gone\)/,
    'log.tombstone': /8 entries removed by retention \(keep 86400s\), .* positions 8 to 15/,
    'log.push-failing': /no checkpoint has reached s3 since .*503/,
    'log.push-restored': /checkpoints reach s3 again/,
    'log.closed': /after 11 entries, 7 lost/,
  };
  for (const code of codes) {
    const line = renderEntry(example(code));
    assert.match(line, says[code]);
    assert.ok(line.startsWith(`${time} ${catalogue[code].severity}`), line);
    assert.ok(!line.includes('\n') && !line.includes('undefined') && !line.includes('[object'), line);
  }
});

test('an entry of another version or with broken data is shown, not thrown at the reader', () => {
  const entry = example('operation.denied');
  assert.match(renderEntry({ ...entry, type: 'dev.sluice.audit.flow.halted' }), /flow\.halted$/);
  assert.match(renderEntry({ ...entry, data: {} }), /not what its code asks for/);
});

test('what must be durable is what decides or changes something; a code that is not known is', () => {
  const waited = codes.filter(mustBeDurable);
  assert.deepEqual(waited, [
    'gateway.started',
    'policy.loaded',
    'session.opened',
    'authentication.renewed',
    'operation.denied',
    'operation.refused',
    'flow.opened',
    'recording.started',
    'recording.failed',
    'recording.erased',
    'recording.read',
    'log.queried',
    'log.tombstone',
  ]);
  assert.equal(mustBeDurable('flow.halted'), true);
});

test('every code is emitted somewhere in the product', () => {
  const sources = globSync('src/**/*.ts', { cwd: new URL('../..', import.meta.url) })
    .filter((file) => !/\.test\.ts$|test-kit\.ts$|^src\/audit\/(events|schemas|catalogue)\.ts$/.test(file))
    .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
  const emitted = (code: string): boolean =>
    sources.some((source) => new RegExp(`(auditEvent|write)\\(\\s*'${code}'`).test(source));
  assert.deepEqual(
    codes.filter((code) => !emitted(code)),
    [],
  );
});

test('docs/audit.md can be made: every event has its words', () => {
  for (const event of describeEvents()) assert.ok(event.summary.endsWith('.'), event.code);
});

test('a line parses to what was drafted, whatever the strings hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (reason, subject) => {
      fc.pre(reason.isWellFormed());
      const line = entryLine(auditEvent('gateway.stopped', { reason }, subject), 'r.1', '/sluice/gw', time);
      const entry = JSON.parse(line) as Entry;
      assert.ok(!line.includes('\n'));
      assert.deepEqual(entry.data, { reason });
      assert.equal(entry.subject, subject.toWellFormed());
      assert.equal(entryProblem(entry), null);
    }),
  );
});
