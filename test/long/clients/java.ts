/** Java's own clients: producer, consumers of all three kinds of groups, admin, with their own OIDC support. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertCopied, common, filledTopic } from './cells.ts';
import type { Client } from './client.ts';
import type { Ground } from './ground.ts';
import { type JavaPrograms, javaPrograms } from './java-programs.ts';
import type { Copy } from './task.ts';

export const java: Client = inVersion('4.4.0', 'java');
export const javaOfBroker: Client = inVersion('4.2.1', 'java-4.2');

/** Enough for a copier to be killed in the middle of it, more than once. */
const copiedRecords = 2_000;
const kills = 2;

function inVersion(version: string, id: string): Client {
  let programs: Promise<JavaPrograms> | undefined;
  const compiled = (): Promise<JavaPrograms> => {
    programs ??= compileInto(mkdtempSync(join(tmpdir(), 'sluice-java-')), version);
    return programs;
  };
  return {
    name: `Java ${version}`,
    id,
    without: {},
    async prepare() {
      await compiled();
    },
    run: async (task, said) => await (await compiled()).run(task, said),
    transactions: async (ground) => await killedCopier(ground, await compiled(), id),
  };
}

async function compileInto(folder: string, version: string): Promise<JavaPrograms> {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return await javaPrograms('kafka-clients', version, folder);
}

/** Exactly once, although the copier is killed in the middle of its transactions and another one takes over, with tokens of seconds. */
async function killedCopier(ground: Ground, programs: JavaPrograms, id: string): Promise<string> {
  const from = await filledTopic(ground, `${id}-from`, copiedRecords);
  const to = await ground.openTopic(`${id}-to`);
  const task: Copy = {
    ...common(ground, ground.auth('oidc', true), `${id}-copier`),
    step: 'copy',
    from,
    to,
    group: `${from}-copy`,
    transactionalId: `${from}-copy`,
    deniedTransactionalId: 'shut',
    batch: 10,
    count: copiedRecords,
    timeoutMs: 120_000,
  };
  for (let killed = 0; killed < kills; killed += 1) {
    const before = await ground.endOf(to);
    const copier = programs.start('Clients', task);
    while ((await ground.endOf(to)) < before + copiedRecords / 4 && copier.exitCode === undefined) await sleep(20);
    if (copier.exitCode !== undefined) throw new Error(`the copier ended by itself:\n${copier.log().slice(-2_000)}`);
    await copier.stop();
  }
  const { aborted, denied } = await programs.run<{ aborted: number; denied: string }>(task);
  await assertCopied(ground, to, copiedRecords);
  if (aborted === 0) throw new Error('no transaction was aborted');
  if (!denied.includes('TransactionalIdAuthorization')) throw new Error(`a denied transactional id: ${denied}`);
  return `${kills} kills`;
}
