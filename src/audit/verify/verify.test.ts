/** The verifier, by attack: every edit of a log that we could think of, and what it says of it. */
import assert from 'node:assert/strict';
import { appendFile, copyFile, cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { auditEvent } from '../audit.ts';
import type { EntryDraft } from '../audit.ts';
import { parseCheckpoint, signCheckpoint } from '../checkpoint/checkpoint.ts';
import { addKey, readKeyFile } from '../checkpoint/key-file.ts';
import { SignerKey } from '../checkpoint/keys.ts';
import type { VerifierKey } from '../checkpoint/keys.ts';
import { checkpointName } from '../checkpoint/store.ts';
import { openFolder } from '../files.ts';
import type { LogFiles } from '../files.ts';
import { CompactRange } from '../merkle/compact-range.ts';
import { leafHash } from '../merkle/hash.ts';
import {
  checkpointsOf,
  linesOfLog,
  openSigned,
  publicKeyOf,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import type { SignedLog } from '../testing/signed-log.ts';
import { verifyLog } from './verify.ts';
import type { VerifyOptions, VerifyReport } from './verify.ts';

interface Case {
  readonly at: SignedLog;
  readonly keys: readonly [VerifierKey];
}

/** Three runs of eight entries each. */
async function threeRuns(t: TestContext): Promise<Case> {
  const at = await signedLog(t);
  for (let run = 0; run < 3; run += 1) await runSigned(at, 6);
  return { at, keys: [await publicKeyOf(at)] };
}

function said(report: VerifyReport): string[] {
  return [report.integrity, report.completeness, ...new Set(report.findings.map(({ code }) => code))];
}

async function verified({ at, keys }: Case, options: VerifyOptions = {}): Promise<string[]> {
  return said(await verifyLog(at.log, { keys, ...options }));
}

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

async function newestPath(at: SignedLog): Promise<string> {
  const newest = (await checkpointsOf(at)).at(-1);
  return join(at.log, 'checkpoints', checkpointName(newest?.size ?? 0));
}

/** What someone does who has the folder and no key of ours: signs all that is there with his own. */
async function signAnew(at: SignedLog, key: SignerKey): Promise<void> {
  const lines = await linesOfLog(at);
  const folder = join(at.log, 'checkpoints');
  for (const name of await readdir(folder)) if (name.endsWith('.checkpoint')) await rm(join(folder, name));
  const range = new CompactRange();
  for (const line of lines) range.append(leafHash(Buffer.from(line)));
  const head = { origin: key.verifier.name, size: range.size, root: range.root() };
  await writeFile(join(folder, checkpointName(range.size)), signCheckpoint(head, [key], (Date.now() / 1_000) | 0));
  await writeFile(join(folder, 'log.vkey'), `${key.verifier.text}\n`);
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
    const keys = [await publicKeyOf(at)];
    const names = [
      ...(await segmentsOf(at)),
      ...(await readdir(join(at.log, 'checkpoints'))).map((name) => join('checkpoints', name)),
    ];
    let tried = 0;
    for (const name of names.filter((each) => /\.(jsonl|checkpoint)$/.test(each))) {
      const path = join(at.log, name);
      const good = await readFile(path);
      for (let byte = 0; byte < good.length; byte += 1) {
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

describe('a folder', () => {
  test('that is empty proves nothing, and one that is not there is an error', async (t) => {
    const at = await signedLog(t);
    await assert.rejects(verifyLog(at.log), { code: 'ENOENT' });
    await mkdir(at.log);
    assert.deepEqual(said(await verifyLog(at.log)), ['unproved', 'complete']);
  });
});
