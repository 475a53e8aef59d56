import assert from 'node:assert/strict';
import { chmod, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { enterNotices, leaveNotice } from './notices.ts';
import { addWrappingKey } from './key-wrapper.ts';
import { bench, delivered, eventsInto, full, only, readAll, session } from './testing.ts';

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
