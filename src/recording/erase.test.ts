import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { eraseRecording } from './erase.ts';
import { pathsOf } from './header.ts';
import { bench, delivered, full, only, readAll, session } from './testing.ts';

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
