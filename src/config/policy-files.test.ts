import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { readPolicyFiles, watchPolicyFiles } from './policy-files.ts';
import type { PolicyReading, PolicyWatch } from './policy-files.ts';

let folder = '';
let watching: PolicyWatch | null = null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-policies-'));
});
afterEach(async () => {
  watching?.close();
  watching = null;
  await rm(folder, { recursive: true, force: true });
});

const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

describe('reading', () => {
  test('takes YAML and JSON in order of name, and leaves out the rest', async () => {
    await put('b.yml', 'b');
    await put('a.yaml', 'a');
    await put('c.json', 'c');
    await put('.hidden.yaml', 'x');
    await put('notes.md', 'x');
    await put('a.yaml~', 'x');
    assert.deepEqual(await readPolicyFiles(folder), [
      { path: 'a.yaml', text: 'a' },
      { path: 'b.yml', text: 'b' },
      { path: 'c.json', text: 'c' },
    ]);
  });

  test('is bounded, and says why it stops', async () => {
    await put('big.yaml', 'x'.repeat(16_777_217));
    await assert.rejects(readPolicyFiles(folder), {
      code: 'policies-unreadable',
      message: /larger than 16777216 bytes/,
    });
    await assert.rejects(readPolicyFiles(join(folder, 'nope')), { code: 'policies-unreadable' });
  });
});

/** Waits for the next reading; fails after `withinMs`. */
function follow(current: Awaited<ReturnType<typeof readPolicyFiles>>): {
  readonly next: (withinMs?: number) => Promise<PolicyReading>;
  readonly count: () => number;
} {
  const readings: PolicyReading[] = [];
  let taken = 0;
  let wake = (): void => {};
  watching = watchPolicyFiles(folder, current, (reading) => {
    readings.push(reading);
    wake();
  });
  return {
    count: () => readings.length,
    async next(withinMs = 1_500) {
      const until = Date.now() + withinMs;
      while (readings.length <= taken) {
        assert.ok(Date.now() < until, `no change was seen within ${withinMs} ms`);
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 50);
        });
      }
      return readings[taken++] ?? assert.fail();
    },
  };
}

const textsOf = (reading: PolicyReading): readonly string[] =>
  reading.ok ? reading.files.map(({ text }) => text) : [reading.error.message];

describe('watching', () => {
  test('sees an edit, a new file, a removed file, and an edit that keeps size', async () => {
    await put('a.yaml', 'one');
    const { next } = follow(await readPolicyFiles(folder));
    await put('a.yaml', 'two');
    assert.deepEqual(textsOf(await next()), ['two']);
    await put('b.yaml', 'b');
    assert.deepEqual(textsOf(await next()), ['two', 'b']);
    await rm(join(folder, 'a.yaml'));
    assert.deepEqual(textsOf(await next()), ['b']);
  });

  test('takes a file that is written in pieces only when it holds still', async () => {
    await put('a.yaml', 'one');
    const { next, count } = follow(await readPolicyFiles(folder));
    let text = '';
    for (let piece = 0; piece < 20; piece++) {
      text += `piece ${piece}\n`;
      await put('a.yaml', text);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    assert.deepEqual(textsOf(await next()), [text]);
    assert.equal(count(), 1);
  });

  test('sees editors that write beside and rename', async () => {
    await put('a.yaml', 'one');
    const { next } = follow(await readPolicyFiles(folder));
    await put('.a.yaml.swp', 'two');
    await rename(join(folder, '.a.yaml.swp'), join(folder, 'a.yaml'));
    assert.deepEqual(textsOf(await next()), ['two']);
  });

  test('sees a ConfigMap swap its symbolic link', async () => {
    for (const [version, text] of [
      ['..v1', 'one'],
      ['..v2', 'two'],
    ] as const) {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'a.yaml'), text);
    }
    await symlink('..v1', join(folder, '..data'));
    await symlink('..data/a.yaml', join(folder, 'a.yaml'));
    const current = await readPolicyFiles(folder);
    assert.deepEqual(current, [{ path: 'a.yaml', text: 'one' }]);
    const { next } = follow(current);
    await symlink('..v2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    assert.deepEqual(textsOf(await next()), ['two']);
  });

  test('reports a folder that goes away, and takes it up when it is back', async () => {
    await put('a.yaml', 'one');
    const { next } = follow(await readPolicyFiles(folder));
    await rename(folder, `${folder}.gone`);
    assert.match(textsOf(await next(2_500))[0] ?? '', /cannot be read/);
    await rename(`${folder}.gone`, folder);
    assert.deepEqual(textsOf(await next(2_500)), ['one']);
  });

  test('is silent where nothing but times changed, and reloads when told to', async () => {
    await put('a.yaml', 'one');
    const { count } = follow(await readPolicyFiles(folder));
    await put('a.yaml', 'one');
    await new Promise((resolve) => setTimeout(resolve, 800));
    assert.equal(count(), 0);
    await watching?.reload();
    assert.equal(count(), 1);
  });
});
