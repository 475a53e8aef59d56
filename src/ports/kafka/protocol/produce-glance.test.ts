import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { batches, isControl, isTransactional } from './batch-header.ts';
import { decodeRequest, decodeRequestHeader, decodeResponse, encodeRequest, encodeResponse } from './messages.ts';
import { ProduceAnswerGlance, ProduceGlance } from './produce-glance.ts';
import { ProtocolError } from './protocol-error.ts';
import { buildBatch } from './record-batch.ts';
import { goldenPayloads } from './testing/golden.ts';
import { fuzzIterations, fuzzSeed, Mutator } from './testing/mutation.ts';

const versions = Array.from({ length: 11 }, (_, index) => 3 + index);
const topicIdsFrom = 13;
const topicId = 'AAECAwQFBgcICQoLDA0ODw';

function batch(records: number, transactional = false): Buffer {
  const header = {
    baseOffset: 0n,
    partitionLeaderEpoch: 0,
    attributes: transactional ? 0x10 : 0,
    baseTimestamp: 1n,
    maxTimestamp: 1n,
    lastOffsetDelta: records - 1,
    producerId: transactional ? 7n : -1n,
    producerEpoch: transactional ? 0 : -1,
    baseSequence: -1,
  };
  const list = Array.from({ length: records }, (_, offsetDelta) => {
    const value = Buffer.from(`value ${offsetDelta}`);
    return { attributes: 0, timestampDelta: 0n, offsetDelta, key: null, value, headers: [] };
  });
  return buildBatch(header, list);
}

interface Topic {
  readonly name: string;
  readonly partitions: readonly number[];
}

function request(version: number, topics: readonly Topic[], change: object = {}): Buffer {
  const topicData = topics.map(({ name, partitions }) => ({
    ...(version >= topicIdsFrom ? { topicId } : { name }),
    partitionData: partitions.map((index) => ({ index, records: batch(index + 1) })),
  }));
  const header = { correlationId: 77, clientId: 'client' };
  return encodeRequest('Produce', version, header, { acks: -1, timeoutMs: 1_000, topicData, ...change }).subarray(4);
}

const one: readonly Topic[] = [{ name: 'payments', partitions: [3] }];
const many: readonly Topic[] = [
  { name: 'payments', partitions: [0, 1, 2] },
  { name: 'orders', partitions: [5] },
];

type Fact = readonly [topic: string, partition: number, records: number, bytes: number];

/** What the glance gives, or null where it wants a closer look. */
function glanced(payload: Buffer, there: number = payload.length): Fact[] | null {
  const glance = new ProduceGlance();
  // As part of a larger chunk, whose other bytes must not be looked at.
  const chunk = Buffer.concat([Buffer.alloc(5, 0xff), payload.subarray(0, there), Buffer.alloc(3, 0xff)]);
  const complete = there === payload.length;
  const seen = glance.read(chunk, 5, 5 + payload.length, complete ? chunk.length : 5 + there);
  if (!seen) return null;
  return Array.from({ length: glance.count }, (_, at): Fact => {
    return [glance.topicKeys[at] ?? '', glance.partitions[at] ?? -1, glance.records[at] ?? -1, glance.bytes[at] ?? -1];
  });
}

/** The same by the decoder; null where the request is not of the usual kind. */
function decoded(payload: Buffer): Fact[] | null {
  const header = decodeRequestHeader(payload);
  const { transactionalId, acks, topicData } = decodeRequest('Produce', header.apiVersion, payload, header.headerBytes);
  if (transactionalId !== null || acks === 0) return null;
  const facts: Fact[] = [];
  for (const topic of topicData) {
    const key = header.apiVersion >= topicIdsFrom ? topic.topicId : topic.name;
    for (const { index, records } of topic.partitionData) {
      const found = records === null ? [] : [...batches(records)];
      const [only] = found;
      if (records === null || only === undefined || found.length > 1) return null;
      if (isTransactional(only.attributes) || isControl(only.attributes)) return null;
      facts.push([key, index, only.recordsCount, records.length]);
    }
  }
  return facts;
}

test('a glance sees what the decoder reads', () => {
  for (const version of versions) {
    for (const topics of [one, many]) {
      const payload = request(version, topics);
      assert.deepEqual(glanced(payload), decoded(payload), `v${version}`);
      assert.equal(glanced(payload)?.length, topics.flatMap(({ partitions }) => partitions).length);
    }
  }
});

test('whatever is out of the ordinary wants a closer look', () => {
  for (const version of versions) {
    const transactional = [{ index: 0, records: batch(1, true) }];
    const two = [{ index: 0, records: Buffer.concat([batch(1), batch(1)]) }];
    const old = batch(1);
    old[16] = 1;
    const topic = version >= topicIdsFrom ? { topicId } : { name: 'payments' };
    const unusual: [string, object][] = [
      ['acks=0', { acks: 0 }],
      ['a transactional id', { transactionalId: 't' }],
      ['nothing', { topicData: [] }],
      ['a transactional batch', { topicData: [{ ...topic, partitionData: transactional }] }],
      ['two batches', { topicData: [{ ...topic, partitionData: two }] }],
      ['an old batch', { topicData: [{ ...topic, partitionData: [{ index: 0, records: old }] }] }],
      ['no records', { topicData: [{ ...topic, partitionData: [{ index: 0, records: null }] }] }],
      [
        'too few bytes',
        { topicData: [{ ...topic, partitionData: [{ index: 0, records: batch(1).subarray(0, 60) }] }] },
      ],
    ];
    for (const [what, change] of unusual)
      assert.equal(glanced(request(version, one, change)), null, `v${version}: ${what}`);
    const whole = request(version, one);
    assert.equal(glanced(Buffer.concat([whole, Buffer.alloc(1)])), null, 'a byte too many');
    assert.equal(glanced(whole.subarray(0, -1)), null, 'a byte too few');
  }
  const other = request(9, one);
  for (const version of [-1, 0, 2, 14, 32_767]) {
    other.writeInt16BE(version, 2);
    assert.equal(glanced(other), null);
  }
});

test('a topic without partitions is nobody to pass by: no rule is asked about it, and there may be thousands', () => {
  for (const version of versions) {
    assert.equal(glanced(request(version, [...one, { name: 'secrets', partitions: [] }])), null);
    assert.equal(glanced(request(version, [{ name: 'secrets', partitions: [] }, ...one])), null);
  }
});

test('the beginning of a request is enough where all that is missing belongs to its last partition', () => {
  for (const version of versions) {
    for (const [topics, records] of [
      [one, 4],
      [many, 6],
    ] as const) {
      const payload = request(version, topics);
      const tail = version >= 9 ? 3 : 0;
      const needed = payload.length - tail - batch(records).length + 61;
      for (let there = 0; there < payload.length; there += 1) {
        const seen = glanced(payload, there);
        if (there < needed) assert.equal(seen, null, `v${version}: ${there} of ${payload.length}`);
        else assert.deepEqual(seen, decoded(payload), `v${version}: ${there} of ${payload.length}`);
      }
      // Another partition may hide behind a length that is too short for the frame.
      const longer = Buffer.concat([payload, Buffer.alloc(40)]);
      for (let there = needed; there < payload.length; there += 1) assert.equal(glanced(longer, there), null);
    }
  }
});

test('the beginning of a damaged request tells what the decoder reads from the whole, or nothing', () => {
  const mutator = new Mutator(fuzzSeed);
  let seen = 0;
  for (const version of versions) {
    const payload = request(version, many);
    for (let left = fuzzIterations * 20; left > 0; left -= 1) {
      const damaged = mutator.mutate(payload);
      // What has not come is of the last batch, or of the tags behind it.
      const facts = glanced(damaged, damaged.length - 4);
      if (facts === null) continue;
      let whole: Fact[] | null;
      try {
        whole = decoded(damaged);
      } catch (error) {
        // No broker reads it either: what is wrong came after all that was glanced at.
        assert.ok(error instanceof ProtocolError);
        continue;
      }
      seen += 1;
      assert.deepEqual(facts, whole, `v${version}, seed ${fuzzSeed}, ${damaged.toString('hex')}`);
    }
  }
  assert.ok(seen > 50, `only ${seen} were seen`);
});

test('of damaged requests a glance sees what the decoder reads, or nothing', () => {
  const mutator = new Mutator(fuzzSeed);
  let seen = 0;
  for (const version of versions) {
    for (const topics of [one, many]) {
      const payload = request(version, topics);
      for (let left = fuzzIterations * 20; left > 0; left -= 1) {
        const damaged = mutator.mutate(payload);
        const facts = glanced(damaged);
        if (facts === null) continue;
        seen += 1;
        assert.deepEqual(facts, decoded(damaged), `v${version}, seed ${fuzzSeed}, ${damaged.toString('hex')}`);
      }
    }
  }
  assert.ok(seen > 50, `only ${seen} were seen`);
});

test('what real clients sent', () => {
  let seen = 0;
  for (const { file, payload } of goldenPayloads('Produce', 'request')) {
    const facts = glanced(payload);
    if (facts === null) continue;
    seen += 1;
    assert.deepEqual(facts, decoded(payload), file);
  }
  assert.ok(seen >= 3, `only ${seen} were seen`);
});

type AnswerFact = readonly [topic: string, partition: number, baseOffset: number];

function answerGlanced(payload: Buffer, version: number): AnswerFact[] | null {
  const glance = new ProduceAnswerGlance();
  const chunk = Buffer.concat([Buffer.alloc(2, 0xff), payload, Buffer.alloc(9, 0xff)]);
  if (!glance.read(chunk, 2, 2 + payload.length, version, 77)) return null;
  return Array.from({ length: glance.count }, (_, at): AnswerFact => {
    return [glance.topicKeys[at] ?? '', glance.partitions[at] ?? -1, glance.baseOffsets[at] ?? -1];
  });
}

/** `null` where there is more to it than offsets. */
function answerDecoded(payload: Buffer, version: number): AnswerFact[] | null {
  const { correlationId, message } = decodeResponse('Produce', version, payload);
  if (correlationId !== 77 || message.nodeEndpoints.length > 0) return null;
  const facts: AnswerFact[] = [];
  for (const topic of message.responses) {
    for (const partition of topic.partitionResponses) {
      const { errorCode, baseOffset, recordErrors, errorMessage } = partition;
      if (errorCode !== 0 || recordErrors.length > 0 || errorMessage !== null) return null;
      if (baseOffset < 0n || baseOffset > BigInt(Number.MAX_SAFE_INTEGER)) return null;
      facts.push([version >= topicIdsFrom ? topic.topicId : topic.name, partition.index, Number(baseOffset)]);
    }
  }
  return facts;
}

function answer(version: number, change: object = {}): Buffer {
  const partition = { errorCode: 0, baseOffset: 0x12_3456_789an, logAppendTimeMs: -1n, logStartOffset: 0n, ...change };
  const responses = [0, 1].map((topic) => ({
    ...(version >= topicIdsFrom ? { topicId } : { name: `topic-${topic}` }),
    partitionResponses: [0, 1].map((index) => ({ index, ...partition })),
  }));
  return encodeResponse('Produce', version, 77, { responses }).subarray(4);
}

test('a glance at an answer sees what the decoder reads, also of damaged ones, or nothing', () => {
  const mutator = new Mutator(fuzzSeed);
  for (const version of versions) {
    const payload = answer(version);
    assert.equal(answerGlanced(payload, version)?.length, 4);
    assert.deepEqual(answerGlanced(payload, version), answerDecoded(payload, version));
    const unusual: object[] = [{ errorCode: 29 }, { baseOffset: -1n }, { baseOffset: 1n << 53n }];
    if (version >= 8) unusual.push({ errorMessage: 'no' });
    for (const change of unusual) assert.equal(answerGlanced(answer(version, change), version), null);
    for (let left = fuzzIterations * 20; left > 0; left -= 1) {
      const damaged = mutator.mutate(payload);
      const facts = answerGlanced(damaged, version);
      if (facts !== null) assert.deepEqual(facts, answerDecoded(damaged, version), damaged.toString('hex'));
    }
  }
});

test('offsets are read up to the largest safe integer', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) }), (baseOffset) => {
      assert.equal(answerGlanced(answer(13, { baseOffset }), 13)?.[0]?.[2], Number(baseOffset));
    }),
  );
});

test('a reading that ends badly leaves nothing of itself behind', () => {
  const glance = new ProduceGlance();
  const payload = request(13, many);
  assert.equal(glance.read(payload, 0, payload.length, payload.length), true);
  assert.equal(glance.read(payload.subarray(0, 20), 0, 20, 20), false);
  assert.equal(glance.read(payload, 0, payload.length, payload.length), true);
  assert.equal(glance.count, 4);
});
