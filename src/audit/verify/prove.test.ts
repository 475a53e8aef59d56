import assert from 'node:assert/strict';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SignerKey } from '../checkpoint/keys.ts';
import {
  entriesOf,
  openSigned,
  publicKeyOf,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import { proveEntry, verifyProof } from './prove.ts';

describe('a proof', () => {
  test('holds for every entry of the log, without the log', async (t) => {
    const at = await signedLog(t);
    for (let run = 0; run < 3; run += 1) await runSigned(at, 3);
    const keys = [await publicKeyOf(at)];
    const entries = await entriesOf(at);
    const proofs = await Promise.all(entries.map(({ id }) => proveEntry(at.log, id)));
    await rm(at.log, { recursive: true });
    for (const [index, { text }] of proofs.entries()) {
      const report = verifyProof(Buffer.from(text), keys);
      assert.deepEqual([report.holds, report.problem, report.index], [true, '', index]);
      assert.deepEqual(report.entry, entries[index]);
      assert.ok(Date.now() - Date.parse(report.signedAt ?? '') < 60_000);
    }
  });

  test('does not hold with any byte of it changed', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 5);
    const [, , entry] = await entriesOf(at);
    const good = Buffer.from((await proveEntry(at.log, entry?.id ?? '')).text);
    const keys = [await publicKeyOf(at)];
    for (let byte = 0; byte < good.length; byte += 1) {
      const bad = Buffer.from(good);
      bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte % 8));
      assert.equal(verifyProof(bad, keys).holds, false, `byte ${byte}`);
    }
  });

  test('does not hold for another entry, another place, other hashes or another key', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 5);
    const keys = [await publicKeyOf(at)];
    const [one, two] = await entriesOf(at);
    const { text } = await proveEntry(at.log, one?.id ?? '');
    const other = (await proveEntry(at.log, two?.id ?? '')).text;
    const line = (from: string, at_: number): string => from.split('\n')[at_] ?? '';
    const replaced = (at_: number, by: string): string => text.split('\n').with(at_, by).join('\n');
    for (const [forged, why] of [
      [replaced(1, line(other, 1)), 'another entry'],
      [replaced(2, 'index 1'), 'another place'],
      [replaced(2, 'index 00'), 'a number with a zero'],
      [replaced(2, 'index 7'), 'behind the end'],
      [replaced(3, line(text, 4)), 'another hash'],
      [text.split('\n').toSpliced(3, 1).join('\n'), 'a hash less'],
      [text.split('\n').toSpliced(3, 0, line(text, 3)).join('\n'), 'a hash more'],
      [text.split('\n').toSpliced(1, 1).join('\n'), 'no entry'],
      ['', 'nothing'],
      [text.slice(0, text.indexOf('\n\n')), 'no checkpoint'],
      [`${heading(text)}${'A'.repeat(44)}\n`.repeat(60), 'too many hashes'],
    ] as const) {
      const report = verifyProof(Buffer.from(forged), keys);
      assert.equal(report.holds, false, why);
      assert.notEqual(report.problem, '', why);
    }
    assert.match(
      verifyProof(Buffer.from(text), [SignerKey.generate('sluice/gw-1').verifier]).problem,
      /not signed by the key/,
    );
    assert.equal(verifyProof(Buffer.from(text), []).holds, false);
  });

  test('is not made of what is not there, not signed, or broken', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at);
    await writeEntries(log, 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const late = log.append({ code: 'gateway.stopped', data: { reason: 'late' } });
    await log.durable();
    await assert.rejects(proveEntry(at.log, late), { code: 'entry-not-signed', retriable: true });
    await assert.rejects(proveEntry(at.log, 'nobody.1'), { code: 'no-such-entry' });
    await log.close();
    const path = join(at.log, (await segmentsOf(at))[0] ?? '');
    const [first] = (await readFile(path, 'utf8')).split('\n');
    await runSigned(at, 2);
    await appendFile(path, `${first}\n`);
    await assert.rejects(proveEntry(at.log, late), { code: 'audit-tree-broken' });
  });
});

function heading(text: string): string {
  return `${text.split('\n').slice(0, 3).join('\n')}\n`;
}
