import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { decodeRequest, decodeRequestHeader } from './messages.ts';
import { walkProduce } from './produce-walk.ts';
import { ProtocolError } from './protocol-error.ts';
import { goldenPayloads } from './testing/golden.ts';
import { messageCases } from './testing/message-arbitrary.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';

type Visit = readonly [name: string, ...values: unknown[]];

const versions = Array.from({ length: 11 }, (_, index) => 3 + index);
/** What stands before the body in a payload; its content does not matter. */
const header = Buffer.from('header');

function caseOf(version: number): { message: fc.Arbitrary<object>; encode: (message: object) => Buffer } {
  const entry = messageCases().find(({ label }) => label === `Produce request v${version}`);
  assert.ok(entry);
  return entry;
}

function payloads(version: number): fc.Arbitrary<Buffer> {
  const { message, encode } = caseOf(version);
  return message.map((given) => Buffer.concat([header, encode(given)]));
}

function walked(version: number, payload: Buffer, from: number = header.length): Visit[] {
  const visits: Visit[] = [];
  walkProduce(payload, from, version, {
    begin: (transactionalId, acks, timeoutMs) => visits.push(['begin', transactionalId, acks, timeoutMs]),
    topic: (name, topicId) => visits.push(['topic', name, topicId]),
    partition: (index, start, end) => {
      assert.ok((start === -1 && end === -1) || (start >= from && start <= end && end <= payload.length));
      visits.push(['partition', index, start === -1 ? null : payload.toString('hex', start, end)]);
    },
  });
  return visits;
}

function decoded(version: number, payload: Buffer, from: number = header.length): Visit[] {
  const request = decodeRequest('Produce', version, payload, from);
  return [
    ['begin', request.transactionalId, request.acks, request.timeoutMs],
    ...request.topicData.flatMap((topic): Visit[] => [
      ['topic', topic.name, topic.topicId],
      ...topic.partitionData.map(({ index, records }): Visit => ['partition', index, records?.toString('hex') ?? null]),
    ]),
  ];
}

/** The code of the `ProtocolError` where there is one. */
function outcome(visits: () => Visit[]): Visit[] | string {
  try {
    return visits();
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code} at ${error.byteOffset}`;
    throw error;
  }
}

test('a walk visits what the decoder gives', () => {
  for (const version of versions) {
    fc.assert(
      fc.property(payloads(version), (payload) => {
        assert.deepEqual(walked(version, payload), decoded(version, payload));
      }),
      { numRuns: 60 },
    );
  }
});

test('damaged requests, parts of requests and noise are refused as the decoder refuses them, at the same byte', () => {
  const mutator = new Mutator(fuzzSeed);
  let refused = 0;
  let taken = 0;
  for (const version of versions) {
    for (const payload of fc.sample(payloads(version), { numRuns: 10, seed: fuzzSeed })) {
      for (let left = fuzzIterations * 4; left > 0; left -= 1) {
        const body = mutator.mutate(payload.subarray(header.length));
        const damaged = Buffer.concat([header, body]);
        const expected = outcome(() => decoded(version, damaged));
        assert.deepEqual(
          outcome(() => walked(version, damaged)),
          expected,
          `v${version}, seed ${fuzzSeed}, ${damaged.toString('hex')}`,
        );
        if (typeof expected === 'string') refused += 1;
        else taken += 1;
      }
    }
  }
  assert.ok(refused > taken / 10 && taken > refused / 10, `${refused} refused, ${taken} taken`);
});

test('topics and partitions of null, too many and too few bytes', () => {
  for (const version of versions) {
    const { encode } = caseOf(version);
    const request = encode({
      topicData: [{ name: 'orders', partitionData: [{ index: 1, records: Buffer.from('r') }] }],
    });
    const payload = Buffer.concat([header, request]);
    for (let length = 0; length < payload.length; length += 1) {
      const part = payload.subarray(0, length);
      assert.match(String(outcome(() => walked(version, part))), /^truncated/);
      for (const byte of [0x00, 0x01, 0x7f, 0xff]) {
        const damaged = Buffer.from(payload);
        damaged[length] = byte;
        assert.deepEqual(
          outcome(() => walked(version, damaged)),
          outcome(() => decoded(version, damaged)),
        );
      }
    }
    assert.match(String(outcome(() => walked(version, Buffer.concat([payload, Buffer.alloc(1)])))), /^trailing-bytes/);
  }
});

for (const { file, version, payload } of goldenPayloads('Produce', 'request')) {
  test(`${file}: a walk of what a client sent`, () => {
    const { headerBytes } = decodeRequestHeader(payload);
    const visits = walked(version, payload, headerBytes);
    assert.deepEqual(visits, decoded(version, payload, headerBytes));
    assert.ok(visits.some(([name]) => name === 'partition'));
  });
}

test('a version that is not laid out is refused', () => {
  for (const version of [-1, 2, 14, 3.5, Number.NaN]) {
    assert.throws(() => walked(version, header), { code: 'unsupported-version' });
  }
});
