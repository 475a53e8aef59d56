import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameHolder, FrameMemory } from './frame-memory.ts';
import { FrameReader } from './frames.ts';

function holder(name: string, gone: string[]): FrameHolder {
  return { letGo: () => gone.push(name) };
}

test('whoever holds most has to let go, be it somebody else or the one that asks', () => {
  const gone: string[] = [];
  const memory = new FrameMemory(100);
  const [large, small] = [holder('large', gone), holder('small', gone)];
  memory.hold(large, 60);
  memory.hold(small, 40);
  assert.deepEqual(gone, []);
  memory.hold(small, 1);
  assert.deepEqual([gone, memory.bytes], [['large'], 41]);
  memory.hold(small, 60);
  assert.deepEqual([gone, memory.bytes], [['large', 'small'], 0]);
});

test('what is released counts no more, and releasing twice changes nothing', () => {
  const gone: string[] = [];
  const memory = new FrameMemory(100);
  const one = holder('one', gone);
  memory.hold(one, 90);
  memory.release(one);
  memory.release(one);
  assert.equal(memory.bytes, 0);
  memory.hold(one, 90);
  assert.deepEqual([gone, memory.bytes], [[], 90]);
});

function frameOf(bytes: number): Buffer {
  const frame = Buffer.alloc(4 + bytes);
  frame.writeInt32BE(bytes);
  return frame;
}

test('readers hold what has come of a frame until it is whole, and not what it says it will be', () => {
  const gone: string[] = [];
  const memory = new FrameMemory(1_000);
  const [first, second] = [new FrameReader(1_000_000), new FrameReader(1_000_000)];
  first.share(memory, holder('first', gone));
  second.share(memory, holder('second', gone));
  first.push(frameOf(900_000).subarray(0, 304));
  assert.equal(first.nextFrame(), null);
  assert.equal(memory.bytes, 300);
  const frame = frameOf(600);
  second.push(frame.subarray(0, 504));
  assert.equal(second.nextFrame(), null);
  assert.equal(memory.bytes, 800);
  second.push(frame.subarray(504));
  assert.deepEqual(second.nextFrame(), frame);
  assert.deepEqual([memory.bytes, gone], [300, []]);
  first.push(Buffer.alloc(701));
  assert.equal(first.nextFrame(), null);
  assert.deepEqual([memory.bytes, gone], [0, ['first']]);
});

test('a reader that is dropped holds nothing', () => {
  const memory = new FrameMemory(1_000);
  const reader = new FrameReader(1_000_000);
  reader.share(memory, holder('reader', []));
  reader.push(frameOf(900).subarray(0, 304));
  assert.equal(reader.nextFrame(), null);
  reader.drop();
  assert.equal(memory.bytes, 0);
});
