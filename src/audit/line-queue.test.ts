import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LineQueue } from './line-queue.ts';

test('gives what was put in, in order and in batches that end with a line', () => {
  const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `${JSON.stringify(text)}\n`);
  const step = fc.oneof({ weight: 4, arbitrary: line }, fc.constant(null));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 80 }), (steps, chunkBytes) => {
      const queue = new LineQueue(chunkBytes);
      const given: string[] = [];
      let added = 0;
      let count = 0;
      const take = (): boolean => {
        const lines = queue.take();
        if (lines === null) return false;
        assert.ok(lines.bytes.length <= chunkBytes || lines.count === 1);
        count += lines.count;
        given.push(lines.bytes.toString());
        // Its bytes may be written over from here on.
        queue.release(lines);
        return true;
      };
      for (const text of steps) {
        if (text === null) take();
        else added += queue.add(text);
      }
      while (take());
      const put = steps.filter((text) => text !== null);
      assert.equal(given.join(''), put.join(''));
      assert.equal(count, put.length);
      assert.equal(added, Buffer.byteLength(put.join('')));
    }),
  );
});

test('what is on its way to disk is not written over', () => {
  const queue = new LineQueue(64);
  queue.add('first\n');
  const first = queue.take();
  for (let i = 0; i < 100; i += 1) queue.add(`later ${i}\n`);
  assert.equal(first?.bytes.toString(), 'first\n');
});
