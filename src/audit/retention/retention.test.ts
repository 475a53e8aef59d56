/** Retention, by attack: what is gone must have gone by the gateway's own hand, and what is left must still verify. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { auditEvent } from '../audit.ts';
import type { EntryDraft, OwnedAuditLog, VerifyReport } from '../audit.ts';
import { parseCheckpoint, signCheckpoint } from '../checkpoint/checkpoint.ts';
import { addKey, readKeyFile } from '../checkpoint/key-file.ts';
import { SignerKey } from '../checkpoint/keys.ts';
import type { VerifierKey } from '../checkpoint/keys.ts';
import { writePermit } from '../checkpoint/permits.ts';
import { checkpointName } from '../checkpoint/store.ts';
import { entryLine } from '../envelope.ts';
import { entryProblem } from '../entry-shape.ts';
import type { TombstoneData } from '../events.ts';
import { listSegments } from '../read/segments.ts';
import { findTombstones } from '../read/tombstones.ts';
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
import type { OpenOptions, SignedLog } from '../testing/signed-log.ts';
import { proveEntry, verifyProof } from '../verify/prove.ts';
import { verifyLog } from '../verify/verify.ts';
import type { VerifyOptions } from '../verify/verify.ts';

interface Case {
  readonly at: SignedLog;
  readonly keys: readonly [VerifierKey];
}

/** Everything that may go, goes. */
const smallest = { retention: { maxBytes: 1 } } satisfies OpenOptions;

/** Three runs of eight entries each, a segment per run. */
async function threeRuns(t: TestContext): Promise<Case> {
  const at = await signedLog(t);
  for (let run = 0; run < 3; run += 1) await runSigned(at, 6);
  return { at, keys: [await publicKeyOf(at)] };
}

/** A run that removes what it may and nothing else. */
async function retain(at: SignedLog, retention: OpenOptions['retention'] = smallest.retention): Promise<string[]> {
  const log = await openSigned(at, { ...(retention !== undefined && { retention }) });
  await log.durable();
  try {
    return (await log.retain()).removed.map(({ name }) => name);
  } finally {
    await log.close();
  }
}

function said(report: VerifyReport): string[] {
  return [report.integrity, report.completeness, ...new Set(report.findings.map(({ code }) => code))];
}

async function verified({ at, keys }: Case, options: VerifyOptions = {}): Promise<string[]> {
  return said(await verifyLog(at.log, { keys, ...options }));
}

async function tombstonesOf(at: SignedLog): Promise<TombstoneData[]> {
  const entries = (await entriesOf(at)).filter(({ type }) => type.endsWith('.log.tombstone'));
  for (const entry of entries) assert.equal(entryProblem(entry), null);
  return entries.map(({ data }) => data as unknown as TombstoneData);
}

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
    const keys = [await publicKeyOf(at)];
    const checkpoints = (await readdir(join(at.log, 'checkpoints'))).filter((name) => name.endsWith('.checkpoint'));
    let tried = 0;
    for (const name of [...(await segmentsOf(at)), ...checkpoints.map((each) => join('checkpoints', each))]) {
      const path = join(at.log, name);
      const good = await readFile(path);
      for (let byte = 0; byte < good.length; byte += stride) {
        const bad = Buffer.from(good);
        bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte % 8));
        await writeFile(path, bad);
        const report = await verifyLog(at.log, { keys });
        assert.ok(
          report.integrity === 'broken' || report.completeness === 'incomplete',
          `${name}, byte ${byte}: ${said(report).join(' ')}`,
        );
        tried += 1;
      }
      await writeFile(path, good);
    }
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
