import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { constantData } from './canonical-json.ts';
import type { EntryDraft } from './draft.ts';
import { entryLine } from './envelope.ts';
import { WindowLines } from './window-lines.ts';

const run = 'mwt6cn8t-df15bcb027';
const source = '/sluice/gate "1" ü';
const time = '2026-03-12T08:00:00.000Z';
const roomBytes = 8_192;

const data = {
  client: constantData({ address: '10.0.0.7', client_id: 'sett\u00fc', mechanism: 'PLAIN', software: '', tls: true }),
  flow: {
    approximate: false,
    bytes: 100_000,
    operation: 'read',
    partition: 7,
    ranges: [
      ['0', '1999'],
      ['9223372036854775806', '9223372036854775807'],
    ],
    records: 1_000,
    records_without_offset: 0,
    requests: 1,
    topic: 'payments',
  },
  policy_revision: 'r "1"',
  port: 'orders',
  principal: constantData({ groups: ['batch'], id: 'acme/settle', issuer: 'buildkite', kind: 'job' }),
  seq: 81_513,
  session_id: '8192de6c-00c6-4a57-a219-7a0b6c74aeef',
  window: { end: time, start: time },
};

/** `null`: left to `entryLine`. */
function made(lines: WindowLines, draft: EntryDraft, number: number, room = roomBytes): string | null {
  const into = Buffer.alloc(room);
  const end = lines.write(draft, number, time, into, 3);
  return end === -1 ? null : into.toString('utf8', 3, end);
}

function expected(draft: EntryDraft, number: number): string {
  return `${entryLine(draft, `${run}.${number}`, source, time)}\n`;
}

const draftOf = (some: object): EntryDraft => ({
  code: 'flow.window',
  subject: 'topic/payments',
  data: { ...data, ...some },
});

test('are what every other entry is written as', () => {
  const lines = new WindowLines(run, source);
  const count = fc.oneof(
    fc.nat(),
    fc.maxSafeNat(),
    fc.constantFrom(0, 9, 10, 2_147_483_647, 2_147_483_648, 999_999_999),
  );
  const plain = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', ' ', '~', '!', '#', '[', ']', '/', '.'),
    maxLength: 40,
  });
  const flow = fc.record({
    approximate: fc.boolean(),
    bytes: count,
    operation: fc.constantFrom('read', 'write'),
    partition: count,
    ranges: fc.array(fc.tuple(plain, plain), { maxLength: 4 }),
    records: count,
    records_without_offset: count,
    requests: count,
    topic: plain,
  });
  const about = fc.record({ policy_revision: fc.string(), port: fc.string(), session_id: fc.string() });
  fc.assert(
    fc.property(flow, about, count, count, (some, who, seq, number) => {
      const draft = draftOf({ ...who, flow: { ...some }, seq });
      assert.equal(made(lines, draft, number), expected(draft, number));
    }),
    { numRuns: 1_000 },
  );
});

test('follow a session that changes', () => {
  const lines = new WindowLines(run, source);
  const other = constantData({ ...data.principal, id: 'mallory' });
  const client = constantData({ ...data.client, software: 'librdkafka 2.10.0' });
  const turns = [
    {},
    { principal: other },
    { client },
    { policy_revision: 'r2' },
    { port: 'p' },
    { session_id: 's' },
    {},
  ];
  for (const [number, turn] of turns.entries()) {
    const draft = draftOf(turn);
    assert.equal(made(lines, draft, number), expected(draft, number));
  }
});

test('are as every other entry, or are left to it, whatever the data holds', () => {
  const lines = new WindowLines(run, source);
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(undefined, NaN, -1, -0, 1.5, 1e21, 'a"b', '\\', 'ü', '\n'),
  );
  const places = [
    ...Object.keys(data).map((name) => [name]),
    ...Object.keys(data.flow).map((name) => ['flow', name]),
    ...['end', 'start', 'more'].map((name) => ['window', name]),
    ['flow', 'more'],
    ['flow', 'ranges', '0'],
    ['flow', 'ranges', '0', '1'],
    ['more'],
  ];
  fc.assert(
    fc.property(fc.constantFrom(...places), value, (place, wrong) => {
      const changed = structuredClone(data) as unknown as Record<string, unknown>;
      changed['client'] = data.client;
      changed['principal'] = data.principal;
      let within = changed;
      for (const name of place.slice(0, -1)) within = within[name] as Record<string, unknown>;
      within[place.at(-1) ?? ''] = wrong;
      const draft = draftOf(changed);
      const line = made(lines, draft, 1);
      if (line !== null) assert.equal(line, expected(draft, 1));
    }),
    { numRuns: 2_000 },
  );
});

test('are left to it where the client may change behind their back, or there is no room', () => {
  const lines = new WindowLines(run, source);
  assert.notEqual(made(lines, draftOf({}), 1), null);
  assert.equal(made(lines, draftOf({ client: { ...data.client } }), 1), null);
  assert.equal(made(lines, draftOf({ principal: { ...data.principal } }), 1), null);
  assert.equal(made(lines, { code: 'flow.opened', data, subject: 's' }, 1), null);
  assert.equal(made(lines, { code: 'flow.window', data }, 1), null);
  const { length } = Buffer.from(expected(draftOf({}), 1));
  assert.notEqual(made(lines, draftOf({}), 1, length + 3), null);
  for (let room = 3; room < length + 3; room += 1) assert.equal(made(lines, draftOf({}), 1, room), null);
});
