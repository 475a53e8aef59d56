/** A gigabyte of records through a gateway that is a process of its own: every record, in order, in bounded memory. */
import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32c } from '@node-rs/crc32';
import { batchOf } from '../../harness/batches.ts';
import { type GatewayProcess, startGatewayProcess } from '../../harness/gateway-process.ts';
import { type Idp, startIdp } from '../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../harness/kafka.ts';
import { WireClient } from '../../harness/wire-client.ts';
import { type CompressionCodec, batches, parseBatch } from '../../src/ports/kafka/protocol/protocol.ts';

const totalBytes = 1_000_000_000;
const partitionCount = 4;
const valueBytesMin = 1_000;
const valueBytesMax = 100_000;
/** Kafka's own limit for a batch is 1048588 bytes. */
const batchValueBytes = 800_000;
const producesInFlight = 4;
/**
 * Node itself with the gateway loaded takes some 130 MB. On top: eight connections with a frame of up to 4 MB (fetch)
 * or 1 MB (produce) being put together, its copy on the way out, and what the collector has not got round to.
 */
const residentBytesMax = 400_000_000;
const codecs: readonly CompressionCodec[] = ['none', 'none', 'lz4', 'snappy', 'zstd', 'gzip'];

const policy = `apiVersion: sluice/v1
kind: Policy
metadata: { name: team }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [stream, flood], actions: [describe, read, write] }
`;

let kafka: KafkaCluster;
let idp: Idp;
let gateway: GatewayProcess;

before(async () => {
  [kafka, idp] = await Promise.all([
    startKafka({ heapMB: 512 }),
    startIdp({ clients: [{ id: 'alice', secret: 'a', groups: ['team'] }] }),
  ]);
  // The batches are numbered by timestamps of 1970: without this the broker would find them old and delete them.
  await kafka.createTopic('stream', { partitions: partitionCount, config: { 'retention.ms': '-1' } });
  await kafka.createTopic('flood');
  gateway = await startGatewayProcess({ kafka, idp, policies: { 'p.yaml': policy } });
});

after(async () => {
  await gateway?.stop();
  await idp?.stop();
  await kafka?.stop();
});

async function authenticated(): Promise<WireClient> {
  const client = await WireClient.connect(gateway.brokerAddress(0));
  assert.equal((await client.authenticate(await idp.token('alice'))).errorCode, 0);
  return client;
}

interface Prepared {
  readonly bytes: Buffer;
  readonly records: number;
  readonly valueBytes: number;
  /** Of its values. */
  readonly digest: Buffer;
}

/** What a partition holds, in order. */
interface Account {
  records: number;
  valueBytes: number;
  digest: string;
}

/** Random values of sizes between the bounds, small ones as likely as large ones on a logarithmic scale. */
function prepare(codec: CompressionCodec): Prepared {
  const values: Buffer[] = [];
  let valueBytes = 0;
  while (valueBytes < batchValueBytes) {
    const size = Math.round(valueBytesMin * (valueBytesMax / valueBytesMin) ** Math.random());
    const value = Buffer.alloc(size);
    // Half of it random: there is something to compress.
    randomFillSync(value, 0, Math.floor(size / 2));
    values.push(value);
    valueBytes += size;
  }
  return { bytes: batchOf(values, codec), records: values.length, valueBytes, digest: digestOf(values) };
}

function digestOf(values: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const value of values) hash.update(`${value.length}:`).update(value);
  return hash.digest();
}

const baseTimestampAt = 27;
const maxTimestampAt = 35;
const crcAt = 17;
const crcFrom = 21;

/** A copy that says which one it is, in its timestamp: no two batches of a partition are alike. */
function numbered(batch: Buffer, number: number): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(BigInt(1_000 + number), baseTimestampAt);
  copy.writeBigInt64BE(BigInt(1_000 + number), maxTimestampAt);
  copy.writeUInt32BE(crc32c(copy.subarray(crcFrom)), crcAt);
  return copy;
}

async function producePartition(partition: number, prepared: readonly Prepared[]): Promise<Account> {
  const client = await authenticated();
  const hash = createHash('sha256');
  const account: Account = { records: 0, valueBytes: 0, digest: '' };
  let sent = 0;
  let answered = 0;
  while (account.valueBytes < totalBytes / partitionCount || answered < sent) {
    while (sent - answered < producesInFlight && account.valueBytes < totalBytes / partitionCount) {
      const batch = prepared[Math.floor(Math.random() * prepared.length)];
      assert.ok(batch);
      client.write(
        client.frame('Produce', 9, {
          acks: 1,
          timeoutMs: 30_000,
          topicData: [{ name: 'stream', partitionData: [{ index: partition, records: numbered(batch.bytes, sent) }] }],
        }),
      );
      hash.update(`${1_000 + sent} ${batch.records} `).update(batch.digest);
      account.records += batch.records;
      account.valueBytes += batch.valueBytes;
      sent += 1;
    }
    const { message } = await client.answer('Produce', 9);
    assert.equal(message.responses[0]?.partitionResponses[0]?.errorCode, 0);
    answered += 1;
  }
  client.close();
  return { ...account, digest: hash.digest('hex') };
}

async function consumePartition(partition: number, enough: () => number): Promise<Account> {
  const client = await authenticated();
  const hash = createHash('sha256');
  const account: Account = { records: 0, valueBytes: 0, digest: '' };
  let offset = 0n;
  while (account.records < enough()) {
    const answer = await client.ask('Fetch', 11, {
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 4_000_000,
      sessionEpoch: -1,
      topics: [{ topic: 'stream', partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 4_000_000 }] }],
    });
    const part = answer.responses[0]?.partitions[0];
    assert.equal(part?.errorCode, 0);
    const bytes = part.records ?? Buffer.alloc(0);
    for (const { position } of batches(bytes)) {
      const { header, records } = parseBatch(bytes, position);
      assert.equal(header.baseOffset, offset, `partition ${partition} goes on without a gap`);
      const values = records.map(({ value }) => value ?? Buffer.alloc(0));
      hash.update(`${header.baseTimestamp} ${values.length} `).update(digestOf(values));
      account.records += values.length;
      for (const value of values) account.valueBytes += value.length;
      offset += BigInt(values.length);
    }
  }
  client.close();
  return { ...account, digest: hash.digest('hex') };
}

/** Looks at the gateway's memory until told to stop. */
function watchMemory(): { stop(): number[] } {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(gateway.memory().residentBytes), 200).unref();
  return {
    stop: () => {
      clearInterval(timer);
      return samples;
    },
  };
}

const mb = (bytes: number): number => Math.round(bytes / 1e6);

test('a gigabyte passes with every record intact and in order, in bounded memory', { timeout: 150_000 }, async (t) => {
  const prepared = codecs.flatMap((codec) => [prepare(codec), prepare(codec), prepare(codec)]);
  const idleBytes = gateway.memory().residentBytes;
  const memory = watchMemory();
  t.after(() => memory.stop());
  const begun = performance.now();
  const partitions = Array.from({ length: partitionCount }, (_, index) => index);
  const expected: (number | undefined)[] = [];
  const producing = partitions.map(async (partition) => {
    const account = await producePartition(partition, prepared);
    expected[partition] = account.records;
    return account;
  });
  const consuming = partitions.map((partition) => consumePartition(partition, () => expected[partition] ?? Infinity));
  const [produced, consumed] = await Promise.all([Promise.all(producing), Promise.all(consuming)]);
  const seconds = (performance.now() - begun) / 1_000;
  const samples = memory.stop();
  assert.deepEqual(consumed, produced);
  const valueBytes = produced.reduce((sum, account) => sum + account.valueBytes, 0);
  const records = produced.reduce((sum, account) => sum + account.records, 0);
  assert.ok(valueBytes >= totalBytes);
  const { peakBytes } = gateway.memory();
  const median = samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
  t.diagnostic(`${mb(valueBytes)} MB in ${records} records, both ways at once in ${seconds.toFixed(1)} s`);
  t.diagnostic(
    `resident memory of the gateway: ${mb(idleBytes)} MB before, median ${mb(median)} MB, peak ${mb(peakBytes)} MB`,
  );
  assert.ok(peakBytes < residentBytesMax, `the gateway took ${mb(peakBytes)} MB`);
});

test(
  'a client that asks for much, reads nothing and goes on sending is held back, and costs bounded memory',
  { timeout: 60_000 },
  async (t) => {
    const idleBytes = gateway.memory().residentBytes;
    const client = await authenticated();
    client.socket.pause();
    const fetches = Array.from({ length: 8 }, () =>
      client.frame('Fetch', 11, {
        replicaId: -1,
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 8_000_000,
        sessionEpoch: -1,
        topics: [{ topic: 'stream', partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 8_000_000 }] }],
      }),
    );
    client.write(Buffer.concat(fetches));
    await sleep(500);
    const flood = client.frame('Produce', 9, {
      acks: 1,
      timeoutMs: 30_000,
      topicData: [{ name: 'flood', partitionData: [{ index: 0, records: batchOf([Buffer.alloc(1_000_000)]) }] }],
    });
    const frames = 400;
    for (let index = 0; index < frames; index += 1) client.write(flood);
    await sleep(3_000);
    const stuckBytes = client.socket.writableLength;
    const grownBytes = gateway.memory().residentBytes - idleBytes;
    t.diagnostic(
      `of ${mb(frames * flood.length)} MB sent, ${mb(stuckBytes)} MB wait at the client; the gateway grew by ${mb(grownBytes)} MB`,
    );
    assert.ok(stuckBytes > (frames * flood.length) / 2, 'the client is held back');
    assert.ok(grownBytes < 150_000_000, `the gateway grew by ${mb(grownBytes)} MB`);
    client.close();
    const other = await authenticated();
    assert.equal((await other.ask('Metadata', 12, { topics: [{ name: 'stream' }] })).topics[0]?.errorCode, 0);
    other.close();
  },
);
