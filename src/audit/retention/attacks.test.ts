/** Retention, by attack: what is gone must have gone by the gateway's own hand. */
import assert from 'node:assert/strict';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { auditEvent } from '../audit.ts';
import { parseCheckpoint, signCheckpoint } from '../checkpoint/checkpoint.ts';
import { readKeyFile } from '../checkpoint/key-file.ts';
import { SignerKey } from '../checkpoint/keys.ts';
import { writePermit } from '../checkpoint/permits.ts';
import { entryLine } from '../envelope.ts';
import type { TombstoneData } from '../events.ts';
import { listSegments } from '../read/segments.ts';
import { findTombstones } from '../read/tombstones.ts';
import {
  checkpointsOf,
  entriesOf,
  openSigned,
  publicKeyOf,
  runSigned,
  segmentsOf,
  signedLog,
} from '../testing/signed-log.ts';
import { verifyLog } from '../verify/verify.ts';
import { flipEach, retain, said, threeRuns, tombstonesOf, verified } from '../testing/cases.ts';
import type { Case } from '../testing/cases.ts';

describe('who has no key', () => {
  /** What somebody can make who has the folder and knows the format: a tombstone that is right in every other way. */
  async function forge(t: TestContext, from: Case): Promise<{ line: string; data: TombstoneData }> {
    const copy = await signedLog(t);
    await cp(from.at.log, copy.log, { recursive: true });
    await cp(from.at.key, copy.key);
    const [, second = '', third = ''] = await segmentsOf(copy);
    await retain(copy, { maxBytes: 1, hold: [second, third] });
    const [data] = await tombstonesOf(copy);
    assert.ok(data);
    const run = (await entriesOf(from.at)).at(-1)?.id.split('.')[0] ?? '';
    const line = entryLine(auditEvent('log.tombstone', data), `${run}.9`, '/sluice/gw 1', new Date().toISOString());
    return { line, data };
  }

  test('cannot remove a segment with a tombstone of his own behind the end of the log', async (t) => {
    const here = await threeRuns(t);
    const { line } = await forge(t, here);
    const [first = '', , third = ''] = await segmentsOf(here.at);
    await rm(join(here.at.log, first));
    await writeFile(join(here.at.log, third), `${line}\n`, { flag: 'a' });
    assert.ok((await verified(here)).includes('tombstone-unsigned'));
    assert.equal((await verified(here))[0], 'broken');
    await assert.rejects(
      openSigned(here.at),
      { code: 'audit-tree-broken' },
      'and the gateway does not sign it for him',
    );
    await rm(join(here.at.log, 'checkpoints', 'tree.json'));
    await assert.rejects(
      openSigned(here.at),
      { code: 'audit-tree-broken' },
      'also where the state of the tree is gone',
    );
  });

  test('nor in place of another entry, nor in a segment of its own', async (t) => {
    const here = await threeRuns(t);
    const { line } = await forge(t, here);
    const [first = '', second = '', third = ''] = await segmentsOf(here.at);
    await rm(join(here.at.log, first));
    const good = await readFile(join(here.at.log, second), 'utf8');
    await writeFile(join(here.at.log, second), good.split('\n').with(3, line).join('\n'));
    assert.equal((await verified(here))[0], 'broken');
    await writeFile(join(here.at.log, second), good);
    await writeFile(join(here.at.log, third.replace('-000.', '-999.')), `${line}\n`);
    assert.equal((await verified(here))[0], 'broken');
  });

  test('nor by signing it anew with another key', async (t) => {
    const here = await threeRuns(t);
    await retain(here.at);
    const stranger = SignerKey.generate('sluice/gw-1');
    const [tombstone] = await findTombstones(await listSegments(here.at.log));
    assert.ok(tombstone);
    await writePermit(here.at.log, tombstone, stranger, 1);
    await assert.rejects(retain(here.at), { code: 'audit-tree-broken' });
    assert.deepEqual((await verified(here)).slice(0, 2), ['intact', 'complete'], 'verifiers do not ask for the permit');
  });

  test('leaves a hole that no tombstone covers exactly', async (t) => {
    for (const victim of [1, 2, 3]) {
      const here = await threeRuns(t);
      await runSigned(here.at, 2);
      await runSigned(here.at, 2);
      const names = await segmentsOf(here.at);
      await retain(here.at, { maxBytes: 1, hold: names.slice(1) });
      await rm(join(here.at.log, names[victim] ?? ''));
      const found = await verified(here);
      assert.deepEqual(found.slice(0, 2), ['broken', 'incomplete'], `${victim}: ${found.join(' ')}`);
    }
  });

  test('cannot have altered entries removed as if they were good', async (t) => {
    const { at } = await threeRuns(t);
    const [first = ''] = await segmentsOf(at);
    const path = join(at.log, first);
    await writeFile(path, (await readFile(path, 'utf8')).replace('"n2"', '"n7"'));
    await assert.rejects(retain(at), { code: 'audit-tree-broken' });
    assert.ok((await segmentsOf(at)).includes(first), 'the evidence stays');
    assert.deepEqual(await tombstonesOf(at), []);
  });

  test('changes no byte of what is left without being found', async (t) => {
    // One in thirteen here; `npm run test:long -- audit-flips` takes all.
    const stride = process.env['SLUICE_FLIP_ALL'] === '1' ? 1 : 13;
    const at = await signedLog(t);
    await runSigned(at, 1);
    await runSigned(at, 0);
    await retain(at);
    await runSigned(at, 0);
    const keys = [await publicKeyOf(at)] as const;
    const checkpoints = (await readdir(join(at.log, 'checkpoints'))).filter((name) => name.endsWith('.checkpoint'));
    const names = [...(await segmentsOf(at)), ...checkpoints.map((each) => join('checkpoints', each))];
    const tried = await flipEach({ at, keys }, names, stride);
    assert.ok(tried > 2_000 / stride, `${tried} bytes`);
    assert.deepEqual(said(await verifyLog(at.log, { keys })), ['intact', 'complete']);
  });
});

describe('who has the key', () => {
  test('cannot hide from a checkpoint that ends within what he removed', async (t) => {
    const { at, keys } = await threeRuns(t);
    const known = (await checkpointsOf(at)).find(({ size }) => size > 8 && size < 16) ?? null;
    const boundary = (await checkpointsOf(at)).find(({ size }) => size === 24) ?? null;
    assert.ok(known !== null && boundary !== null);
    await retain(at);
    assert.deepEqual(await verified({ at, keys }, { known: boundary }), ['intact', 'complete']);
    const report = await verifyLog(at.log, { keys, known });
    assert.deepEqual(said(report), ['unproved', 'complete', 'known-removed']);
    const own = (await readKeyFile(at.key))?.keys[0];
    assert.ok(own);
    const forked = parseCheckpoint(
      Buffer.from(signCheckpoint({ origin: 'sluice/gw-1', size: 24, root: Buffer.alloc(32) }, [own], 1)),
    );
    assert.deepEqual(await verified({ at, keys }, { known: forked }), ['broken', 'complete', 'forked']);
  });

  test('is held to how long the auditor expects entries to be kept', async (t) => {
    const { at, keys } = await threeRuns(t);
    await retain(at);
    assert.deepEqual(await verified({ at, keys }, { keepMs: 0 }), ['intact', 'complete']);
    assert.deepEqual(await verified({ at, keys }, { keepMs: 86_400_000 }), ['intact', 'incomplete', 'removed-early']);
  });
});
