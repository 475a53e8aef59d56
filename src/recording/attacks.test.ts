/** What somebody with the files, and without the key, may try. Each is tried and has to show. */
import assert from 'node:assert/strict';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { StoredRecording } from './catalogue.ts';
import { blockHeaderBytes, blockTagBytes, segmentHeaderBytes } from './format.ts';
import { pathsOf } from './header.ts';
import { bench, delivered, full, readAll, session } from './testing.ts';
import type { Bench, ReadAll } from './testing.ts';

interface Made {
  readonly b: Bench;
  readonly stored: StoredRecording;
  readonly path: string;
  /** What the audit log says. */
  readonly digest: string;
}

async function made(t: TestContext, items: number, itemBytes: number): Promise<Made> {
  const b = await bench(t);
  const recorder = b.recorder();
  for (let index = 0; index < items; index += 1) {
    recorder.record(full, delivered(Buffer.alloc(itemBytes, index)));
    await recorder.durable();
  }
  recorder.close();
  await b.recordings.close();
  const [stored] = await b.stored();
  assert.ok(stored !== undefined);
  return { b, stored, path: stored.segments[0]?.path ?? '', digest: b.digests.at(-1) ?? '' };
}

/** Reads it again as whoever replays it does: it shows by an error, by a missing end, or by another digest than the log's. */
async function shows({ b, digest }: Made): Promise<string | null> {
  let result: ReadAll;
  try {
    const [stored] = await b.stored();
    if (stored === undefined) return 'gone';
    result = await readAll(b, stored);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `a defect: ${String(error)}`;
  }
  if (result.ended === 'cut') return 'cut';
  return result.digest === digest ? null : 'another digest';
}

function blocksOf(segment: Buffer): { start: number; end: number }[] {
  const blocks: { start: number; end: number }[] = [];
  for (let start = segmentHeaderBytes; start < segment.length;) {
    const end = start + blockHeaderBytes + segment.readUInt32BE(start) + blockTagBytes;
    blocks.push({ start, end });
    start = end;
  }
  return blocks;
}

describe('whoever has the files', () => {
  it('cannot flip a bit of any byte of the segment, the header or the wrapped key', async (t) => {
    const made1 = await made(t, 2, 20);
    assert.equal(await shows(made1), null);
    const paths = pathsOf(made1.b.directory, session.id, made1.stored.header.recording);
    let flips = 0;
    for (const path of [made1.path, paths.header, paths.key]) {
      const good = await readFile(path);
      for (let byte = 0; byte < good.length; byte += 1) {
        const bad = Buffer.from(good);
        bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte % 8));
        await writeFile(path, bad);
        const shown = await shows(made1);
        assert.notEqual(shown, null, `byte ${byte} of ${path}`);
        assert.doesNotMatch(shown ?? '', /defect/, `byte ${byte} of ${path}`);
        flips += 1;
      }
      await writeFile(path, good);
    }
    assert.equal(await shows(made1), null);
    t.diagnostic(`${flips} bytes flipped, each found`);
  });

  it('cannot cut it anywhere, also not between two blocks, and have it pass for whole', async (t) => {
    const one = await made(t, 5, 70_000);
    const good = await readFile(one.path);
    const blocks = blocksOf(good);
    assert.ok(blocks.length > 3);
    for (const { start, end } of blocks) {
      for (const length of [start, start + 1, start + blockHeaderBytes, end - 1]) {
        await writeFile(one.path, good.subarray(0, length));
        assert.equal(await shows(one), 'cut', `${length} of ${good.length} bytes`);
      }
    }
  });

  it('cannot turn blocks round, leave one out, or say one twice', async (t) => {
    const one = await made(t, 5, 70_000);
    const good = await readFile(one.path);
    const [first, second, ...others] = blocksOf(good).map(({ start, end }) => good.subarray(start, end));
    assert.ok(first !== undefined && second !== undefined);
    const head = good.subarray(0, segmentHeaderBytes);
    const attempts = [
      [second, first, ...others],
      [second, ...others],
      [first, first, second, ...others],
      [first, second, ...others, others.at(-1) ?? first],
      [first, ...others.slice(-1)],
    ];
    for (const blocks of attempts) {
      await writeFile(one.path, Buffer.concat([head, ...blocks]));
      assert.equal(await shows(one), 'recording-altered');
    }
    await writeFile(one.path, Buffer.concat([good, Buffer.from('more')]));
    assert.equal(await shows(one), 'recording-altered');
  });

  it('cannot mark an inner block as the last', async (t) => {
    const one = await made(t, 5, 70_000);
    const good = Buffer.from(await readFile(one.path));
    const [first] = blocksOf(good);
    assert.ok(first !== undefined);
    good.writeUInt8(2, first.start + 4);
    await writeFile(one.path, good.subarray(0, first.end));
    assert.equal(await shows(one), 'recording-altered');
  });

  it('cannot put a block, a segment or a key of one recording into another', async (t) => {
    const [one, other] = [await made(t, 5, 70_000), await made(t, 5, 70_000)];
    const [mine, theirs] = [await readFile(one.path), await readFile(other.path)];
    const [myFirst] = blocksOf(mine);
    const [theirFirst] = blocksOf(theirs);
    assert.ok(myFirst !== undefined && theirFirst !== undefined);
    const block = theirs.subarray(theirFirst.start, theirFirst.end);
    await writeFile(one.path, Buffer.concat([mine.subarray(0, myFirst.start), block, mine.subarray(myFirst.end)]));
    assert.equal(await shows(one), 'recording-altered');
    await writeFile(one.path, theirs);
    assert.equal(await shows(one), 'recording-altered');
    await writeFile(one.path, mine);
    const key = (made1: Made): string => pathsOf(made1.b.directory, session.id, made1.stored.header.recording).key;
    const myKey = await readFile(key(one));
    await copyFile(key(other), key(one));
    await copyFile(other.b.keyFile, one.b.keyFile);
    assert.equal(await shows(one), 'recording-altered');
    await writeFile(key(one), myKey);
  });

  it('cannot swap two segments, leave one out, or drop the last ones', async (t) => {
    const one = await made(t, 8, 400_000);
    const paths = pathsOf(one.b.directory, session.id, one.stored.header.recording);
    const numbers = one.stored.segments.map(({ number }) => number);
    assert.ok(numbers.length >= 3);
    const all = await Promise.all(numbers.map(async (number) => await readFile(paths.segment(number))));
    const [first, second] = all;
    assert.ok(first !== undefined && second !== undefined);
    const put = async (): Promise<void> => {
      for (const number of numbers) await writeFile(paths.segment(number), all[number - 1] ?? '');
    };
    await writeFile(paths.segment(1), second);
    await writeFile(paths.segment(2), first);
    assert.equal(await shows(one), 'recording-altered');
    await put();
    await rm(paths.segment(2));
    assert.equal(await shows(one), 'recording-altered');
    await put();
    await rm(paths.segment(numbers.length));
    assert.equal(await shows(one), 'cut', 'which the audit log shows not to be a crash: it has the end');
    await put();
    assert.equal(await shows(one), null);
  });

  it('cannot change a tag, such as the retention or the owner', async (t) => {
    const one = await made(t, 1, 10);
    const paths = pathsOf(one.b.directory, session.id, one.stored.header.recording);
    const text = await readFile(paths.header, 'utf8');
    await writeFile(paths.header, text.replace('"pii"', '"public"'));
    assert.equal(await shows(one), 'recording-altered');
  });
});
