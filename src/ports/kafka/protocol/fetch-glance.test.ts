import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FetchAnswerGlance } from './fetch-glance.ts';
import type { FetchResponsePartitionData } from './messages.gen.ts';
import { encodeResponse } from './messages.ts';
import { buildBatch } from './record-batch.ts';
import { plainHeader, plainRecord } from './testing/batch-arbitrary.ts';
import { expectedEvents, fetchPayloads } from './testing/fetch-events.ts';
import { goldenPayloads } from './testing/golden.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';
import type { Draft } from './values.ts';

const versions = Array.from({ length: 15 }, (_, index) => 4 + index);
const topicId = 'AAECAwQFBgcICQoLDA0ODw';

type Fact = readonly [
  topic: unknown,
  partition: unknown,
  first: unknown,
  last: unknown,
  records: unknown,
  bytes: unknown,
];

/** What the glance gives, and the session's id; `null` where it wants a closer look. */
function glanced(version: number, payload: Buffer): { sessionId: number; facts: Fact[] } | null {
  const glance = new FetchAnswerGlance();
  const chunk = Buffer.concat([Buffer.alloc(3, 0xff), payload, Buffer.alloc(5, 0xff)]);
  const correlationId = payload.length < 4 ? 0 : payload.readInt32BE(0);
  if (!glance.read(chunk, 3, 3 + payload.length, version, correlationId)) return null;
  const facts = Array.from({ length: glance.count }, (_, at): Fact => {
    const { topicKeys, partitions, firsts, lasts, records, bytes } = glance;
    return [topicKeys[at], partitions[at], BigInt(firsts[at] ?? -1), BigInt(lasts[at] ?? -1), records[at], bytes[at]];
  });
  return { sessionId: glance.sessionId, facts };
}

/** The same by the decoder. */
function decoded(version: number, payload: Buffer): { sessionId: number; facts: Fact[] } {
  let sessionId = 0;
  let topic: unknown;
  const facts: Fact[] = [];
  for (const [name, ...values] of expectedEvents(version, payload)) {
    if (name === 'head') {
      assert.equal(values[0], 0, 'an error is for a closer look');
      sessionId = Number(values[1]);
    } else if (name === 'topic') topic = version >= 13 ? values[1] : values[0];
    else if (name === 'records') facts.push([topic, values[0], values[1], values[2], values[3], values[4]]);
    else if (name === 'brokers') assert.fail('addresses must not pass');
  }
  return { sessionId, facts };
}

function batchOf(baseOffset: bigint, count: number, attributes: number = 0): Buffer {
  const records = Array.from({ length: count }, (_, index) => plainRecord(index, Buffer.from(`value ${index}`)));
  return buildBatch({ ...plainHeader(attributes, count), baseOffset }, records);
}

function answer(version: number, partitions: readonly Draft<FetchResponsePartitionData>[], rest: object = {}): Buffer {
  const topic = { topic: 'orders', topicId, partitions: [...partitions] };
  const session = version >= 7 ? { sessionId: 4_711 } : {};
  return encodeResponse('Fetch', version, 5, { responses: [topic], ...session, ...rest }).subarray(4);
}

/** An answer as brokers mostly give it. */
function usual(version: number): Buffer {
  const several = Buffer.concat([batchOf(10n, 3), batchOf(13n, 1, 0x20), batchOf(14n, 2)]);
  return answer(version, [
    { partitionIndex: 0, records: several },
    { partitionIndex: 1, records: Buffer.alloc(0) },
    { partitionIndex: 2, records: Buffer.concat([batchOf(1n << 40n, 1), batchOf(9n, 1).subarray(0, 40)]) },
  ]);
}

test('a glance sees what the decoder gives', () => {
  for (const version of versions) {
    const payload = usual(version);
    const seen = glanced(version, payload);
    assert.equal(seen?.facts.length, 2);
    assert.deepEqual(seen, decoded(version, payload), `v${version}`);
    for (let length = 0; length < payload.length; length += 1)
      assert.equal(glanced(version, payload.subarray(0, length)), null);
    assert.equal(glanced(version, Buffer.concat([payload, Buffer.alloc(1)])), null);
  }
  for (const version of [3, 19, -1]) assert.equal(glanced(version, usual(12)), null);
});

test('of any answer, and of damaged ones, a glance sees what the decoder gives, or nothing', () => {
  const mutator = new Mutator(fuzzSeed);
  let seen = 0;
  const hold = (version: number, payload: Buffer): void => {
    const glance = glanced(version, payload);
    if (glance === null) return;
    seen += 1;
    assert.deepEqual(glance, decoded(version, payload), `v${version}, seed ${fuzzSeed}, ${payload.toString('hex')}`);
  };
  for (const version of versions) {
    fc.assert(
      fc.property(fetchPayloads(version), (payload) => hold(version, payload)),
      { numRuns: 15 },
    );
    const payload = usual(version);
    for (let left = fuzzIterations * 20; left > 0; left -= 1) hold(version, mutator.mutate(payload));
  }
  assert.ok(seen > 100, `only ${seen} were seen`);
});

test('whatever is out of the ordinary wants a closer look', () => {
  for (const version of versions) {
    const old = batchOf(1n, 1);
    old[16] = 1;
    const unusual: [string, Buffer][] = [
      ['an aborted transaction', answer(version, [{ abortedTransactions: [{ producerId: 1n, firstOffset: 2n }] }])],
      ['an old batch', answer(version, [{ records: old }])],
      ['an offset beyond 53 bits', answer(version, [{ records: batchOf(1n << 53n, 1) }])],
    ];
    if (version >= 7) unusual.push(['an error', answer(version, [], { errorCode: 70 })]);
    if (version >= 12)
      unusual.push(['a leader', answer(version, [{ currentLeader: { leaderId: 1, leaderEpoch: 1 } }])]);
    const nodeEndpoints = [{ nodeId: 1, host: 'broker-1.internal', port: 9092, rack: null }];
    if (version >= 16) unusual.push(['addresses', answer(version, [{}], { nodeEndpoints })]);
    for (const [what, payload] of unusual) assert.equal(glanced(version, payload), null, `v${version}: ${what}`);
  }
});

test('what real brokers answered', () => {
  let seen = 0;
  for (const { file, version, payload } of goldenPayloads('Fetch', 'response')) {
    const glance = glanced(version, payload);
    if (glance === null) continue;
    seen += 1;
    assert.deepEqual(glance, decoded(version, payload), file);
  }
  assert.ok(seen >= 5, `only ${seen} were seen`);
});
