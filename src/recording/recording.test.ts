import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyWrapper } from './key-wrapper.ts';
import { bench, delivered, full, only, readAll } from './testing.ts';

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
