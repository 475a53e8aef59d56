/** Retention: what goes leaves a log that still verifies, and that goes on. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { EntryDraft, OwnedAuditLog } from '../audit.ts';
import { addKey } from '../checkpoint/key-file.ts';
import { checkpointName } from '../checkpoint/store.ts';
import {
  checkpointsOf,
  entriesOf,
  linesOfLog,
  openSigned,
  publicKeyOf,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import { proveEntry, verifyProof } from '../verify/prove.ts';
import { verifyLog } from '../verify/verify.ts';
import { retain, said, smallest, threeRuns, tombstonesOf, verified } from '../testing/cases.ts';
import type { Case } from '../testing/cases.ts';

describe('segments that the policy lets go', () => {
  test('leave a log that is intact and complete, and goes on', async (t) => {
    const { at, keys } = await threeRuns(t);
    const before = await segmentsOf(at);
    const whole = new Map(
      await Promise.all(before.map(async (name) => [name, await readFile(join(at.log, name))] as const)),
    );
    assert.deepEqual(await retain(at), before);
    assert.equal((await segmentsOf(at)).length, 1);
    const report = await verifyLog(at.log, { keys });
    assert.deepEqual(said(report), ['intact', 'complete']);
    assert.deepEqual([report.entries, report.retired?.entries, report.retired?.segments], [27, 24, 3]);
    const [tombstone] = await tombstonesOf(at);
    assert.deepEqual(
      tombstone?.segments.map(({ name, first_index, entries, bytes, sha256 }) => [
        name,
        first_index,
        entries,
        bytes,
        sha256,
      ]),
      before.map((name, i) => {
        const file = whole.get(name) ?? Buffer.alloc(0);
        return [name, 8 * i, 8, file.length, createHash('sha256').update(file).digest('hex')];
      }),
    );
    await runSigned(at, 3);
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
    await rm(join(at.log, 'checkpoints', 'tree.json'));
    await runSigned(at, 3);
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], 'the tree is made from the tombstone');
  });

  test('may leave one after the other: the newest tombstone stands for all, also for those before it', async (t) => {
    const { at, keys } = await threeRuns(t);
    for (let round = 0; round < 4; round += 1) {
      await retain(at);
      assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], `round ${round}`);
      await runSigned(at, round);
      assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], `round ${round}`);
    }
    const last = (await tombstonesOf(at)).at(-1);
    assert.deepEqual([last?.first_index, last?.older], [0, { segments: 0, bytes: 0 }]);
    const permits = (await readdir(join(at.log, 'checkpoints'))).filter((name) => name.endsWith('.tombstone'));
    assert.equal(permits.length, 1, 'what nobody needs any more is gone');
  });

  test('go by age, or the oldest by size; the one that is written stays', async (t) => {
    const { at, keys } = await threeRuns(t);
    assert.deepEqual(await retain(at, { keepMs: 3_600_000 }), []);
    const names = await segmentsOf(at);
    const sizes = await Promise.all(names.map(async (name) => (await readFile(join(at.log, name))).length));
    const all = sizes.reduce((sum, size) => sum + size, 0);
    assert.deepEqual(await retain(at, { maxBytes: all }), names.slice(0, 1), 'the run that removes counts too');
    const old = await segmentsOf(at);
    assert.deepEqual(await retain(at, { keepMs: 0 }), old);
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
    await assert.rejects(
      (async () => {
        const log = await openSigned(at);
        try {
          await log.retain();
        } finally {
          await log.close();
        }
      })(),
      { code: 'retention-off' },
    );
  });

  test('take what was made from them with them, and the checkpoints whose trees can no longer be made', async (t) => {
    const { at } = await threeRuns(t);
    const [first = ''] = await segmentsOf(at);
    const stem = first.replace('.jsonl', '');
    await mkdir(join(at.log, 'derived'));
    await writeFile(join(at.log, 'derived', `${stem}.parquet`), 'x');
    await writeFile(join(at.log, `${stem}.parquet`), 'x');
    await writeFile(join(at.log, 'derived', 'other.parquet'), 'x');
    await retain(at);
    assert.deepEqual(await readdir(join(at.log, 'derived')), ['other.parquet']);
    assert.ok(!(await readdir(at.log)).includes(`${stem}.parquet`));
    const sizes = (await checkpointsOf(at)).map(({ size }) => size);
    assert.ok(
      sizes.every((size) => size >= 24),
      sizes.join(' '),
    );
  });

  test('cannot be proved any more; what is left can', async (t) => {
    const { at, keys } = await threeRuns(t);
    const [gone] = await entriesOf(at);
    await retain(at);
    await runSigned(at, 4);
    for (const [position, line] of (await linesOfLog(at)).entries()) {
      const { text } = await proveEntry(at.log, (JSON.parse(line) as { id: string }).id);
      const proof = verifyProof(Buffer.from(text), keys);
      assert.deepEqual([proof.holds, proof.index], [true, 24 + position], proof.problem);
    }
    await assert.rejects(proveEntry(at.log, gone?.id ?? ''), { code: 'no-such-entry' });
  });

  test('carry keys that changed within them, for auditors who pinned the old one or the new one', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const old = await publicKeyOf(at);
    await addKey(at.key);
    await runSigned(at, 3);
    await runSigned(at, 3);
    await retain(at);
    await retain(at);
    for (const key of [old, await publicKeyOf(at)])
      assert.deepEqual(await verified({ at, keys: [key] }), ['intact', 'complete']);
    const anchors = (await tombstonesOf(at)).at(-1)?.anchors ?? [];
    assert.equal(anchors.length, 1);
    await rm(join(at.log, 'checkpoints', checkpointName(anchors[0] ?? 0)));
    assert.ok((await verified({ at, keys: [old] })).includes('unknown-key'), 'without the checkpoint of both, no link');
  });
});

describe('counters across the boundary', () => {
  const entry = (seq: number, code = 'flow.opened'): EntryDraft => ({
    code,
    data: { session_id: 's', seq, counters: { entries: seq } },
  });
  /** A session that begins in a segment that goes, and ends in one that stays. */
  async function across(t: TestContext, seqs: readonly number[]): Promise<Case> {
    const at = await signedLog(t);
    const log = await openSigned(at, { segmentBytesMax: 700, ...smallest });
    for (const seq of seqs) {
      log.append(entry(seq));
      await log.durable();
    }
    await log.retain();
    const next = (seqs.at(-1) ?? 0) + 1;
    log.append(entry(next));
    log.append(entry(next + 1, 'session.closed'));
    await log.close();
    return { at, keys: [await publicKeyOf(at)] };
  }

  test('go on', async (t) => {
    const here = await across(t, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.ok(((await tombstonesOf(here.at))[0]?.sessions[0]?.[1] ?? 0) >= 3, 'the session was open where the cut is');
    assert.deepEqual(await verified(here), ['intact', 'complete']);
    await runSigned(here.at, 1);
    assert.deepEqual(await verified(here), ['intact', 'complete']);
  });

  test('show what is missing behind it', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at, { segmentBytesMax: 500, ...smallest });
    for (const seq of [1, 2, 3, 4]) {
      log.append(entry(seq));
      await log.durable();
    }
    await log.retain();
    const gone = (await tombstonesOf(at))[0]?.sessions[0]?.[1] ?? 0;
    assert.ok(gone >= 1);
    log.append(entry(6));
    await log.durable();
    log.append(entry(7, 'session.closed'));
    await log.close();
    assert.deepEqual(await verified({ at, keys: [await publicKeyOf(at)] }), ['intact', 'incomplete', 'session-gap']);
  });

  test('hold for runs that were killed, before and behind it', async (t) => {
    const at = await signedLog(t);
    const killed: OwnedAuditLog[] = [];
    for (let i = 0; i < 3; i += 1) {
      const log = await openSigned(at);
      await writeEntries(log, 3);
      killed.push(log);
    }
    const keys = [await publicKeyOf(at)] as const;
    assert.deepEqual(await verified({ at, keys: [keys[0]] }), ['intact', 'gaps-reported', 'interrupted']);
    const [, second = ''] = await segmentsOf(at);
    await retain(at, { maxBytes: 1, hold: [second] });
    const between = await verifyLog(at.log, { keys });
    assert.deepEqual(said(between).slice(0, 2), ['intact', 'gaps-reported'], JSON.stringify(between.findings));
    await retain(at);
    assert.deepEqual((await verified({ at, keys: [keys[0]] })).slice(0, 2), ['intact', 'complete']);
    for (const log of killed) await log.close();
  });
});

describe('a hold', () => {
  test('keeps a segment by name, by time and by file, and lets it go when it ends', async (t) => {
    const { at, keys } = await threeRuns(t);
    const [first = '', second = '', third = ''] = await segmentsOf(at);
    const holdFile = join(at.log, '..', 'holds');
    await writeFile(holdFile, `# a case\n${second}\n`);
    assert.deepEqual(await retain(at, { maxBytes: 1, holdFile }), [first, third]);
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
    assert.equal((await tombstonesOf(at)).length, 2, 'one on each side');
    const day = new Date().toISOString().slice(0, 10);
    assert.deepEqual(await retain(at, { maxBytes: 1, hold: [`${day}..`] }), []);
    assert.deepEqual(await retain(at, { maxBytes: 1, hold: ['*'] }), []);
    await writeFile(holdFile, '');
    const removed = await retain(at, { maxBytes: 1, holdFile, hold: ['2020-01-01..2021-01-01'] });
    assert.ok(removed.includes(second));
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
    assert.equal((await tombstonesOf(at)).at(-1)?.first_segment, first, 'one for all of it');
  });

  test('whose own tombstones are about to go are written again', async (t) => {
    const { at, keys } = await threeRuns(t);
    const [, second = ''] = await segmentsOf(at);
    for (let round = 0; round < 3; round += 1) {
      await retain(at, { maxBytes: 1, hold: [second] });
      assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], `round ${round}`);
    }
    assert.ok((await segmentsOf(at)).includes(second));
  });

  test('that cannot be read or makes no sense keeps everything', async (t) => {
    const { at } = await threeRuns(t);
    const before = await segmentsOf(at);
    const holdFile = join(at.log, '..', 'nowhere');
    await assert.rejects(retain(at, { maxBytes: 1, holdFile }), { code: 'hold-unreadable' });
    for (const hold of ['', 'x', '2026-03-01', '2026-04-01..2026-03-01', '2026-99-01..', '..', 'a..b..c'])
      await assert.rejects(retain(at, { maxBytes: 1, hold: [hold] }), { code: 'hold-malformed' }, hold);
    assert.deepEqual((await segmentsOf(at)).slice(0, 3), before);
  });
});

describe('a crash', () => {
  test('between the tombstone and the removal leaves a log that verifies, and the removal is done later', async (t) => {
    const { at, keys } = await threeRuns(t);
    const copy = `${at.log}-before`;
    await cp(at.log, copy, { recursive: true });
    const names = await segmentsOf(at);
    await retain(at);
    // As the disk may have been at each step: none of the files gone, one, two.
    for (let left = names.length; left > 0; left -= 1) {
      for (const name of names.slice(-left)) await cp(join(copy, name), join(at.log, name));
      for (const name of names.slice(0, -left || undefined).filter(() => left < names.length))
        await rm(join(at.log, name), { force: true });
      assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], `${left} left`);
    }
    // And the state of the tree may be older.
    await cp(join(copy, 'checkpoints', 'tree.json'), join(at.log, 'checkpoints', 'tree.json'));
    await retain(at, { maxBytes: 1 });
    assert.deepEqual(
      (await segmentsOf(at)).filter((name) => names.includes(name)),
      [],
    );
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
  });

  test('a file that is left is still the one that was to go', async (t) => {
    const { at, keys } = await threeRuns(t);
    const names = await segmentsOf(at);
    const last = names.at(-1) ?? '';
    const file = await readFile(join(at.log, last));
    await retain(at);
    await writeFile(join(at.log, last), file.toString().replace('"n2"', '"n7"'));
    assert.deepEqual(await verified({ at, keys }), ['broken', 'complete', 'altered']);
    await rm(join(at.log, last));
    for (const name of [names[0], last].map((each) => each?.replace(/-\d{3}\./, '-998.'))) {
      await writeFile(join(at.log, name ?? ''), file);
      assert.equal((await verified({ at, keys }))[0], 'broken', 'nor one that was never there');
      await rm(join(at.log, name ?? ''));
    }
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
  });
});

test('a run looks by itself', async (t) => {
  const { at, keys } = await threeRuns(t);
  const names = await segmentsOf(at);
  const log = await openSigned(at, { retention: { maxBytes: 1, everyMs: 50 } });
  while ((await segmentsOf(at)).includes(names.at(-1) ?? '')) await new Promise((resolve) => setTimeout(resolve, 20));
  await log.close();
  assert.deepEqual(await verified({ at, keys }), ['intact', 'complete']);
});

test('the folder may be read while segments go', async (t) => {
  const { at, keys } = await threeRuns(t);
  const moved = `${at.log}-moved`;
  await Promise.all([retain(at), verifyLog(at.log, { keys }), verifyLog(at.log, { keys })]);
  await rename(at.log, moved);
  assert.deepEqual(said(await verifyLog(moved, { keys })), ['intact', 'complete'], 'a copy has all it needs');
});
