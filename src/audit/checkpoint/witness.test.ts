/** Witness cosignatures, held against a witness that another program is (test/witness/witness.py). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensurePythonPackage } from '../../../harness/python.ts';
import type { PythonPackage } from '../../../harness/python.ts';
import type { OwnedAuditLog } from '../audit.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHash } from '../merkle/hash.ts';
import { consistencyHolds } from '../merkle/proof.ts';
import { checkpointsOf, openSigned, publicKeyOf, runSigned, signedLog, writeEntries } from '../testing/signed-log.ts';
import type { SignedLog } from '../testing/signed-log.ts';
import { verifyLog } from '../verify/verify.ts';
import type { VerifyReport } from '../verify/verify.ts';
import { RecentLeaves } from './recent-leaves.ts';
import { checkpointName } from './store.ts';
import { WitnessKey, cosignedBy } from './witness-key.ts';

let python: PythonPackage;
before(async () => {
  python = await ensurePythonPackage('cryptography', '50.0.2');
});

interface Witness {
  readonly key: WitnessKey;
  readonly url: string;
}

async function witness(t: TestContext, at: SignedLog, name: string): Promise<Witness> {
  const script = new URL('../../../test/witness/witness.py', import.meta.url).pathname;
  const child = spawn(python.python, [script, name, join(at.log, 'checkpoints', 'log.vkey')], {
    env: { ...process.env, ...python.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) {
    const { port, vkey } = JSON.parse(line) as { port: number; vkey: string };
    return { key: WitnessKey.parse(vkey), url: `http://127.0.0.1:${port}/prefix` };
  }
  return assert.fail('the witness did not start');
}

function open(at: SignedLog, ...ask: readonly Witness[]): Promise<OwnedAuditLog> {
  const settings = ask.map(({ key, url }) => ({ key: key.text, url }));
  return openSigned(at, { everyMs: 100, entries: 5, witnesses: { ask: settings, quorum: 1 } });
}

function said(report: VerifyReport): (string | number | null)[] {
  return [report.integrity, report.completeness, ...new Set(report.findings.map(({ code }) => code)), report.cosigned];
}

/** Bytes of the newest checkpoint, and where it is. */
async function newest(at: SignedLog): Promise<{ readonly path: string; readonly text: string }> {
  const size = (await checkpointsOf(at)).at(-1)?.size ?? 0;
  const path = join(at.log, 'checkpoints', checkpointName(size));
  return { path, text: await readFile(path, 'utf8') };
}

describe('witnesses', () => {
  test('sign what they can follow, from one run to the next, and the newest checkpoint at the end', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const [one, two] = [await witness(t, at, 'witness.example/one'), await witness(t, at, 'witness.example/two')];
    const keys = [await publicKeyOf(at)];
    for (let run = 0; run < 3; run += 1) {
      const log = await open(at, one, two);
      for (let i = 0; i < 3; i += 1) {
        await writeEntries(log, 7);
        await sleep(120);
      }
      await log.close();
      assert.deepEqual(
        log.sinks().map(({ sink, ok, failures }) => [sink, ok, failures]),
        [
          ['witness/witness.example/one', true, 0],
          ['witness/witness.example/two', true, 0],
        ],
      );
      const witnesses = [one.key, two.key];
      const report = await verifyLog(at.log, { keys, witnesses });
      assert.deepEqual(said(report), ['intact', 'complete', report.entries], `run ${run}`);
    }
    // Without its state, and with a witness that is new: everything is proved from the files.
    await rm(join(at.log, 'checkpoints', 'tree.json'));
    const three = await witness(t, at, 'three');
    await (await open(at, one, three)).close();
    const report = await verifyLog(at.log, { keys, witnesses: [one.key, two.key, three.key], quorum: 2 });
    assert.deepEqual(said(report), ['intact', 'complete', report.entries]);
  });

  test('that lag behind are led on from the files, behind a tombstone too', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const one = await witness(t, at, 'one');
    await (await open(at, one)).close();
    for (let run = 0; run < 3; run += 1) await runSigned(at, 5);
    const log = await openSigned(at, { retention: { maxBytes: 1, hold: (await readdir(at.log)).sort().slice(1, 2) } });
    await log.close();
    await (await open(at, one)).close();
    const report = await verifyLog(at.log, { keys: [await publicKeyOf(at)], witnesses: [one.key] });
    assert.deepEqual(said(report), ['intact', 'complete', report.entries]);
  });

  test('that are away hold nothing up; verification without a quorum proves nothing', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const [one, away] = [await witness(t, at, 'one'), await witness(t, at, 'away')];
    const log = await open(at, one, { ...away, url: 'http://127.0.0.1:9/prefix' });
    await writeEntries(log, 5);
    while (log.sinks()[1]?.ok !== false) await sleep(10);
    await log.close();
    const keys = [await publicKeyOf(at)];
    const witnesses = [one.key, away.key];
    const alone = await verifyLog(at.log, { keys, witnesses, quorum: 1 });
    assert.deepEqual(said(alone), ['intact', 'complete', alone.entries]);
    assert.deepEqual(said(await verifyLog(at.log, { keys, witnesses })), [
      'unproved',
      'complete',
      'not-cosigned',
      null,
    ]);
    const twice = [one.key, WitnessKey.parse(one.key.text)];
    assert.equal((await verifyLog(at.log, { keys, witnesses: twice })).cosigned, null, 'one is not two');
    const late = { maxAgeMs: 60_000, nowMs: Date.now() + 120_000 };
    assert.ok(
      (await verifyLog(at.log, { keys, witnesses, quorum: 1, ...late })).findings.some(({ code }) => code === 'stale'),
    );
  });

  test('do not follow a log that was split, which is told', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 6);
    const one = await witness(t, at, 'one');
    await (await open(at, one)).close();
    // The same key, another history.
    const other = { log: `${at.log}2`, key: at.key };
    await runSigned(other, 40);
    const log = await open(other, one);
    await log.close();
    assert.equal(log.sinks()[0]?.ok, false);
    assert.deepEqual(said(await verifyLog(other.log, { keys: [await publicKeyOf(at)], witnesses: [one.key] })), [
      'unproved',
      'complete',
      'not-cosigned',
      null,
    ]);
  });

  test('whose signature is changed, moved to another checkpoint, or another’s, count for nothing', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const [one, stranger] = [await witness(t, at, 'one'), await witness(t, at, 'one')];
    await (await open(at, one)).close();
    const keys = [await publicKeyOf(at)];
    const witnesses = [one.key];
    const { path, text } = await newest(at);
    const lines = text.split('\n');
    const where = lines.findIndex((line) => line.startsWith('— one '));
    const good = lines[where] ?? '';
    const older = (await checkpointsOf(at)).filter(({ size }) => size < Number(lines[1])).at(-1);
    const only = async (changed: string): Promise<(string | number | null)[]> => {
      for (const name of await readdir(join(at.log, 'checkpoints')))
        if (name.endsWith('.checkpoint') && join(at.log, 'checkpoints', name) !== path)
          await rm(join(at.log, 'checkpoints', name));
      await writeFile(path, changed);
      return said(await verifyLog(at.log, { keys, witnesses }));
    };
    const raw = Buffer.from(good.split(' ')[2] ?? '', 'base64');
    for (let byte = 0; byte < raw.length; byte += 1) {
      const bad = Buffer.from(raw);
      bad[byte] = (bad[byte] ?? 0) ^ 1;
      const found = await only(lines.with(where, `— one ${bad.toString('base64')}`).join('\n'));
      assert.ok(found[0] !== 'intact' && found.at(-1) === null, `byte ${byte}: ${found.join(' ')}`);
    }
    assert.equal((await only(lines.with(where, good.replace('— one ', '— two ')).join('\n')))[0], 'unproved');
    assert.equal((await only(lines.toSpliced(where, 1).join('\n')))[0], 'unproved');
    assert.equal((await only(text))[0], 'intact');
    if (older !== undefined) {
      const moved = { text: older.note.text, signatures: (await checkpointsOf(at)).at(-1)?.note.signatures ?? [] };
      assert.deepEqual(cosignedBy(moved, witnesses, 1), { by: [], wrong: true, time: 0 });
    }
    assert.equal(cosignedBy({ text: 'x\n', signatures: [] }, [stranger.key], 1).by.length, 0);
  });
});

test('what answers as a witness and is none is not believed', async (t) => {
  const at = await signedLog(t);
  await runSigned(at, 3);
  const one = await witness(t, at, 'one');
  const forged = `— one ${Buffer.concat([Buffer.from(one.key.text.split('+')[1] ?? '', 'hex'), Buffer.alloc(72, 1)]).toString('base64')}\n`;
  for (const [status, body] of [
    [200, ''],
    [200, forged],
    [200, 'x'.repeat(2_000_000)],
    [409, 'x'],
    [409, '99999999\n'],
    [302, ''],
  ] as const) {
    const server = createServer((request, answer) => {
      request.resume();
      answer.writeHead(status, { location: 'http://127.0.0.1:9/' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const log = await open(at, { key: one.key, url });
    await log.close();
    server.closeAllConnections();
    server.close();
    assert.deepEqual([log.sinks()[0]?.ok, log.sinks()[0]?.size], [false, 0], `${status} ${body.slice(0, 20)}`);
    assert.ok(!(await newest(at)).text.includes('— one '));
  }
});

test('a witness key is of its type, and its id is its own', async (t) => {
  const at = await signedLog(t);
  await runSigned(at, 1);
  const { key } = await witness(t, at, 'one');
  for (const text of [
    (await publicKeyOf(at)).text,
    key.text.replace('one+', 'two+'),
    key.text.slice(0, -4),
    'one+00000000+',
    '',
  ])
    assert.throws(() => WitnessKey.parse(text), { code: 'key-malformed' }, text);
});

test('recent leaves prove what they tell apart, and nothing else', () => {
  const leaves = Array.from({ length: 60 }, (_, i) => leafHash(Buffer.from(`${i}`)));
  const rootOf = (size: number): Uint8Array => {
    const range = new CompactRange();
    for (const leaf of leaves.slice(0, size)) range.append(leaf);
    return range.root();
  };
  for (const start of [0, 1, 7, 8, 21]) {
    const range = new CompactRange();
    for (const leaf of leaves.slice(0, start)) range.append(leaf);
    const recent = new RecentLeaves(range, 100);
    for (const leaf of leaves.slice(start)) recent.add(leaf);
    for (let size = start; size <= 60; size += 1)
      for (let oldSize = Math.max(1, start); oldSize <= size; oldSize += 1) {
        const proof = recent.proof(oldSize, size);
        assert.ok(proof !== null);
        assert.ok(consistencyHolds({ oldSize, oldRoot: rootOf(oldSize), size, root: rootOf(size) }, proof));
      }
    assert.equal(recent.proof(start - 1, 60), null);
    assert.equal(recent.proof(start, 61), null);
    recent.advance(30);
    assert.equal(recent.proof(29, 60), null);
    assert.ok(recent.proof(30, 60) !== null);
  }
  const bounded = new RecentLeaves(new CompactRange(), 10);
  for (const leaf of leaves) bounded.add(leaf);
  assert.equal(bounded.proof(40, 60), null);
  assert.ok(bounded.proof(55, 60) !== null);
});
