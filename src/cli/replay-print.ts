/** Records on a screen, or as one JSON document per line. What came from clients is never let loose on a terminal. */
import { isUtf8 } from 'node:buffer';
import { printable } from '../lib/printable.ts';
import type { BatchEvent, ReferenceEvent, ReplayEvent, ReplayedRecord } from '../ports/kafka/replay/replay.ts';
import { coloured } from './output.ts';

export type ValueForm = 'auto' | 'json' | 'text' | 'hex';

const shownCharsMax = 4_096;

export function eventLines(event: ReplayEvent, form: ValueForm, requests: boolean): string[] {
  const time = new Date(event.atMs).toISOString();
  switch (event.kind) {
    case 'batch':
      return event.records.map((record) => recordLine(event, record, time, form));
    case 'reference':
      return [
        `${time} ${arrow(event)} ${clean(event.topic)}-${event.partition} ${rangeOf(event)} ${coloured('yellow', event.verdict)}  ${clean(event.detail)}`,
      ];
    case 'request': {
      const what = event.operations.map(
        ({ action, name, partitions }) =>
          `${action} ${clean(name)}${partitions.length > 0 ? `[${partitions.join(',')}]` : ''}`,
      );
      return requests ? [`${time} ${coloured('dim', `${clean(event.request)}  ${what.join('  ')}`)}`] : [];
    }
    case 'note':
      return [`${time} ${coloured('yellow', clean(event.text))}`];
  }
}

export function eventJson(event: ReplayEvent, requests: boolean): object[] {
  const time = new Date(event.atMs).toISOString();
  if (event.kind === 'batch') return event.records.map((record) => recordJson(event, record, time));
  if (event.kind === 'request')
    return requests ? [{ type: 'request', time, request: event.request, operations: event.operations }] : [];
  if (event.kind === 'note') return [{ type: 'note', time, text: event.text }];
  const { direction, topic, partition, firstOffset, lastOffset, records, verdict, detail } = event;
  const offsets = { first_offset: text(firstOffset), last_offset: text(lastOffset) };
  return [{ type: 'reference', time, direction, topic, partition, ...offsets, records, verdict, detail }];
}

/** One document on one line. Control characters, also those that JSON lets pass, stand as escapes. */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function recordLine({ fate }: BatchEvent, record: ReplayedRecord, time: string, form: ValueForm): string {
  const { topic, partition, offset, key, value, headers } = record;
  const at = offset === null ? '?' : String(offset);
  const refused =
    fate.kind === 'refused'
      ? coloured('red', ` refused (${fate.code})`)
      : fate.kind === 'unknown'
        ? ' (no answer)'
        : '';
  const shownHeaders = headers.map((header) => `${show(header.key, 'auto')}=${show(header.value, form)}`).join(' ');
  return [
    `${time} ${arrow(record)} ${coloured('bold', `${clean(topic)}-${partition}`)} @${at}${refused}`,
    `key ${show(key, form)}`,
    ...(shownHeaders === '' ? [] : [`headers ${shownHeaders}`]),
    show(value, form),
  ].join('  ');
}

function arrow({ direction }: { readonly direction: string }): string {
  return direction === 'produced' ? coloured('green', '→') : coloured('yellow', '←');
}

function rangeOf({ firstOffset, lastOffset, records }: ReferenceEvent): string {
  const offsets = firstOffset === null ? 'at unknown offsets' : `@${firstOffset}–${lastOffset ?? '?'}`;
  return `${offsets}, ${records} records:`;
}

/** `null` as it is; text where it is text; else its bytes. */
function show(bytes: Buffer | null, form: ValueForm): string {
  if (bytes === null) return 'null';
  if (form === 'hex' || !isUtf8(bytes)) return hex(bytes);
  const decoded = bytes.toString('utf8');
  const json = form === 'text' ? null : asJson(decoded);
  if (json !== null) return printable(json, shownCharsMax);
  return form === 'json' ? hex(bytes) : printable(JSON.stringify(decoded), shownCharsMax);
}

/** On one line, and only for what reads like a document: a bare word or number is shown as the text it is. */
function asJson(decoded: string): string | null {
  if (!/^\s*[[{]/.test(decoded)) return null;
  try {
    JSON.parse(decoded);
    return decoded.replaceAll(/\s*\n\s*/g, ' ').trim();
  } catch {
    return null;
  }
}

function hex(bytes: Buffer): string {
  const shown = bytes.subarray(0, shownCharsMax / 2).toString('hex');
  return `0x${shown}${bytes.length > shownCharsMax / 2 ? `… (${bytes.length} bytes)` : ''}`;
}

function recordJson({ fate, atMs }: BatchEvent, record: ReplayedRecord, time: string): object {
  const { direction, topic, partition, offset, timestampMs, key, value, headers } = record;
  return {
    type: 'record',
    time,
    at_ms: atMs,
    direction,
    topic,
    partition,
    offset: text(offset),
    timestamp_ms: String(timestampMs),
    key: bytesJson(key),
    value: bytesJson(value),
    headers: headers.map((header) => ({ key: bytesJson(header.key), value: bytesJson(header.value) })),
    fate: fate.kind === 'refused' ? `refused ${fate.code}` : fate.kind,
  };
}

/** Text where it is text; else `{ "base64": … }`. */
function bytesJson(bytes: Buffer | null): string | null | { readonly base64: string } {
  if (bytes === null) return null;
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') };
}

function text(value: bigint | null): string | null {
  return value === null ? null : String(value);
}

function clean(name: string): string {
  return printable(name, shownCharsMax);
}
