/** Kafka Streams with exactly_once_v2: a copy and a count per key, through kills and several lifetimes of its token. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../src/lib/errors.ts';
import { assertCopied, common } from './cells.ts';
import type { Client } from './client.ts';
import { type Ground, briefSeconds } from './ground.ts';
import { type JavaPrograms, javaPrograms } from './java-programs.ts';
import type { Streams } from './task.ts';

const version = '4.2.1';
const elsewhere = 'the same client as in the rows of Java';
const keys = 8;
/** Written at this pace, so that the work goes on over several lifetimes of the token. */
const perSecond = 50;
const seconds = briefSeconds * 3;

let programs: Promise<JavaPrograms> | undefined;

export const kafkaStreams: Client = {
  name: `Kafka Streams ${version}`,
  id: 'streams',
  without: {
    callback: elsewhere,
    OIDC: elsewhere,
    PLAIN: elsewhere,
    mTLS: elsewhere,
    're-auth': 'in the cell of transactions, with tokens of seconds',
    classic: elsewhere,
    'KIP-848': elsewhere,
    share: elsewhere,
    admin: 'makes its internal topics in the cell of transactions',
  },
  async prepare() {
    await compiled();
  },
  run: () => Promise.reject(new Error('Kafka Streams has only the cell of transactions')),
  transactions: async (ground) => await copyAndCount(ground, await compiled()),
};

function compiled(): Promise<JavaPrograms> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-streams-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  programs ??= javaPrograms('kafka-streams', version, folder);
  return programs;
}

async function copyAndCount(ground: Ground, java: JavaPrograms): Promise<string> {
  const [from, to, counts] = [
    await ground.openTopic('streams-from'),
    await ground.openTopic('streams-to'),
    await ground.openTopic('streams-counts'),
  ];
  const task: Streams = {
    ...common(ground, ground.auth('oidc', true), 'streams-brief'),
    step: 'streams',
    from,
    to,
    counts,
    applicationId: from,
    stateFolder: mkdtempSync(join(ground.folder, 'state-')),
  };
  const count = perSecond * seconds;
  const written = writeSteadily(ground, from, count);
  const first = java.start('Streams', task);
  if (!(await until(async () => (await ground.endOf(to)) > count / 4, first)))
    throw new Error(`Streams copied nothing within a minute:\n${first.log().slice(-6_000)}`);
  await first.stop();
  const second = java.start('Streams', task);
  try {
    await written;
    await assertCopied(ground, to, count);
    await assertCounted(ground, counts, count);
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${second.log().slice(-3_000)}`, { cause: error });
  } finally {
    await second.stop(10_000);
  }
  const renewals = ground.renewals('streams-brief');
  return `1 kill, ${renewals} renewals`;
}

/** Every count of every key once and in order: 1, 2, 3 … */
async function assertCounted(ground: Ground, counts: string, count: number): Promise<void> {
  const stored = await ground.readTopic(counts, count, 60_000);
  const reached = new Map<string, number>();
  for (const { key, value } of stored) {
    assert.equal(Number(value), (reached.get(key) ?? 0) + 1, `count of ${key}`);
    reached.set(key, Number(value));
  }
  assert.equal(stored.length, count, 'one count for each record');
}

async function writeSteadily(ground: Ground, topic: string, count: number): Promise<void> {
  const begun = performance.now();
  for (let from = 0; from < count; from += perSecond) {
    await sleep(Math.max(0, begun + (from / perSecond) * 1_000 - performance.now()));
    const indexes = Array.from({ length: Math.min(perSecond, count - from) }, (_, index) => from + index);
    await ground.write(
      topic,
      indexes.map((index) => ({ key: `key-${index % keys}`, value: String(index) })),
    );
  }
}

/** @returns false where the program ended, or nothing came of it within a minute */
async function until(
  condition: () => Promise<boolean>,
  program: { readonly exitCode: number | undefined },
): Promise<boolean> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline || program.exitCode !== undefined) return false;
    await sleep(50);
  }
  return true;
}
