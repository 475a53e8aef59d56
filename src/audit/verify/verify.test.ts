/** The verifier, by attack: every edit of a log that we could think of, and what it says of it. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { auditEvent } from '../audit.ts';
import type { EntryDraft } from '../audit.ts';
import { SignerKey } from '../checkpoint/keys.ts';
import { checkpointName } from '../checkpoint/store.ts';
import { openFolder } from '../files.ts';
import type { LogFiles } from '../files.ts';
import {
  checkpointsOf,
  openSigned,
  publicKeyOf,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import type { SignedLog } from '../testing/signed-log.ts';
import { verifyLog } from './verify.ts';
import { flipEach, newestPath, said, signAnew, threeRuns, verified } from '../testing/cases.ts';

async function edit(at: SignedLog, segment: number, change: (lines: string[]) => readonly string[]): Promise<void> {
  const path = join(at.log, (await segmentsOf(at))[segment] ?? '');
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  await writeFile(
    path,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

describe('a log that nobody touched', () => {
  test('is intact and complete, at any size and over any number of runs and segments', async (t) => {
    for (const [runs, entries, segmentBytesMax] of [
      [1, 0, 1e6],
      [1, 1, 1e6],
      [2, 7, 700],
      [4, 30, 3_000],
    ] as const) {
      const at = await signedLog(t);
      for (let run = 0; run < runs; run += 1) await runSigned(at, entries, { segmentBytesMax });
      const report = await verifyLog(at.log, { keys: [await publicKeyOf(at)] });
      assert.deepEqual(said(report), ['intact', 'complete']);
      assert.deepEqual([report.entries, report.unsigned], [runs * (entries + 2), 0]);
      assert.deepEqual(report.keep, await readFile(await newestPath(at)));
    }
  });

  test('holds while the gateway writes', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at, { everyMs: 1_000, entries: 10 });
    const stop = new AbortController();
    const work = (async () => {
      while (!stop.signal.aborted) await writeEntries(log, 5);
    })();
    for (let i = 0; i < 10; i += 1) {
      const report = await verifyLog(at.log, { keys: [await publicKeyOf(at)] });
      if (report.checkpoints > 0) assert.deepEqual(said(report), ['intact', 'complete']);
    }
    stop.abort();
    await work;
    await log.close();
    assert.deepEqual(said(await verifyLog(at.log, { keys: [await publicKeyOf(at)] })), ['intact', 'complete']);
  });

  test('is not proved by a key that lies beside it, nor without a checkpoint', async (t) => {
    const { at, keys } = await threeRuns(t);
    assert.deepEqual(await verified({ at, keys }, { keys: [] }), ['unproved', 'complete']);
    await rm(join(at.log, 'checkpoints'), { recursive: true });
    const report = await verifyLog(at.log, { keys });
    assert.deepEqual([report.integrity, report.keep], ['unproved', null]);
  });
});

describe('any byte of a log', () => {
  test('that is changed is found, in segments and checkpoints', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 1);
    await runSigned(at, 0);
    const keys = [await publicKeyOf(at)] as const;
    const names = [
      ...(await segmentsOf(at)),
      ...(await readdir(join(at.log, 'checkpoints'))).map((name) => join('checkpoints', name)),
    ];
    const signed = names.filter((each) => /\.(jsonl|checkpoint)$/.test(each));
    const tried = await flipEach({ at, keys }, signed, 1);
    assert.ok(tried > 2_000, `${tried} bytes`);
    assert.deepEqual(said(await verifyLog(at.log, { keys })), ['intact', 'complete']);
  });
});

describe('an edit', () => {
  const edits: Readonly<
    Record<string, readonly [change: (lines: string[]) => readonly string[], expected: readonly string[]]>
  > = {
    'of a value': [
      (lines) => lines.with(3, (lines[3] ?? '').replace('"n2"', '"n7"')),
      ['broken', 'complete', 'altered'],
    ],
    'of white space': [
      (lines) => lines.with(3, (lines[3] ?? '').replace('{', '{ ')),
      ['broken', 'complete', 'not-canonical', 'altered'],
    ],
    'of the order of names': [
      (lines) => lines.with(3, JSON.stringify({ type: 'x', ...(JSON.parse(lines[3] ?? '') as object) })),
      ['broken', 'complete', 'not-canonical', 'altered'],
    ],
    'that removes a line': [(lines) => lines.toSpliced(3, 1), ['broken', 'incomplete', 'missing-entries', 'altered']],
    'that repeats a line': [
      (lines) => lines.toSpliced(3, 0, lines[3] ?? ''),
      ['broken', 'complete', 'twice', 'altered'],
    ],
    'that swaps lines': [
      (lines) => lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''),
      ['broken', 'complete', 'altered'],
    ],
    'that adds a line of its own': [
      (lines) => lines.toSpliced(3, 0, (lines[3] ?? '').replace(/"id":"([^."]+)\.\d+"/, '"id":"$1.99"')),
      ['broken', 'incomplete', 'missing-entries', 'altered'],
    ],
    'that is no entry': [
      (lines) => lines.with(3, '{}'),
      ['broken', 'incomplete', 'not-an-entry', 'missing-entries', 'altered'],
    ],
    'that is no JSON': [
      (lines) => lines.with(3, 'x'),
      ['broken', 'incomplete', 'not-an-entry', 'missing-entries', 'altered'],
    ],
    'of an id': [
      (lines) => lines.with(3, (lines[3] ?? '').replace(/"id":"[^"]*"/, '"id":"x"')),
      ['broken', 'incomplete', 'bad-id', 'missing-entries', 'altered'],
    ],
  };
  for (const [name, [change, expected]] of Object.entries(edits)) {
    test(`${name} is found, and where`, async (t) => {
      const { at, keys } = await threeRuns(t);
      await edit(at, 1, change);
      const report = await verifyLog(at.log, { keys });
      assert.deepEqual(said(report).sort(), expected.toSorted());
      const [segment] = (await segmentsOf(at)).slice(1);
      const broken = report.findings.find(({ aspect }) => aspect === 'integrity');
      assert.equal(broken?.at?.file, segment);
      // To the line where it can be seen, else behind the last checkpoint that holds.
      const line = broken?.at?.line ?? 0;
      assert.ok(line >= 1 && line <= 5, String(line));
      assert.equal(report.keep, null);
    });
  }

  test('by someone who signs it anew is not taken for ours', async (t) => {
    const { at, keys } = await threeRuns(t);
    await edit(at, 1, (lines) => lines.with(3, (lines[3] ?? '').replace('"n2"', '"n7"')));
    const stranger = SignerKey.generate('sluice/gw-1');
    await signAnew(at, stranger);
    assert.deepEqual(await verified({ at, keys }), ['broken', 'complete', 'unknown-key']);
    assert.deepEqual(await verified({ at, keys: [stranger.verifier] }), ['intact', 'complete']);
    assert.deepEqual(
      await verified({ at, keys }, { keys: [] }),
      ['unproved', 'complete'],
      'his own key proves nothing',
    );
  });
});

describe('what is missing', () => {
  test('is found where it was: a segment at the start, in the middle, at the end', async (t) => {
    for (const [which, expected] of [
      [0, ['broken', 'incomplete']],
      [1, ['broken', 'incomplete']],
      [2, ['intact', 'incomplete']],
    ] as const) {
      const { at, keys } = await threeRuns(t);
      await rm(join(at.log, (await segmentsOf(at))[which] ?? ''));
      assert.deepEqual((await verified({ at, keys })).slice(0, 2), expected, `segment ${which}`);
    }
  });

  test('at the end is found by the checkpoint that is there', async (t) => {
    const { at, keys } = await threeRuns(t);
    await edit(at, 2, (lines) => lines.slice(0, -1));
    assert.deepEqual(await verified({ at, keys }), ['intact', 'incomplete', 'missing-entries']);
  });

  test('with its checkpoints is found by the one kept from the last time, or by its age', async (t) => {
    const { at, keys } = await threeRuns(t);
    const known = (await checkpointsOf(at)).at(-1) ?? null;
    const [, , last = ''] = await segmentsOf(at);
    await rm(join(at.log, last));
    for (const { size } of (await checkpointsOf(at)).filter(({ size: each }) => each > 16))
      await rm(join(at.log, 'checkpoints', checkpointName(size)));
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], 'alone, nothing tells');
    assert.deepEqual(await verified({ at, keys }, { known }), ['intact', 'incomplete', 'shrunk']);
    const late = { maxAgeMs: 60_000, nowMs: Date.now() + 90_000 };
    assert.deepEqual(await verified({ at, keys }, late), ['intact', 'incomplete', 'stale']);
    assert.deepEqual(await verified({ at, keys }, { maxAgeMs: 60_000 }), ['intact', 'complete']);
  });

  test('behind a crash is told from what was cut off later', async (t) => {
    const at = await signedLog(t);
    const killed = await openSigned(at);
    await writeEntries(killed, 6);
    const [first = ''] = await segmentsOf(at);
    await appendFile(join(at.log, first), '{"data"');
    await runSigned(at, 2);
    const keys = [await publicKeyOf(at)] as const;
    const report = await verifyLog(at.log, { keys });
    assert.deepEqual(said(report), ['intact', 'gaps-reported', 'interrupted']);
    assert.ok(report.findings.every(({ reported }) => reported));
    await edit(at, 0, (lines) => lines.slice(0, -2));
    const after = await verified({ at, keys });
    assert.ok(after.includes('cut') && after.includes('altered'), after.join(' '));
    assert.deepEqual((await verified({ at, keys })).slice(0, 2), ['broken', 'incomplete']);
    await killed.close();
  });

  test('and was reported as lost by the gateway, is a gap that is known', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at);
    await writeEntries(log, 2);
    assert.throws(() => log.append({ code: 'x', data: { n: Number.NaN } }));
    await writeEntries(log, 2);
    await log.close();
    const keys = [await publicKeyOf(at)] as const;
    assert.deepEqual(await verified({ at, keys }), ['intact', 'gaps-reported', 'lost']);
  });

  test('of a session shows, with and without its end', async (t) => {
    const entry = (seq: number, code = 'flow.opened', entries = seq): EntryDraft => ({
      code,
      data: { session_id: 's', seq, counters: { entries } },
    });
    for (const [drafts, expected] of [
      [
        [entry(1), entry(2), entry(3, 'session.closed')],
        ['intact', 'complete'],
      ],
      [
        [entry(1), entry(3), entry(4, 'session.closed')],
        ['intact', 'incomplete', 'session-gap'],
      ],
      [
        [entry(2), entry(3, 'session.closed')],
        ['intact', 'incomplete', 'session-gap'],
      ],
      [
        [entry(1), entry(2, 'session.closed', 3)],
        ['broken', 'complete', 'session-count'],
      ],
      [
        [entry(1), entry(1), entry(2, 'session.closed')],
        ['broken', 'complete', 'session-order'],
      ],
      [
        [entry(1), entry(2)],
        ['intact', 'incomplete', 'session-open'],
      ],
    ] as const) {
      const at = await signedLog(t);
      const log = await openSigned(at);
      for (const draft of drafts) log.append(draft);
      await log.close();
      assert.deepEqual(await verified({ at, keys: [await publicKeyOf(at)] }), expected);
    }
  });

  test('is not what a failed write left behind', async (t) => {
    const at = await signedLog(t);
    const disk = await openFolder(at.log);
    let failing = false;
    const files: LogFiles = {
      ...disk,
      create: async (name) => {
        const file = await disk.create(name);
        return {
          ...file,
          write: async (bytes) => {
            if (!failing) return file.write(bytes);
            await file.write(bytes.subarray(0, bytes.length - 20));
            failing = false;
            throw new Error('ENOSPC');
          },
          truncate: () => Promise.reject(new Error('EIO')),
        };
      },
    };
    const log = await openSigned(at, { files });
    await writeEntries(log, 3);
    failing = true;
    for (let i = 0; i < 4; i += 1) log.append(auditEvent('gateway.stopped', { reason: `left ${i}` }));
    await log.durable().catch(() => undefined);
    while (!log.status().writable) await new Promise((resolve) => setTimeout(resolve, 5));
    await writeEntries(log, 3);
    await log.close();
    const keys = [await publicKeyOf(at)] as const;
    const report = await verifyLog(at.log, { keys });
    assert.deepEqual(said(report), ['intact', 'complete']);
    assert.equal(report.entries, 1 + 3 + 1 + 4 + 3 + 1);
    await runSigned(at, 1);
    await rm(join(at.log, 'checkpoints', 'tree.json'));
    await runSigned(at, 1);
    assert.deepEqual(await verified({ at, keys }), ['intact', 'complete'], 'and the tree is made from the same lines');
  });
});

describe('a folder', () => {
  test('that is empty proves nothing, and one that is not there is an error', async (t) => {
    const at = await signedLog(t);
    await assert.rejects(verifyLog(at.log), { code: 'ENOENT' });
    await mkdir(at.log);
    assert.deepEqual(said(await verifyLog(at.log)), ['unproved', 'complete']);
  });
});
