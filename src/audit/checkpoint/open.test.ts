/** The signed log as the gateway writes it: over restarts, crashes, lost files, lost keys and new keys. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, chmod, mkdir, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../lib/logger.ts';
import type { Entry } from '../../model/entry.ts';
import { codeOf } from '../audit.ts';
import {
  checkpointsOf,
  entriesOf,
  linesOfLog,
  openSigned,
  runSigned,
  segmentsOf,
  signedLog,
  writeEntries,
} from '../testing/signed-log.ts';
import type { OpenOptions, SignedLog } from '../testing/signed-log.ts';
import { parseCheckpoint, signedBy } from './checkpoint.ts';
import { addKey } from './key-file.ts';
import { VerifierKey } from './keys.ts';

/** RFC 6962 §2.1, once more and as plainly as it stands there. */
function rootOf(leaves: readonly string[]): string {
  const sha = (...parts: readonly (string | Buffer)[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  const mth = (data: readonly string[]): Buffer => {
    if (data.length === 0) return sha();
    if (data.length === 1) return sha('\u0000', data[0] ?? '');
    const k = 2 ** Math.floor(Math.log2(data.length - 1));
    return sha('\u0001', mth(data.slice(0, k)), mth(data.slice(k)));
  };
  return mth(leaves).toString('base64');
}

async function assertSigned(at: SignedLog): Promise<void> {
  const all = await linesOfLog(at);
  const signed = await checkpointsOf(at);
  assert.equal(signed.at(-1)?.size, all.length, 'the newest covers every entry');
  for (const { size, root } of signed) {
    assert.equal(Buffer.from(root).toString('base64'), rootOf(all.slice(0, size)), `root at ${size}`);
  }
}

async function vkeys(at: SignedLog): Promise<VerifierKey[]> {
  const opened = (await entriesOf(at)).filter((entry) => codeOf(entry) === 'log.opened');
  return [...new Set(opened.map((entry) => JSON.stringify(entry.data['key']).slice(1, -1)))].map((text) =>
    VerifierKey.parse(text),
  );
}

function codes(found: readonly Entry[]): string[] {
  return [...new Set(found.map(codeOf))];
}

describe('a signed log', () => {
  test('has a key for its owner alone, and a checkpoint over every entry when it is closed', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 20);
    assert.equal((await stat(at.key)).mode & 0o777, 0o600);
    assert.equal((await stat(join(at.log, 'checkpoints'))).mode & 0o777, 0o700);
    await assertSigned(at);
    const [key] = await vkeys(at);
    assert.ok(key);
    assert.equal(key.name, 'sluice/gw-1', 'a name that a note can carry');
    assert.equal(await readFile(join(at.log, 'checkpoints', 'log.vkey'), 'utf8'), `${key.text}\n`);
    const [newest] = (await checkpointsOf(at)).toReversed();
    assert.ok(newest);
    const { by, time } = signedBy(newest, [key]);
    assert.equal(by.length, 1);
    assert.ok(Math.abs((time ?? 0) - Date.now() / 1_000) < 60);
    const secret = /PRIVATE\+KEY\+[^+]+\+[0-9a-f]{8}\+(\S+)/.exec(await readFile(at.key, 'utf8'))?.[1] ?? '';
    assert.ok(secret.length > 40 && !(await linesOfLog(at)).some((line) => line.includes(secret)));
  });

  test('is signed after so many entries, and again with a new time where nothing happens', async (t) => {
    const at = await signedLog(t);
    const log = await openSigned(at, { entries: 5, everyMs: 1_000 });
    await writeEntries(log, 6);
    await sleep(300);
    assert.equal((await checkpointsOf(at)).length, 1);
    const timeOf = async (): Promise<number> => {
      const [newest] = (await checkpointsOf(at)).toReversed();
      return newest === undefined ? 0 : (signedBy(newest, await vkeys(at)).time ?? 0);
    };
    const before = await timeOf();
    for (const end = Date.now() + 5_000; (await timeOf()) <= before && Date.now() < end;) await sleep(100);
    assert.ok((await timeOf()) > before, 'the time went on');
    await log.close();
    await assertSigned(at);
  });

  test('goes on over restarts, with its account of the tree, without it, and with a false one', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 5, { segmentBytesMax: 1_000 });
    await runSigned(at, 8);
    const state = join(at.log, 'checkpoints', 'tree.json');
    await rm(state);
    await runSigned(at, 3);
    await writeFile(state, (await readFile(state, 'utf8')).replace(/"hashes":\["..../, '"hashes":["AAAA'));
    await runSigned(at, 3);
    await writeFile(state, '{"size":');
    await runSigned(at, 1);
    await assertSigned(at);
    const sizes = (await entriesOf(at))
      .filter((entry) => codeOf(entry) === 'log.opened')
      .map(({ data }) => data['tree_size']);
    assert.deepEqual(sizes, [0, 7, 17, 22, 27]);
  });

  test('goes on behind a run that was killed in the middle of a line', async (t) => {
    const at = await signedLog(t);
    const killed = await openSigned(at);
    await writeEntries(killed, 4);
    await appendFile(join(at.log, (await segmentsOf(at)).at(-1) ?? ''), '{"data":{"to');
    await runSigned(at, 2);
    const all = await linesOfLog(at);
    assert.equal((await checkpointsOf(at)).at(-1)?.size, all.length);
    await assertSigned(at);
    assert.ok(codes(await entriesOf(at)).includes('log.recovered'));
    await killed.close();
  });

  test('says which entries are missing where a segment is gone or shorter, and goes on', async (t) => {
    const at = await signedLog(t);
    for (let i = 0; i < 3; i += 1) await runSigned(at, 3);
    const [first = '', second = ''] = await segmentsOf(at);
    await rm(join(at.log, first));
    const path = join(at.log, second);
    await truncate(path, (await readFile(path)).lastIndexOf('\n', (await stat(path)).size - 2) + 1);
    const signed = (await checkpointsOf(at)).at(-1)?.size ?? 0;
    await runSigned(at, 1);
    await runSigned(at, 1);
    const missing = (await entriesOf(at)).filter((entry) => codeOf(entry) === 'log.entries-missing');
    assert.deepEqual(
      missing.map(({ data }) => data),
      [
        { segment: first, cause: 'segment-gone', first_index: 0, count: 5 },
        { segment: second, cause: 'segment-shorter', first_index: 9, count: 1 },
      ],
      'once',
    );
    assert.equal((await checkpointsOf(at)).at(-1)?.size, signed + 5 + 3, 'the tree has no gap');
  });

  test('is not gone on with where what was signed is not what is there', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const [name = ''] = await segmentsOf(at);
    const path = join(at.log, name);
    const good = await readFile(path, 'utf8');
    await rm(join(at.log, 'checkpoints', 'tree.json'));
    for (const bad of [good.replace('"n1"', '"n9"'), good.slice(0, good.lastIndexOf('{'))]) {
      await writeFile(path, bad);
      await assert.rejects(openSigned(at), { code: 'audit-tree-broken', message: /not the one that was signed/ });
    }
    await writeFile(path, good);
    await runSigned(at, 1);
    await assertSigned(at);
  });

  test('keeps its writing where the checkpoint cannot be written, and signs again when it can', async (t) => {
    const at = await signedLog(t);
    const messages: string[] = [];
    const note = (_: unknown, message: string): void => void messages.push(message);
    const log = await openSigned(at, { everyMs: 1_000, logger: { ...silentLogger, error: note, info: note } });
    const folder = join(at.log, 'checkpoints');
    await rm(folder, { recursive: true });
    await writeEntries(log, 3);
    const until = async (text: RegExp): Promise<void> => {
      for (const end = Date.now() + 5_000; !messages.some((line) => text.test(line)) && Date.now() < end;)
        await sleep(50);
      assert.ok(
        messages.some((line) => text.test(line)),
        String(text),
      );
    };
    await until(/checkpoint .* cannot be written/);
    await mkdir(folder);
    await until(/can be written again/);
    await log.close();
    await assertSigned(at);
  });
});

describe('the key', () => {
  test('that is gone, another, damaged or of another log keeps the gateway from starting, with what to do', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 1);
    const good = await readFile(at.key, 'utf8');
    const refused = (message: RegExp, options: OpenOptions = {}): Promise<void> =>
      assert.rejects(openSigned(at, options), { code: 'audit-key-unusable', message });
    await rm(at.key);
    await refused(/is gone, and the log is signed with it.*Put it back/);
    const other = await signedLog(t);
    await runSigned(other, 1);
    await writeFile(at.key, await readFile(other.key));
    await refused(/none of its keys signed the log's newest checkpoint/);
    await writeFile(at.key, good.slice(0, -10));
    await refused(/no key of an audit log/);
    await writeFile(at.key, '# nothing\n');
    await refused(/no key in it/);
    await writeFile(at.key, good);
    await refused(/origin says "elsewhere"/, { origin: 'elsewhere' });
    await runSigned(at, 1);
    await assertSigned(at);
  });

  test('that others may read is warned of', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 1);
    await chmod(at.key, 0o644);
    const warnings: string[] = [];
    await runSigned(at, 1, { logger: { ...silentLogger, warn: (_, message) => void warnings.push(message) } });
    assert.ok(warnings.some((line) => line.includes('chmod 600')));
  });

  test('changes: the log says so, the old one signs that, and only the new one after it', async (t) => {
    const at = await signedLog(t);
    await runSigned(at, 3);
    const fresh = await addKey(at.key);
    assert.equal((await stat(at.key)).mode & 0o777, 0o600);
    await runSigned(at, 3);
    await runSigned(at, 2);
    await assertSigned(at);
    const [old, young] = await vkeys(at);
    assert.ok(old && young);
    assert.equal(young.text, fresh.verifier.text);
    const changed = (await entriesOf(at)).filter((entry) => codeOf(entry) === 'log.key-changed');
    assert.deepEqual(
      changed.map(({ data }) => data),
      [{ old_key: old.text, new_key: young.text }],
    );
    const by = (await checkpointsOf(at)).map((one) => signedBy(one, [old, young]).by.map((key) => key.text));
    const turns = by.map((keys) => keys.join(' ')).filter((keys, index, all) => keys !== all[index - 1]);
    assert.deepEqual(turns, [old.text, `${old.text} ${young.text}`, young.text]);
    await writeFile(at.key, `${fresh.secretText()}\n`);
    await runSigned(at, 1);
  });
});

describe('checkpoints are pushed', () => {
  test('to a folder, each once, and to a command', async (t) => {
    const at = await signedLog(t);
    const away = join(at.log, '..', 'away');
    const out = join(at.log, '..', 'out');
    await mkdir(away);
    const command = ['sh', '-c', `cat > "${out}.$SLUICE_CHECKPOINT_SIZE"`] as const;
    await runSigned(at, 2, { push: { directory: away, command: [...command] } });
    await runSigned(at, 2, { push: { directory: away, command: [...command] } });
    const newest = (await checkpointsOf(at)).at(-1);
    const pushed = (await readdir(away)).sort();
    assert.equal(pushed.at(-1), `${String(newest?.size).padStart(16, '0')}.checkpoint`);
    const copy = await readFile(join(away, pushed.at(-1) ?? ''));
    assert.equal(parseCheckpoint(copy).note.text, newest?.note.text);
    assert.deepEqual(await readFile(`${out}.${newest?.size}`), copy);
  });

  test('and a place that fails is reported and holds nothing up', async (t) => {
    const at = await signedLog(t);
    const errors: unknown[] = [];
    const logger = { ...silentLogger, error: (fields: unknown) => void errors.push(fields) };
    await runSigned(at, 2, { push: { command: ['false'] }, logger });
    await runSigned(at, 2, { push: { directory: '/dev/null/nowhere' }, logger });
    assert.match(JSON.stringify(errors), /false ended with code 1.*nowhere/);
    await assertSigned(at);
  });
});
