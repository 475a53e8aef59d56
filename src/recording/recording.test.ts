import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eraseRecording } from './erase.ts';
import { pathsOf } from './header.ts';
import { enterNotices, leaveNotice } from './notices.ts';
import { addWrappingKey } from './key-wrapper.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { bench, delivered, eventsInto, full, readAll, session } from './testing.ts';

async function only<Item>(items: Promise<readonly Item[]>): Promise<Item> {
  const all = await items;
  assert.equal(all.length, 1);
  return all[0] as Item;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const begun = performance.now(); !holds(); await sleep(5))
    assert.ok(performance.now() - begun < 5_000, `not within 5 s: ${what}`);
}

describe('a recording', () => {
  it('gives back what was taken, in order, with its times; the memory that was lent may change meanwhile', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    const lent = Buffer.from('first');
    recorder.record(full, delivered(lent, 2));
    lent.fill(0);
    b.clock.atMs += 250;
    recorder.record(full, { kind: 'answered', meta: { topic: 'payments', error: 0 }, payload: null, records: 0 });
    recorder.close();
    await b.recordings.close();
    const stored = await only(b.stored());
    assert.equal(stored.state, 'complete');
    const { read, ended, digest } = await readAll(b, stored);
    assert.equal(ended, 'complete');
    assert.deepEqual(
      read.map(({ kind, records, payload, atMs }) => [kind, records, String(payload), atMs - b.clock.atMs]),
      [
        ['delivered', 2, 'first', -250],
        ['answered', 0, '', 0],
      ],
    );
    assert.deepEqual(b.told, ['started full', 'closed 2 items 2 records']);
    assert.deepEqual([digest], b.digests, 'the audit log has the digest of what is there');
  });

  it('says whose it is and its tags, and nothing that flowed, to whoever has no key', async (t) => {
    const b = await bench(t, { retentionMs: 86_400_000 });
    b.recorder().record(full, delivered('a secret value'));
    await b.recordings.close();
    const { header, segments } = await only(b.stored());
    assert.deepEqual(header.principal, { kind: 'user', id: 'alice', issuer: 'corp' });
    assert.deepEqual(header.tags, { owner: 'risk', classification: 'pii', retention_ms: 86_400_000 });
    for (const name of await readdir(b.directory, { recursive: true })) {
      const path = join(b.directory, name);
      const about = await stat(path);
      assert.equal(about.mode & 0o077, 0, `${name} is for its owner alone`);
      if (about.isFile()) assert.equal((await readFile(path)).includes('secret'), false);
    }
    assert.equal(segments.length, 1);
  });

  it('goes on in another segment where one is full, and never leaves anything out', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    const payloads = Array.from({ length: 40 }, (_, index) => Buffer.alloc(100_000, index));
    payloads.splice(20, 0, randomBytes(5_000_000)); // larger than a segment and than any block
    for (const payload of payloads) {
      recorder.record(full, delivered(payload));
      await recorder.durable();
    }
    recorder.close();
    await b.recordings.close();
    const stored = await only(b.stored());
    assert.ok(stored.segments.length >= 4, `${stored.segments.length} segments`);
    const { read, segmentDigests, digest } = await readAll(b, stored);
    assert.equal(read.length, payloads.length);
    for (const [index, { payload }] of read.entries()) assert.ok(payload.equals(payloads[index] ?? Buffer.alloc(0)));
    assert.deepEqual([...segmentDigests.slice(0, -1), digest], b.digests);
  });

  it('is one for each set of tags, so that each has one owner and one retention', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    recorder.record({ ...full, classification: 'public' }, delivered('b'));
    recorder.record({ ...full }, delivered('c'));
    recorder.close();
    await b.recordings.close();
    const stored = await b.stored();
    assert.deepEqual(stored.map(({ header }) => header.tags.classification).toSorted(), ['pii', 'public']);
  });

  it('digests for references by a key of its own', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    const digest = recorder.digest(full, [Buffer.from('x')]);
    recorder.record(full, delivered('a'));
    await b.recordings.close();
    assert.notDeepEqual(digest, createHmac('sha256', '').update('x').digest());
    const stored = await only(b.stored());
    const { openRecording } = await import('./reader.ts');
    const { FileKeyWrapper } = await import('./key-wrapper.ts');
    const parts = {
      wrapper: new FileKeyWrapper(b.keyFile, false),
      mayRead: async () => await Promise.resolve(null),
      announce: async () => await Promise.resolve(),
    };
    const opened = await openRecording(b.directory, stored, parts, 'test');
    assert.deepEqual(opened.digest([Buffer.from('x')]), digest);
  });
});

describe('in strict mode', () => {
  it('operations wait until the recording is there and told', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    assert.equal(recorder.durable(), null, 'nothing is recorded yet');
    recorder.record(full, delivered('a'));
    const waiting = recorder.durable();
    assert.ok(waiting instanceof Promise);
    assert.deepEqual(b.told, []);
    await waiting;
    assert.deepEqual(b.told, ['started full']);
    assert.equal(recorder.durable(), null);
  });

  it('a recording that cannot be written ends the session, and is told', async (t) => {
    const b = await bench(t);
    await mkdir(dirname(b.directory), { recursive: true });
    await writeFile(b.directory, 'not a folder');
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    await assert.rejects(async () => await recorder.durable(), { code: 'recording-unavailable' });
    assert.match(b.told.join(), /^failed after 0 items, 1 lost: /);
    assert.match(b.ended.join(), /its recording failed/);
    await assert.rejects(async () => await recorder.durable(), { code: 'recording-unavailable' });
    recorder.close();
    await rm(b.directory);
  });

  it('a disk with too little room counts as one that cannot be written', async (t) => {
    const b = await bench(t, { freeBytesMin: 2 ** 60 });
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    await assert.rejects(async () => await recorder.durable(), { code: 'recording-unavailable' });
    assert.match(b.ended.join(), /are free in .* \(recording\.limits\.minFree\)/);
  });

  it('a keeper of keys that is away ends it too, and what lies there is no recording', async (t) => {
    const away: KeyWrapper = {
      wrap: async () => await Promise.reject(new Error('the KMS is away')),
      unwrap: async () => await Promise.reject(new Error('the KMS is away')),
    };
    const b = await bench(t, {}, away);
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    await assert.rejects(async () => await recorder.durable(), /the KMS is away/);
    assert.deepEqual(await b.stored(), []);
  });
});

describe('in available mode', () => {
  it('nothing waits; what was lost is counted, told, and marked in the next recording', async (t) => {
    const b = await bench(t, { mode: 'available' });
    await mkdir(dirname(b.directory), { recursive: true });
    await writeFile(b.directory, 'not a folder');
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    assert.equal(recorder.durable(), null);
    await until('the failure', () => b.told.length > 0);
    recorder.record(full, delivered('b', 3));
    recorder.record(full, delivered('c', 4));
    await until('the loss', () => b.told.length > 1);
    assert.match(b.told[0] ?? '', /^failed after 0 items, 1 lost/);
    assert.match(b.told[1] ?? '', /^lost 2 items 7 records/);
    assert.deepEqual(b.ended, []);
    await rm(b.directory);
    b.clock.atMs += 10_000;
    recorder.record(full, delivered('d'));
    recorder.close();
    await b.recordings.close();
    const { read } = await readAll(b, await only(b.stored()));
    assert.deepEqual(
      read.map(({ kind, records, payload }) => [kind, records, String(payload)]),
      [
        ['gap', 7, ''],
        ['delivered', 1, 'd'],
      ],
    );
  });
});

describe('after the end', () => {
  it('what still flows is told to be lost, and not kept silently nowhere', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    recorder.record(full, delivered('a'));
    recorder.close();
    recorder.record(full, delivered('late', 2));
    await b.recordings.close();
    assert.ok(b.told.includes('lost 1 items 2 records: the session was over'), b.told.join());
    assert.equal((await readAll(b, await only(b.stored()))).read.length, 1);
  });
});

describe('erasing', () => {
  it('takes the key and the segments; the header stays and says so', async (t) => {
    const b = await bench(t);
    b.recorder().record(full, delivered('a'));
    await b.recordings.close();
    const stored = await only(b.stored());
    const copy = await readFile(stored.segments[0]?.path ?? '');
    await eraseRecording(b.directory, stored.header, { at: '2026-03-13T00:00:00Z', cause: 'asked' });
    const erased = await only(b.stored());
    assert.deepEqual([erased.state, erased.segments.length, erased.erasure?.cause], ['erased', 0, 'asked']);
    await assert.rejects(readAll(b, erased), { code: 'recording-erased' });
    // Somebody kept a copy of the segments: without the key it is nothing.
    const paths = pathsOf(b.directory, session.id, stored.header.recording);
    await writeFile(paths.segment(1), copy);
    await rm(paths.erased);
    await assert.rejects(readAll(b, await only(b.stored())), { code: 'recording-erased' });
  });

  it('comes by itself when the retention is over, and not before', async (t) => {
    const b = await bench(t);
    b.recorder().record({ ...full, retentionMs: 86_400_000 }, delivered('short'));
    const other = { ...session, id: 'aaaaaaaa-7b52-4d0e-a0c0-5fd6c2a3f0d1' };
    b.recorder(other).record(full, delivered('for ever'));
    await b.recordings.close();
    const { openRecordings } = await import('./recordings.ts');
    const { silentLogger } = await import('../lib/logger.ts');
    const erased: string[] = [];
    const sweepAt = async (nowMs: number): Promise<void> => {
      const events = { erased: (header: { session: string }) => void erased.push(header.session) };
      const sweeping = openRecordings({
        settings: b.settings,
        gatewayId: 'gw',
        clock: { nowMs: () => nowMs },
        logger: silentLogger,
        events: events as never,
      });
      await sweeping.close();
    };
    // Its segments were written now, by the file system's clock.
    await sweepAt(Date.now() + 86_000_000);
    assert.deepEqual(erased, []);
    await sweepAt(Date.now() + 90_000_000);
    assert.deepEqual(erased, [session.id]);
    assert.deepEqual((await b.stored()).map(({ state }) => state).toSorted(), ['complete', 'erased']);
  });
});

describe('reading', () => {
  it('asks first, and tells that it is read before anything is given out', async (t) => {
    const b = await bench(t);
    b.recorder().record(full, delivered('a'));
    await b.recordings.close();
    const stored = await only(b.stored());
    const refused = { mayRead: async () => await Promise.resolve('ask the owner') };
    await assert.rejects(readAll(b, stored, refused), { code: 'recording-read-refused', message: /ask the owner/ });
    const mute = { announce: async () => await Promise.reject(new Error('the log cannot be written')) };
    await assert.rejects(readAll(b, stored, mute), /the log cannot be written/);
    const told: string[] = [];
    const announce = async ({ purpose, recording }: { purpose: string; recording: { session: string } }) =>
      await Promise.resolve(void told.push(`${purpose} ${recording.session}`));
    await readAll(b, stored, { announce });
    assert.deepEqual(told, [`test ${session.id}`]);
  });

  it('is entered in the audit log by the gateway, from the notice that the command left, once', async (t) => {
    const b = await bench(t);
    b.recorder().record(full, delivered('a'));
    await b.recordings.close();
    const { header } = await only(b.stored());
    await leaveNotice(b.directory, 'read', header, 'replay');
    await leaveNotice(b.directory, 'erased', header, '');
    await writeFile(join(b.directory, 'notices', '1-forged.notice'), '{"kind":"read","session":"../../x"}');
    const told: string[] = [];
    const events = eventsInto(told, []);
    await enterNotices(b.directory, events);
    assert.equal(told.length, 2);
    assert.match(told[0] ?? '', /^read: replay by .+@.+/);
    assert.match(told[1] ?? '', /^erased: asked by .+@/);
    assert.equal(await enterNotices(b.directory, events), 0);
    assert.deepEqual(await readdir(join(b.directory, 'notices')), ['1-forged.unreadable']);
  });

  it('needs the key that wrapped: another one, or none, does not do', async (t) => {
    const b = await bench(t);
    b.recorder().record(full, delivered('a'));
    await b.recordings.close();
    const stored = await only(b.stored());
    const other = await bench(t);
    other.recorder().record(full, delivered('b'));
    await other.recordings.close();
    await assert.rejects(readAll({ ...b, keyFile: other.keyFile }, stored), {
      code: 'recording-key-unusable',
      message: /does not hold the key/,
    });
    await assert.rejects(readAll({ ...b, keyFile: `${b.keyFile}-gone` }, stored), { code: 'recording-key-unusable' });
    await chmod(b.keyFile, 0o600);
    await addWrappingKey(b.keyFile);
    assert.equal((await readAll(b, stored)).read.length, 1, 'a key that was added leaves the older ones good');
  });

  it('gives out what was there where the process was killed, and says that the end is missing', async (t) => {
    const b = await bench(t);
    const recorder = b.recorder();
    for (let index = 0; index < 30; index += 1) recorder.record(full, delivered(Buffer.alloc(10_000, index)));
    await b.recordings.close();
    const stored = await only(b.stored());
    const [segment] = stored.segments;
    await truncate(segment?.path ?? '', (segment?.bytes ?? 0) - 100_001);
    const cut = await only(b.stored());
    assert.notEqual(cut.state, 'complete');
    const { read, ended, tornBytes, digest } = await readAll(b, cut);
    assert.deepEqual([ended, digest], ['cut', null]);
    assert.ok(tornBytes > 0 && read.length > 5 && read.length < 30, `${read.length} items, ${tornBytes} torn bytes`);
    for (const [index, { payload }] of read.entries()) assert.ok(payload.equals(Buffer.alloc(10_000, index)));
  });
});
