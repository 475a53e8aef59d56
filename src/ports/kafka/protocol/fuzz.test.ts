/** Damaged bytes into every decoder of messages: only `ProtocolError` may come out, and never more than the bytes can hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { apis } from './apis.ts';
import { FrameReader } from './frames.ts';
import { decodeData, decodeRequestHeader, encodeData, encodeRequest } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';
import { messageCases } from './testing/message-arbitrary.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';

/** Runs a decoder on damaged bytes; true where it took them. */
function decodes(label: string, bytes: Buffer, decode: (bytes: Buffer) => unknown): boolean {
  try {
    const elements = elementsOf(decode(bytes));
    assert.ok(elements <= bytes.length, `${elements} elements from ${bytes.length} bytes`);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError && error.byteOffset >= 0 && error.byteOffset <= bytes.length) return false;
    throw new Error(`${label}, seed ${fuzzSeed}, bytes ${bytes.toString('hex')}: ${String(error)}`, { cause: error });
  }
}

function elementsOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, element) => sum + elementsOf(element), value.length);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 0;
  return Object.values(value).reduce((sum: number, field) => sum + elementsOf(field), 0);
}

test('damaged bodies of every API, version and direction', () => {
  const mutator = new Mutator(fuzzSeed);
  let refused = 0;
  let taken = 0;
  for (const entry of messageCases()) {
    for (const message of fc.sample(entry.message, { numRuns: 2, seed: fuzzSeed })) {
      const body = entry.encode(message);
      for (let left = fuzzIterations; left > 0; left -= 1) {
        if (decodes(entry.label, mutator.mutate(body), entry.decode)) taken += 1;
        else refused += 1;
      }
    }
  }
  // Damage to a value is a message still; damage to a length is not. Both must have been tried.
  assert.ok(refused > taken / 10 && taken > 0, `${refused} refused, ${taken} taken`);
});

test('bytes that are nothing, for every API, version and direction', () => {
  const mutator = new Mutator(fuzzSeed);
  for (const entry of messageCases()) {
    for (let left = Math.ceil(fuzzIterations / 4); left > 0; left -= 1) {
      const noise = Buffer.from(Array.from({ length: mutator.next(60) }, () => mutator.next(256)));
      decodes(entry.label, noise, entry.decode);
    }
  }
});

test('damaged request headers', () => {
  const mutator = new Mutator(fuzzSeed);
  for (const row of apis) {
    const frame = encodeRequest(row.name, row.maxVersion, { correlationId: 1, clientId: 'client' }, {});
    for (let left = fuzzIterations; left > 0; left -= 1) {
      decodes(`${row.name} header`, mutator.mutate(frame.subarray(4, 40)), decodeRequestHeader);
    }
  }
});

test('damaged group metadata', () => {
  const mutator = new Mutator(fuzzSeed);
  const subscription = encodeData('ConsumerProtocolSubscription', 3, {
    topics: ['a', 'b'],
    userData: Buffer.from('x'),
    ownedPartitions: [{ topic: 'a', partitions: [0, 1] }],
    rackId: 'r',
  });
  for (let left = fuzzIterations * 20; left > 0; left -= 1) {
    decodes('subscription', mutator.mutate(subscription), (bytes) =>
      decodeData('ConsumerProtocolSubscription', 3, bytes, 0),
    );
  }
});

test('damaged streams of frames', () => {
  const mutator = new Mutator(fuzzSeed);
  const frame = encodeRequest('Metadata', 12, { correlationId: 1, clientId: 'client' }, {});
  const stream = Buffer.concat([frame, frame, frame]);
  for (let left = fuzzIterations * 20; left > 0; left -= 1) {
    decodes('frames', mutator.mutate(stream), (bytes) => {
      const reader = new FrameReader(1_000);
      for (let at = 0; at < bytes.length; at += 10) {
        reader.push(bytes.subarray(at, at + 10));
        while (reader.next() !== null);
        assert.ok(reader.bufferedBytes <= 1_000 + 10);
      }
    });
  }
});

test('a count that the bytes cannot hold is refused before anything is made of it', () => {
  // Metadata request v1: an array of names, each of two bytes at least.
  const body = Buffer.alloc(4 + 1_000);
  for (const count of [501, 1_000_000, 1_000_001, 0x7fff_ffff, -2]) {
    body.writeInt32BE(count);
    const entry = messageCases().find(({ label }) => label === 'Metadata request v1');
    assert.throws(() => entry?.decode(body), ProtocolError);
  }
});
