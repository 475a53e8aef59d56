/** A policy edit on connections that are open: what is taken away stops within a second, what is given back goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf } from '../../harness/batches.ts';
import { type Scene, startScene } from '../../harness/scene.ts';
import { WireClient } from '../../harness/wire-client.ts';
import type { Entry } from '../../src/model/entry.ts';
import { type FetchResponse, batches, errorCodes } from '../../src/ports/kafka/protocol/protocol.ts';

const file = 'team.yaml';
const dayMs = 86_400_000;
/** What the design promises of an edit. */
const liveWithinMs = 1_000;
/** The same holds for what is given back; but that can wait where the machine is busy. */
const backWithinMs = 3_000;

function policy(topics: string, more = ''): string {
  return `apiVersion: sluice/v1
kind: Policy
metadata: { name: team, owner: data-platform }
spec:
  subjects: [{ group: team }]
  allow:
    - { port: orders, topics: [${topics}], actions: [describe, read, write] }
${more}`;
}

const full = policy('payments, other');
const withoutPayments = policy('other');

let scene: Scene;
let shiftMs = 0;

before(async () => {
  scene = await startScene({
    clients: [{ id: 'alice', secret: 'a', groups: ['team'], ttlSeconds: 10 * 86_400 }],
    policies: { [file]: full },
    clock: { nowMs: () => Date.now() + shiftMs },
  });
  for (const topic of ['payments', 'other']) await scene.kafka.createTopic(topic);
});

after(async () => {
  await scene?.stop();
});

beforeEach(async () => {
  await scene.applyPolicy(file, full);
});

/** As a person does it: the file changes, and nobody tells the gateway. */
function edit(text: string): number {
  writeFileSync(join(scene.settings.policyDirectory, file), text);
  return performance.now();
}

async function through(): Promise<WireClient> {
  const client = await WireClient.connect(scene.brokerAddress(0));
  assert.equal((await client.authenticate(await scene.idp.token('alice'))).errorCode, 0);
  return client;
}

/** Past the gateway, on the broker's own listener. */
function direct(): Promise<WireClient> {
  return WireClient.connect(scene.kafka.bootstrap());
}

async function produce(client: WireClient, topic: string, value = 'x'): Promise<number> {
  const message = {
    acks: -1,
    timeoutMs: 5_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf([value]) }] }],
  };
  return (await client.ask('Produce', 9, message)).responses[0]?.partitionResponses[0]?.errorCode ?? -99;
}

function fetchOf(offsets: Readonly<Record<string, bigint>>, maxWaitMs: number) {
  const topics = Object.entries(offsets).map(([topic, fetchOffset]) => ({
    topic,
    partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }],
  }));
  return { replicaId: -1, maxWaitMs, minBytes: 1, maxBytes: 1_000_000, sessionEpoch: -1, topics };
}

interface Fetched {
  readonly errorCode: number;
  readonly records: number;
}

async function fetch(
  client: WireClient,
  offsets: Readonly<Record<string, bigint>>,
  maxWaitMs: number,
): Promise<Map<string, Fetched>> {
  return fetchedOf(await client.ask('Fetch', 11, fetchOf(offsets, maxWaitMs)));
}

function fetchedOf(answer: FetchResponse): Map<string, Fetched> {
  return new Map(
    answer.responses.map(({ topic, partitions: [part] }) => {
      let records = 0;
      for (const batch of batches(part?.records ?? Buffer.alloc(0))) records += batch.recordsCount;
      return [topic, { errorCode: part?.errorCode ?? -99, records }];
    }),
  );
}

async function endOf(topic: string): Promise<bigint> {
  const client = await direct();
  const answer = await client.ask('ListOffsets', 7, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  });
  client.close();
  return answer.topics[0]?.partitions[0]?.offset ?? -1n;
}

function denial(operation: string, since: number, reason = ''): Promise<Entry> {
  return scene.entry(`operation.denied ${operation} payments ${reason}`, (entry) => {
    const data = JSON.stringify(entry.data);
    return (
      entry.type.endsWith('operation.denied') &&
      Date.parse(entry.time) - shiftMs >= since - 1 &&
      data.includes(`"operation":"${operation}"`) &&
      data.includes('"resourceName":"payments"') &&
      data.includes(reason)
    );
  });
}

const denied = errorCodes.TOPIC_AUTHORIZATION_FAILED;

describe('a grant that is taken away', () => {
  test('a long poll that began under the grant delivers nothing that came after it', async () => {
    const since = Date.now();
    const consumer = await through();
    const writer = await direct();
    const offset = await endOf('payments');
    const polling = fetch(consumer, { payments: offset, other: await endOf('other') }, 10_000);
    await sleep(200);
    edit(withoutPayments);
    await sleep(liveWithinMs);
    await produce(writer, 'payments', 'not for you any more');
    const answer = await polling;
    assert.deepEqual(answer.get('payments'), { errorCode: denied, records: 0 });
    await denial('read', since);
    // The connection lives on: what is still granted goes on over it.
    await produce(writer, 'other');
    assert.deepEqual((await fetch(consumer, { other: (await endOf('other')) - 1n }, 5_000)).get('other'), {
      errorCode: 0,
      records: 1,
    });
    consumer.close();
    writer.close();
  });

  test('a fetch session loses what was taken away, though no request names it again, and goes on with the rest', async () => {
    const since = Date.now();
    const consumer = await through();
    const writer = await direct();
    const ends = { payments: await endOf('payments'), other: await endOf('other') };
    const begun = await consumer.ask('Fetch', 11, { ...fetchOf(ends, 10), sessionId: 0, sessionEpoch: 0 });
    assert.notEqual(begun.sessionId, 0);
    const goOn = async (sessionEpoch: number): Promise<Map<string, Fetched>> => {
      const message = { ...fetchOf({}, 10_000), sessionId: begun.sessionId, sessionEpoch };
      const answer = await consumer.ask('Fetch', 11, message);
      assert.deepEqual([answer.errorCode, answer.sessionId], [0, begun.sessionId]);
      return fetchedOf(answer);
    };
    const polling = goOn(1);
    await sleep(200);
    edit(withoutPayments);
    await sleep(liveWithinMs);
    await produce(writer, 'payments', 'not for you any more');
    assert.deepEqual(await polling, new Map([['payments', { errorCode: denied, records: 0 }]]));
    await denial('read', since);
    const next = goOn(2);
    await sleep(100);
    await produce(writer, 'payments', 'nor this');
    await produce(writer, 'other');
    const both = new Map([
      ['other', { errorCode: 0, records: 1 }],
      ['payments', { errorCode: denied, records: 0 }],
    ]);
    assert.deepEqual(await next, both);
    consumer.close();
    writer.close();
  });

  test('a stream stops within a second of the edit and goes on after the grant is back, over the same connection', async (t) => {
    const consumer = await through();
    const writer = await direct();
    const enough = new AbortController();
    const written = (async () => {
      while (!enough.signal.aborted) {
        await produce(writer, 'payments');
        await sleep(5);
      }
    })();
    let offset = await endOf('payments');
    /** Reads on until the condition holds; tells when records came last. */
    const read = async (satisfied: (code: number) => boolean): Promise<number> => {
      let lastMs = 0;
      for (;;) {
        const { errorCode, records } = (await fetch(consumer, { payments: offset }, 100)).get('payments') ?? {
          errorCode: -99,
          records: 0,
        };
        offset += BigInt(records);
        if (records > 0) lastMs = performance.now();
        if (satisfied(errorCode)) return lastMs;
      }
    };
    let count = 0;
    await read(() => (count += 1) > 20);
    const editedMs = edit(withoutPayments);
    const lastMs = await read((code) => code === denied);
    const stoppedAfterMs = lastMs - editedMs;
    assert.ok(stoppedAfterMs < liveWithinMs, `records came ${stoppedAfterMs} ms after the edit`);
    for (let index = 0; index < 10; index += 1)
      assert.deepEqual((await fetch(consumer, { payments: offset }, 50)).get('payments'), {
        errorCode: denied,
        records: 0,
      });
    const restoredMs = edit(full);
    await read((code) => code === 0);
    const backAfterMs = performance.now() - restoredMs;
    assert.ok(backAfterMs < backWithinMs, `back ${backAfterMs} ms after the edit`);
    assert.equal(consumer.closed, false);
    t.diagnostic(
      `stopped ${Math.max(0, Math.round(stoppedAfterMs))} ms after the edit, back after ${Math.round(backAfterMs)} ms`,
    );
    enough.abort();
    await written;
    consumer.close();
    writer.close();
  });

  test('a producer in the middle of its stream is refused, nothing more is written, and goes on when the grant is back', async (t) => {
    const since = Date.now();
    const producer = await through();
    for (let index = 0; index < 20; index += 1) assert.equal(await produce(producer, 'payments'), 0);
    const editedMs = edit(withoutPayments);
    while ((await produce(producer, 'payments')) === 0) await sleep(2);
    const stoppedAfterMs = performance.now() - editedMs;
    assert.ok(stoppedAfterMs < liveWithinMs);
    const end = await endOf('payments');
    for (let index = 0; index < 20; index += 1) assert.equal(await produce(producer, 'payments'), denied);
    assert.equal(await produce(producer, 'other'), 0);
    assert.equal(await endOf('payments'), end);
    await denial('write', since);
    edit(full);
    const restoredMs = performance.now();
    while ((await produce(producer, 'payments')) !== 0) await sleep(2);
    assert.ok(performance.now() - restoredMs < backWithinMs);
    assert.equal(producer.closed, false);
    t.diagnostic(`stopped ${Math.round(stoppedAfterMs)} ms after the edit`);
    producer.close();
  });

  test('a deny rule that is added wins over the grant', async () => {
    const since = Date.now();
    const producer = await through();
    assert.equal(await produce(producer, 'payments'), 0);
    const editedMs = edit(
      policy('payments, other', '  deny:\n    - { port: orders, topics: [payments], actions: ["*"] }\n'),
    );
    while ((await produce(producer, 'payments')) === 0) await sleep(2);
    assert.ok(performance.now() - editedMs < liveWithinMs);
    assert.equal(await produce(producer, 'other'), 0);
    const entry = await denial('write', since, '"effect":"deny"');
    assert.match(JSON.stringify(entry.data), /"rule":\{"effect":"deny","index":0,"policy":"team"/);
    producer.close();
  });

  test('taking the whole file away takes all of it away', async () => {
    const producer = await through();
    assert.equal(await produce(producer, 'payments'), 0);
    const editedMs = edit('');
    while ((await produce(producer, 'payments')) === 0) {
      assert.ok(performance.now() - editedMs < 3 * liveWithinMs, 'an empty policy file grants nothing');
      await sleep(2);
    }
    producer.close();
  });
});

describe('an edit that is broken', () => {
  test('is reported with its place, and the last good revision stays in force', async () => {
    const since = Date.now();
    const producer = await through();
    assert.equal(await produce(producer, 'payments'), 0);
    const revision = scene.gateway.policyRevision;
    edit(policy('payments, other').replace('actions', 'acts'));
    const entry = await scene.entry(
      'policy.rejected',
      (one) => one.type.endsWith('policy.rejected') && Date.parse(one.time) >= since - 1,
    );
    assert.ok(Date.parse(entry.time) - since < 2 * liveWithinMs);
    const data = entry.data as {
      revision_in_force: string;
      problems: { path: string; line: number; message: string }[];
    };
    assert.equal(data.revision_in_force, revision);
    assert.equal(data.problems[0]?.path, file);
    assert.equal(data.problems[0]?.line, 7);
    assert.equal(scene.gateway.policyRevision, revision);
    assert.equal(await produce(producer, 'payments'), 0);
    const { ready, checks } = scene.gateway.readiness();
    assert.equal(ready, true);
    assert.match(checks.find(({ name }) => name === 'policy')?.detail ?? '', /rejected/);
    producer.close();
  });
});

describe('a review date', () => {
  test('lapses on an open connection, without an edit', async () => {
    const since = Date.now();
    const by = new Date(Date.now() + dayMs).toISOString().slice(0, 10);
    await scene.applyPolicy(file, policy('payments, other', `  review: { by: ${by} }\n`));
    const producer = await through();
    assert.equal(await produce(producer, 'payments'), 0);
    try {
      shiftMs = 2 * dayMs;
      assert.equal(await produce(producer, 'payments'), denied);
      await denial('write', since);
    } finally {
      shiftMs = 0;
    }
    assert.equal(await produce(producer, 'payments'), 0);
    producer.close();
  });
});
