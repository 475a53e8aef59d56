/** Whom the verifier believes: checkpoints that are ours, and keys that follow one another. */
import assert from 'node:assert/strict';
import { copyFile, cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { auditEvent } from '../audit.ts';
import { parseCheckpoint, signCheckpoint } from '../checkpoint/checkpoint.ts';
import { addKey, readKeyFile } from '../checkpoint/key-file.ts';
import { SignerKey } from '../checkpoint/keys.ts';
import { checkpointName } from '../checkpoint/store.ts';
import { checkpointsOf, openSigned, publicKeyOf, runSigned, signedLog } from '../testing/signed-log.ts';
import { verifyLog } from './verify.ts';
import { newestPath, said, signAnew, threeRuns, verified } from '../testing/cases.ts';

describe('checkpoints', () => {
  test('that are broken, renamed, of another log or not the turn of their key are found', async (t) => {
    const { at, keys } = await threeRuns(t);
    const newest = await newestPath(at);
    const good = await readFile(newest);
    const [first] = await checkpointsOf(at);
    const other = await signedLog(t);
    await runSigned(other, 22);
    for (const [bytes, expected] of [
      [Buffer.from('x'), 'bad-checkpoint'],
      [Buffer.alloc(0), 'bad-checkpoint'],
      [await readFile(join(at.log, 'checkpoints', checkpointName(first?.size ?? 0))), 'bad-checkpoint'],
      [await readFile(await newestPath(other)), 'unknown-key'],
      [Buffer.from(good.toString().replace('sluice/gw-1\n', 'sluice/gw-2\n')), 'bad-signature'],
    ] as const) {
      await writeFile(newest, bytes);
      const found = await verified({ at, keys });
      assert.ok(found[0] === 'broken' && found.includes(expected), `${found.join(' ')}, not ${expected}`);
    }
    await writeFile(newest, good);
    await rename(newest, join(at.log, 'checkpoints', checkpointName(4)));
    assert.ok((await verified({ at, keys })).includes('bad-checkpoint'));
  });

  test('kept from the last time must be ours, and the log its continuation', async (t) => {
    const { at, keys } = await threeRuns(t);
    const known = (await checkpointsOf(at)).at(-1) ?? null;
    await runSigned(at, 4);
    assert.deepEqual(await verified({ at, keys }, { known }), ['intact', 'complete']);
    const fork = SignerKey.generate('sluice/gw-1');
    const forged = parseCheckpoint(
      Buffer.from(signCheckpoint({ origin: 'sluice/gw-1', size: 3, root: Buffer.alloc(32) }, [fork], 1)),
    );
    assert.deepEqual(await verified({ at, keys }, { known: forged }), ['broken', 'complete', 'known-unknown-key']);
    const own = (await readKeyFile(at.key))?.keys[0];
    assert.ok(own);
    const split = parseCheckpoint(
      Buffer.from(signCheckpoint({ origin: 'sluice/gw-1', size: 3, root: Buffer.alloc(32) }, [own], 1)),
    );
    assert.deepEqual(await verified({ at, keys }, { known: split }), ['broken', 'complete', 'forked'], 'a split view');
  });

  test('must cover the end of a log that was closed, and what is older than the interval', async (t) => {
    const { at, keys } = await threeRuns(t);
    await rm(await newestPath(at));
    assert.deepEqual(await verified({ at, keys }), ['broken', 'complete', 'unsigned']);
  });
});

describe('a change of keys', () => {
  test('is followed from the old key and from the new one', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const old = await publicKeyOf(at);
    await addKey(at.key);
    await runSigned(at, 3);
    await runSigned(at, 3);
    await addKey(at.key);
    await runSigned(at, 3);
    for (const key of [old, await publicKeyOf(at)]) {
      const report = await verifyLog(at.log, { keys: [key] });
      assert.deepEqual(said(report), ['intact', 'complete']);
      assert.equal(report.keys.length, 3);
    }
  });

  test('that the old key did not sign is none', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const keys = [await publicKeyOf(at)] as const;
    const thief = SignerKey.generate('sluice/gw-1');
    const copy = { log: `${at.log}2`, key: `${at.key}2` };
    await cp(at.log, copy.log, { recursive: true });
    await copyFile(at.key, copy.key);
    const log = await openSigned(copy);
    log.append(auditEvent('log.key-changed', { old_key: keys[0].text, new_key: thief.verifier.text }));
    await log.close();
    await signAnew(copy, thief);
    assert.deepEqual(await verified({ at: copy, keys }), ['broken', 'complete', 'unknown-key']);
  });

  test('ends what the old key may say', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const keys = [await publicKeyOf(at)] as const;
    const old = (await readKeyFile(at.key))?.keys[0];
    assert.ok(old);
    await addKey(at.key);
    await runSigned(at, 3);
    await runSigned(at, 3);
    const newest = await newestPath(at);
    const { size, root, origin } = parseCheckpoint(await readFile(newest));
    await writeFile(newest, signCheckpoint({ size, root, origin }, [old], 1_790_000_000));
    assert.deepEqual((await verified({ at, keys })).slice(0, 3), ['broken', 'complete', 'unknown-key']);
  });
});
