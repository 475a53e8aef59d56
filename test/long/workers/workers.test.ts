/**
 * Stock clients of Java and librdkafka through a gateway of two workers, one of which is killed again and again: every
 * record comes once, in transactions and without, and no connection of the other worker ends.
 *
 * SLUICE_LONG_BUDGET=short kills twice in each test instead of ten.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../src/lib/errors.ts';
import { assertCopied, filledTopic } from '../clients/cells.ts';
import type { Client } from '../clients/client.ts';
import { confluentPython } from '../clients/confluent-python.ts';
import { java } from '../clients/java.ts';
import type { CopyAnswer, SteadyAnswer } from '../clients/task.ts';
import { type WorkersGround, startWorkersGround } from './ground.ts';

const kills = process.env['SLUICE_LONG_BUDGET'] === 'short' ? 2 : 10;
/** A worker that ends sooner than ten seconds after it came counts as one that cannot start, and its successor waits. */
const betweenKillsMs = 5_500;
const intervalMs = 4;
const copiedBetweenKills = 500;
const keys = 8;
/** What the log of a client says of a connection that it did not close itself. */
const disconnects = / Node -?\d+ disconnected\.| Disconnected: .*\(after \d+ms in state UP/g;

const clients: readonly Client[] = [java, confluentPython];
/** In librdkafka, sending offsets to a transaction may never return where its connection ends meanwhile, straight at a broker too (confluentinc/librdkafka#5456). */
const copiers: readonly Client[] = [java];
let ground: WorkersGround;
const absent = new Map<Client, string>();

before(async () => {
  ground = await startWorkersGround();
  for (const client of clients) await client.prepare().catch((error: unknown) => absent.set(client, messageOf(error)));
});

after(async () => {
  await ground?.stop();
});

/** Kills as often as is wanted, each time after `ready`; holds that only connections of killed workers ended. */
async function killOver<Answer>(
  work: (said: (log: string) => void) => Promise<Answer>,
  ready: (kill: number, running: () => boolean) => Promise<void>,
): Promise<{ readonly answer: Answer; readonly ends: Ends }> {
  let log = '';
  const state = { running: true };
  const answer = work((text) => (log = text)).finally(() => (state.running = false));
  answer.catch(() => {});
  let noticed = 0;
  for (let kill = 0; kill < kills && state.running; kill += 1) {
    await ready(kill, () => state.running);
    if (!state.running) throw new Error(`the client ended before kill ${kill + 1}`, { cause: await answer });
    noticed += await ground.killWorker();
  }
  const done = await answer;
  const own = log.match(disconnects)?.length ?? 0;
  return { answer: done, ends: { own, noticed: noticed + own, lost: ground.connectionsLost() } };
}

/** Connections that ended and were not closed by the client. */
interface Ends {
  /** Those of the client under test, as its log says. */
  readonly own: number;
  /** Those, and idle ones. */
  readonly noticed: number;
  /** What the killed workers held, as the audit log says. */
  readonly lost: number;
}

function assertOnlyTheirs({ own, noticed, lost }: Ends): string {
  assert.ok(own > 0, 'the client had no connection with a worker that was killed');
  assert.ok(noticed <= lost, `${noticed} connections ended, of ${lost} that died with their workers`);
  return `${kills} deaths took ${lost} connections, ${own} of them seen by the client to end`;
}

for (const client of clients) {
  test(`${client.name}: an idempotent producer and a group go on over ${kills} deaths`, async (t) => {
    if (absent.has(client)) return t.skip(absent.get(client));
    const topic = await ground.openTopic(client.id);
    const seconds = ((kills + 1) * (betweenKillsMs + 1_500)) / 1_000;
    const count = Math.round((seconds * 1_000) / intervalMs);
    const { answer, ends } = await killOver<SteadyAnswer>(
      (said) =>
        client.run<SteadyAnswer>(
          {
            ...ground.task(client.id, seconds * 1_000 + 60_000),
            step: 'steady',
            topic,
            group: `${topic}-group`,
            groupProtocol: 'classic',
            count,
            intervalMs,
          },
          said,
        ),
      () => sleep(betweenKillsMs),
    );
    const all = Array.from({ length: count }, (_, index) => index);
    assert.deepEqual(answer.failures, [], 'what failed for good');
    assert.deepEqual(sorted(answer.acknowledged), all, 'records acknowledged');
    const stored = await ground.readTopic(topic, count, 20_000);
    assert.deepEqual(sorted(stored.map(({ value }) => Number(value))), all, 'records in the topic');
    assertInOrder(stored.map(({ value }) => Number(value)));
    assert.deepEqual(sorted(answer.received.map(({ value }) => Number(value))), all, 'records the group was given');
    assertInOrder(answer.received.map(({ value }) => Number(value)));
    t.diagnostic(`${client.name}: ${count} records; ${assertOnlyTheirs(ends)}`);
  });
}

for (const client of copiers) {
  test(`${client.name}: a copy in transactions goes on over ${kills} deaths`, async (t) => {
    if (absent.has(client)) return t.skip(absent.get(client));
    const count = (kills + 1) * copiedBetweenKills;
    const from = await filledTopic(ground, `${client.id}-from`, count);
    const to = await ground.openTopic(`${client.id}-to`);
    const { answer, ends } = await killOver<CopyAnswer>(
      (said) =>
        client.run<CopyAnswer>(
          {
            ...ground.task(`${client.id}-copier`, 90_000),
            step: 'copy',
            from,
            to,
            group: `${from}-copy`,
            transactionalId: `${from}-copy`,
            deniedTransactionalId: 'shut',
            batch: 10,
            count,
          },
          said,
        ),
      async (kill, running) => {
        const due = (kill + 0.5) * copiedBetweenKills;
        while (running() && (await ground.endOf(to)) < due) await sleep(50);
      },
    );
    await assertCopied(ground, to, count);
    assert.ok(answer.aborted > 0, 'no transaction was aborted');
    t.diagnostic(`${client.name}: ${count} records in transactions; ${assertOnlyTheirs(ends)}`);
  });
}

function sorted(values: readonly number[]): number[] {
  return values.toSorted((left, right) => left - right);
}

/** Those of a key go to one partition, and keys are dealt in turn. */
function assertInOrder(values: readonly number[]): void {
  const last = new Map<number, number>();
  for (const value of values) {
    const previous = last.get(value % keys) ?? -1;
    assert.ok(previous < value, `${value} came behind ${previous}`);
    last.set(value % keys, value);
  }
}
