/** Exports that are interrupted: nothing is missing, and what is there twice has the same id. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../../model/entry.ts';
import {
  entriesOf,
  linesOfLog,
  openSigned,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import type { SignedLog } from '../testing/signed-log.ts';
import { exportLog } from './export.ts';
import type { ExportOptions, ExportReport } from './export.ts';
import { fileTarget, topicTarget, webhookTarget } from './targets.ts';
import type { ExportTarget } from './targets.ts';

const cli = new URL('../../cli/sluice.ts', import.meta.url).pathname;

function exported(at: SignedLog, target: ExportTarget, more: Partial<ExportOptions> = {}): Promise<ExportReport> {
  const signal = new AbortController().signal;
  const base = { directory: at.log, cursorFile: `${at.log}.cursor`, follow: false, skipGone: false, signal };
  return exportLog({ ...base, target, ...more });
}

/** A place in memory. */
function memory(fails: () => boolean = () => false): ExportTarget & { readonly ids: string[] } {
  const ids: string[] = [];
  const target = topicTarget('orders', 'audit', (_port, _topic, records) => {
    for (const { value } of records) ids.push((JSON.parse(Buffer.from(value).toString()) as Entry).id);
    return fails() ? Promise.reject(new Error('gone')) : Promise.resolve();
  });
  return { ...target, ids };
}

const idsOf = async (at: SignedLog): Promise<string[]> => (await entriesOf(at)).map(({ id }) => id);

test('what was exported is what is in the log, over segments and runs, and no more than once', async (t) => {
  const at = await signedLog(t);
  await runSigned(at, 40, { segmentBytesMax: 2_000 });
  const target = memory();
  assert.deepEqual(await exported(at, target), { entries: 42, entriesTotal: 42, complete: true });
  assert.deepEqual(await exported(at, target), { entries: 0, entriesTotal: 42, complete: true });
  await runSigned(at, 3);
  assert.deepEqual(await exported(at, target), { entries: 5, entriesTotal: 47, complete: true });
  assert.deepEqual(target.ids, await idsOf(at));
});

test('what a place did not confirm is sent again, with the same ids', async (t) => {
  const at = await signedLog(t);
  await runSigned(at, 30, { segmentBytesMax: 2_000 });
  let left = 3;
  const target = memory(() => (left -= 1) === 0);
  await assert.rejects(exported(at, target), /gone/);
  const seen = target.ids.length;
  assert.ok(seen > 5 && seen < 32);
  await exported(at, target);
  assert.deepEqual([...new Set(target.ids)], await idsOf(at));
  assert.ok(target.ids.length > 32);
});

describe('a file', () => {
  test('has each line as it stands in the log, and what a crash left behind the cursor is cut off', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 20, { segmentBytesMax: 2_000 });
    const path = `${at.log}.jsonl`;
    await exported(at, fileTarget(path, 'jsonl'));
    await appendFile(path, '{"half of a li');
    await runSigned(at, 2);
    await exported(at, fileTarget(path, 'jsonl'));
    assert.deepEqual((await readFile(path, 'utf8')).split('\n').slice(0, -1), await linesOfLog(at));
    await writeFile(path, '');
    await assert.rejects(exported(at, fileTarget(path, 'jsonl')), { code: 'export-target' });
    await writeFile(`${at.log}.other`, 'not ours');
    const cursorFile = `${at.log}.cursor2`;
    await assert.rejects(exported(at, fileTarget(`${at.log}.other`, 'jsonl'), { cursorFile }), {
      code: 'export-target',
    });
    assert.equal(await readFile(`${at.log}.other`, 'utf8'), 'not ours');
  });

  test('may be CSV', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 1);
    await exported(at, fileTarget(`${at.log}.csv`, 'csv'));
    const rows = (await readFile(`${at.log}.csv`, 'utf8')).split('\r\n');
    assert.equal(rows[0], 'id,source,time,type,subject,data');
    assert.match(rows[2] ?? '', /,dev\.sluice\.audit\.gateway\.stopped,,"\{""reason"":""n0""\}"$/);
  });
});

describe('a cursor', () => {
  test('is of one place, and of a log that is there', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    await exported(at, memory());
    await assert.rejects(exported(at, fileTarget(`${at.log}.jsonl`, 'jsonl')), { code: 'cursor-unusable' });
    await rm(join(at.log, (await segmentsOf(at))[0] ?? ''));
    await assert.rejects(exported(at, memory()), { code: 'export-gap' });
    await writeFile(`${at.log}.cursor`, '{}');
    await assert.rejects(exported(at, memory()), { code: 'cursor-unusable' });
  });

  test('that retention overtook says so', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    await exported(at, memory());
    const behind = await readFile(`${at.log}.cursor`);
    await runSigned(at, 3);
    const target = memory();
    await exported(at, target);
    const ahead = await readFile(`${at.log}.cursor`);
    const log = await openSigned(at, { retention: { maxBytes: 1 } });
    // A segment is closed once the next one's first entry is on disk and signed: those of both runs before go.
    for (let removed = 0; removed < 2; await sleep(10)) removed += (await log.retain()).removed.length;
    await log.close();
    await writeFile(`${at.log}.cursor`, behind);
    await assert.rejects(exported(at, memory()), { code: 'export-gap', message: /removed by retention/ });
    const rest = memory();
    await exported(at, rest, { skipGone: true });
    assert.deepEqual(rest.ids, await idsOf(at));
    await writeFile(`${at.log}.cursor`, ahead);
    assert.equal((await exported(at, memory())).entries, (await idsOf(at)).length, 'nothing was missed');
    await exported(at, memory(), { cursorFile: `${at.log}.cursor2` });
  });
});

describe('a webhook', () => {
  interface Hook {
    readonly url: URL;
    readonly bodies: string[];
    readonly types: string[];
    readonly tokens: (string | undefined)[];
    answer: (count: number) => number;
  }

  async function hook(t: TestContext): Promise<Hook> {
    const made = {
      bodies: [] as string[],
      types: [] as string[],
      tokens: [] as (string | undefined)[],
      answer: (_: number) => 202,
    };
    const server: Server = createServer((request, answer) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        made.bodies.push(Buffer.concat(chunks).toString());
        made.types.push(request.headers['content-type'] ?? '');
        made.tokens.push(request.headers.authorization);
        answer.writeHead(made.answer(made.bodies.length), { location: 'http://169.254.169.254/' }).end('no');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return Object.assign(made, { url: new URL(`http://127.0.0.1:${port}/in?x=1`) });
  }

  test('gets batches of CloudEvents, again where it is away, and never a secret in an error', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 12);
    const here = await hook(t);
    here.answer = (count) => (count === 1 ? 503 : 200);
    process.env['SLUICE_TEST_HOOK'] = 's3cret';
    await exported(at, webhookTarget(here.url, { token: { env: 'SLUICE_TEST_HOOK' } }));
    assert.equal(here.types[0], 'application/cloudevents-batch+json; charset=UTF-8');
    assert.deepEqual(JSON.parse(here.bodies[1] ?? '') as unknown, await entriesOf(at));
    assert.equal(here.bodies[0], here.bodies[1]);
    assert.ok(here.tokens.every((token) => token === 'Bearer s3cret'));
    for (const status of [400, 302]) {
      await runSigned(at, 1);
      here.answer = () => status;
      const before = here.bodies.length;
      await assert.rejects(
        exported(at, webhookTarget(here.url, { token: { env: 'SLUICE_TEST_HOOK' } })),
        (error: Error) => {
          assert.match(error.message, new RegExp(`answered ${status}`));
          assert.ok(!error.message.includes('s3cret') && !error.message.includes('x=1'));
          return true;
        },
      );
      assert.equal(here.bodies.length, before + 1, 'what was refused is not sent again');
    }
  });

  test('that is killed in the middle, three times, misses nothing', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at, { segmentBytesMax: 60_000 });
    await writeEntries(log, 3_000);
    await log.close();
    const here = await hook(t);
    const args = ['audit', 'export', '-d', at.log, '--webhook', here.url.href, '--cursor', `${at.log}.cursor`];
    const run = (killAfter: number): Promise<number | null> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [cli, ...args], { stdio: 'ignore' });
        child.once('close', (code) => resolve(code));
        const from = here.bodies.length;
        const watch = setInterval(() => {
          if (here.bodies.length - from >= killAfter) child.kill('SIGKILL');
        }, 1);
        child.once('close', () => clearInterval(watch));
      });
    for (let round = 0; round < 3; round += 1) assert.equal(await run(1 + round), null, 'killed');
    assert.equal(await run(Infinity), 0);
    const got = here.bodies.flatMap((body) =>
      (JSON.parse(body) as Entry[]).map((entry) => [entry.id, JSON.stringify(entry)] as const),
    );
    const byId = new Map<string, string>();
    for (const [id, text] of got) {
      assert.ok(!byId.has(id) || byId.get(id) === text, 'twice is the same');
      byId.set(id, text);
    }
    const lines = await linesOfLog(at);
    assert.deepEqual([...byId.values()], lines);
  });

  test('follows what is written, until it is told to stop', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at, { segmentBytesMax: 3_000 });
    const here = await hook(t);
    const stop = new AbortController();
    const work = exported(at, webhookTarget(here.url, {}), { follow: true, signal: stop.signal });
    const ids = (): string[] => here.bodies.flatMap((body) => (JSON.parse(body) as Entry[]).map(({ id }) => id));
    for (let round = 0; round < 3; round += 1) {
      await writeEntries(log, 10);
      const count = (await idsOf(at)).length;
      while (ids().length < count) await sleep(20);
    }
    stop.abort();
    assert.equal((await work).complete, false);
    assert.deepEqual(ids(), await idsOf(at));
    await log.close();
  });
});
