import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchEvent } from '../ports/kafka/replay/replay.ts';
import { eventJson, eventLines, jsonLine } from './replay-print.ts';

function event(value: Buffer | string | null, key: Buffer | string | null = null, topic = 'payments'): BatchEvent {
  const bytes = (text: Buffer | string | null): Buffer | null => (text === null ? null : Buffer.from(text));
  const record = {
    direction: 'delivered',
    topic,
    partition: 3,
    offset: 4711n,
    timestampMs: 1_000n,
    key: bytes(key),
    value: bytes(value),
    headers: [{ key: Buffer.from('trace\u001b[2J'), value: Buffer.from([0xff, 0x00]) }],
  } as const;
  const place = { direction: 'delivered', topic, partition: 3, codec: 'none' } as const;
  return { kind: 'batch', atMs: 0, ...place, records: [record], fate: { kind: 'written' } };
}

const escapes = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test('nothing that a client wrote reaches a terminal as a control character', () => {
  const nasty = 'a\u001b]0;title\u0007\u001b[31m\r\nb\u009b2J\u202efdp.exe\u0000';
  for (const form of ['auto', 'json', 'text', 'hex'] as const) {
    for (const value of [nasty, `{"a":"${nasty}"}`, `{\n"a": 1}`, JSON.stringify({ a: nasty })]) {
      const [line = ''] = eventLines(event(value, nasty, `t${nasty}`), form, false);
      assert.equal(escapes.test(line) || line.includes('\n'), false, JSON.stringify(line));
    }
  }
  for (const one of eventJson(event(nasty, nasty, nasty), false)) assert.equal(escapes.test(jsonLine(one)), false);
});

test('documents, text and bytes are each shown as what they are', () => {
  const shown = (value: Buffer | string | null): string =>
    (eventLines(event(value), 'auto', false)[0] ?? '').split('  ').at(-1) ?? '';
  assert.equal(shown('{"a": [1,\n  2]}'), '{"a": [1, 2]}');
  assert.equal(shown('plain'), '"plain"');
  assert.equal(shown('42'), '"42"');
  assert.equal(shown(Buffer.from([0xff, 0xfe])), '0xfffe');
  assert.equal(shown(null), 'null');
});

test('as JSON a record can be had back, byte for byte', () => {
  const [document] = eventJson(event('{"a":1}', Buffer.from([0xff])), false);
  const back = JSON.parse(jsonLine(document ?? {})) as { value: string; key: { base64: string }; offset: string };
  assert.equal(back.value, '{"a":1}');
  assert.deepEqual(Buffer.from(back.key.base64, 'base64'), Buffer.from([0xff]));
  assert.equal(back.offset, '4711');
});
