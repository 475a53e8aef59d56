import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { walkFetch } from './fetch-walk.ts';
import { decodeRequest, decodeRequestHeader, encodeRequest } from './messages.ts';
import { goldenPayloads } from './testing/golden.ts';
import { messageCases } from './testing/message-arbitrary.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';
import { zeroUuid } from './values.ts';

type Visit = readonly [name: string, ...values: unknown[]];

const versions = Array.from({ length: 15 }, (_, index) => 4 + index);
/** What stands before the body in a payload; its content does not matter. */
const header = Buffer.from('header');

function caseOf(version: number): { message: fc.Arbitrary<object>; encode: (message: object) => Buffer } {
  const entry = messageCases().find(({ label }) => label === `Fetch request v${version}`);
  assert.ok(entry);
  return entry;
}

function payloads(version: number): fc.Arbitrary<Buffer> {
  const { message, encode } = caseOf(version);
  return message.map((given) => Buffer.concat([header, encode(given)]));
}

/** As consumers send it: without a tag, so that the walk must go through. */
function plainPayloads(version: number): fc.Arbitrary<Buffer> {
  const { message, encode } = caseOf(version);
  return message.map((given) => Buffer.concat([header, encode(withoutTags(given as Record<string, unknown>))]));
}

const tagged = ['unknownTags', 'clusterId', 'replicaState', 'replicaDirectoryId', 'highWatermark'];

function withoutTags(message: Record<string, unknown>): Record<string, unknown> {
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
      ? withoutTags(value as Record<string, unknown>)
      : value;
  };
  return Object.fromEntries(
    Object.entries(message)
      .filter(([name]) => !tagged.includes(name))
      .map(([name, value]) => [name, plain(value)]),
  );
}

/** `null` where the walk leaves it to the decoder. */
function walked(version: number, payload: Buffer, from: number = header.length): Visit[] | null {
  const visits: Visit[] = [];
  const ended = walkFetch(payload, from, payload.length, version, {
    begin: (replicaId, sessionId, sessionEpoch, epochAt) => {
      if (epochAt >= 0) assert.equal(payload.readInt32BE(epochAt), sessionEpoch);
      visits.push(['begin', replicaId, sessionId, sessionEpoch]);
    },
    topic: (name, topicId) => visits.push(['topic', name, topicId]),
    partition: (index) => visits.push(['partition', index]),
    forgottenTopic: (name, topicId) => visits.push(['forgotten topic', name, topicId]),
    forgottenPartition: (index) => visits.push(['forgotten', index]),
  });
  return ended ? visits : null;
}

function decoded(version: number, payload: Buffer, from: number = header.length): Visit[] {
  const request = decodeRequest('Fetch', version, payload, from);
  return [
    ['begin', request.replicaId, request.sessionId, request.sessionEpoch],
    ...request.topics.flatMap((topic): Visit[] => [
      ['topic', topic.topic, topic.topicId],
      ...topic.partitions.map(({ partition }): Visit => ['partition', partition]),
    ]),
    ...request.forgottenTopicsData.flatMap((topic): Visit[] => [
      ['forgotten topic', topic.topic, topic.topicId],
      ...topic.partitions.map((partition): Visit => ['forgotten', partition]),
    ]),
  ];
}

test('a walk visits what the decoder gives, of every request without a tag', () => {
  for (const version of versions) {
    fc.assert(
      fc.property(plainPayloads(version), (payload) => {
        assert.deepEqual(walked(version, payload), decoded(version, payload));
      }),
      { numRuns: 20 },
    );
  }
});

test('a request with any tag is left to the decoder, and never half of it', () => {
  let left = 0;
  for (const version of versions) {
    for (const payload of fc.sample(payloads(version), { numRuns: 10, seed: fuzzSeed })) {
      const visits = walked(version, payload);
      if (visits === null) left += 1;
      else assert.deepEqual(visits, decoded(version, payload));
    }
  }
  assert.ok(left > 0);
  const asReplica = encodeRequest('Fetch', 17, { correlationId: 1, clientId: 'x' }, { replicaState: { replicaId: 1 } });
  const replica = asReplica.subarray(4);
  assert.equal(walked(17, replica, decodeRequestHeader(replica).headerBytes), null, 'a replica says so in a tag');
});

test('what a walk takes of damaged requests and of noise the decoder reads the same', () => {
  const mutator = new Mutator(fuzzSeed);
  const counts = { left: 0, taken: 0 };
  for (const version of versions) {
    for (const payload of fc.sample(plainPayloads(version), { numRuns: 5, seed: fuzzSeed })) {
      for (let left = fuzzIterations; left > 0; left -= 1) {
        const damaged = Buffer.concat([header, mutator.mutate(payload.subarray(header.length))]);
        const visits = walked(version, damaged);
        counts[visits === null ? 'left' : 'taken'] += 1;
        if (visits === null) continue;
        assert.deepEqual(
          visits,
          decoded(version, damaged),
          `v${version}, seed ${fuzzSeed}, ${damaged.toString('hex')}`,
        );
      }
    }
  }
  const { left, taken } = counts;
  assert.ok(left > taken / 10 && taken > left / 10, `${left} left to the decoder, ${taken} taken`);
});

test('a part of a request, one with a byte too many and any other value of any byte', () => {
  for (const version of versions) {
    const { encode } = caseOf(version);
    const request = encode({
      topics: [{ topic: 'orders', partitions: [{ partition: 1 }] }],
      forgottenTopicsData: version >= 7 ? [{ topic: 'orders', partitions: [2] }] : [],
    });
    const payload = Buffer.concat([header, request]);
    for (let length = 0; length < payload.length; length += 1) {
      assert.equal(walked(version, payload.subarray(0, length)), null);
      for (const byte of [0x00, 0x01, 0x7f, 0xff]) {
        const damaged = Buffer.from(payload);
        damaged[length] = byte;
        const visits = walked(version, damaged);
        if (visits !== null) assert.deepEqual(visits, decoded(version, damaged));
      }
    }
    assert.equal(walked(version, Buffer.concat([payload, Buffer.alloc(1)])), null);
  }
});

test('a walk stays within its bytes', () => {
  const payload = encodeRequest('Fetch', 17, { correlationId: 1, clientId: 'x' }, {}).subarray(4);
  const { headerBytes } = decodeRequestHeader(payload);
  const among = Buffer.concat([Buffer.alloc(7, 0xff), payload, Buffer.alloc(7, 0xff)]);
  const visitor = { begin() {}, topic() {}, partition() {}, forgottenTopic() {}, forgottenPartition() {} };
  assert.equal(walkFetch(among, 7 + headerBytes, 7 + payload.length, 17, visitor), true);
  assert.equal(walkFetch(among, 7 + headerBytes, 8 + payload.length, 17, visitor), false);
});

for (const { file, version, payload } of goldenPayloads('Fetch', 'request')) {
  test(`${file}: a walk of what a client sent`, () => {
    const { headerBytes } = decodeRequestHeader(payload);
    const visits = walked(version, payload, headerBytes);
    assert.deepEqual(visits, decoded(version, payload, headerBytes));
  });
}

test('a version that is not laid out is left to the decoder', () => {
  for (const version of [-1, 3, 19, 4.5, Number.NaN]) assert.equal(walked(version, header), null);
});

test('before version 13 a topic has no id, from then on no name', () => {
  const named = { topics: [{ topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [{ partition: 1 }] }] };
  for (const version of [12, 13]) {
    const payload = encodeRequest('Fetch', version, { correlationId: 1, clientId: 'x' }, named).subarray(4);
    const topic = walked(version, payload, decodeRequestHeader(payload).headerBytes)?.find(
      ([name]) => name === 'topic',
    );
    assert.deepEqual(topic, version === 12 ? ['topic', 'orders', zeroUuid] : ['topic', '', named.topics[0]?.topicId]);
  }
});
