import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FrameReader } from './frames.ts';
import { ProtocolError } from './protocol-error.ts';

function framed(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + payload.length);
  frame.writeInt32BE(payload.length);
  frame.set(payload, 4);
  return frame;
}

function drain(reader: FrameReader): Buffer[] {
  const frames: Buffer[] = [];
  for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame);
  return frames;
}

test('any chunking of a stream gives the same frames', () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
  fc.assert(
    fc.property(payloads, cuts, fc.boolean(), (given, cutList, lateDrain) => {
      const stream = Buffer.concat(given.map(framed));
      const ends = [...cutList.map((cut) => Math.min(cut, stream.length)), stream.length].sort((a, b) => a - b);
      const reader = new FrameReader(64);
      const frames: Buffer[] = [];
      let start = 0;
      for (const end of ends) {
        reader.push(Buffer.from(stream.subarray(start, end)));
        start = end;
        if (!lateDrain) frames.push(...drain(reader));
      }
      frames.push(...drain(reader));
      assert.deepEqual(
        frames.map((frame) => [...frame]),
        given.map((payload) => [...payload]),
      );
      assert.equal(reader.bufferedBytes, 0);
    }),
    { numRuns: 500 },
  );
});

test('a frame within one chunk is a view of it', () => {
  const reader = new FrameReader(1_000);
  const chunk = Buffer.concat([framed(Buffer.from('one')), framed(Buffer.from('two'))]);
  reader.push(chunk);
  const frames = drain(reader);
  assert.deepEqual(frames.map(String), ['one', 'two']);
  for (const frame of frames) assert.equal(frame.buffer, chunk.buffer);
});

test('what the frame under way lacks, whether it is put together or given away in pieces', () => {
  for (const inPieces of [false, true]) {
    const reader = new FrameReader(1_000);
    if (inPieces) reader.onLarge = () => ({ push() {}, end() {} });
    const wire = Buffer.alloc(4 + 100);
    wire.writeInt32BE(100);
    assert.equal(reader.missingBytes, 0);
    reader.push(wire.subarray(0, 3));
    assert.equal(reader.nextFrame(), null);
    assert.equal(reader.missingBytes, 0, 'how large it is has not come whole');
    reader.push(wire.subarray(3, 40));
    assert.equal(reader.nextFrame(), null);
    assert.equal(reader.missingBytes, 64);
    reader.push(wire.subarray(40));
    reader.nextFrame();
    assert.equal(reader.missingBytes, 0);
    assert.ok(reader.empty);
  }
});

test('what is held is counted', () => {
  const reader = new FrameReader(1_000);
  const stream = Buffer.concat([framed(Buffer.alloc(100)), framed(Buffer.alloc(10))]);
  reader.push(stream.subarray(0, 50));
  assert.equal(reader.bufferedBytes, 50);
  assert.equal(reader.next(), null);
  assert.equal(reader.bufferedBytes, 46);
  reader.push(stream.subarray(50));
  assert.equal(reader.bufferedBytes, stream.length - 4);
  assert.equal(reader.next()?.length, 100);
  assert.equal(reader.bufferedBytes, 14);
  assert.equal(reader.next()?.length, 10);
  assert.equal(reader.bufferedBytes, 0);
});

test('a size over the limit or below zero is refused when its four bytes are there, however they come', () => {
  for (const [size, code] of [
    [101, 'frame-too-large'],
    [0x7fff_ffff, 'frame-too-large'],
    [-1, 'bad-length'],
    [-0x8000_0000, 'bad-length'],
  ] as const) {
    for (const step of [1, 3, 4]) {
      const reader = new FrameReader(100);
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(size);
      for (let at = 0; at < 4; at += step) {
        assert.equal(reader.next(), null);
        reader.push(bytes.subarray(at, Math.min(at + step, 4)));
      }
      assert.throws(
        () => reader.next(),
        (error) => error instanceof ProtocolError && error.code === code,
      );
      assert.throws(() => reader.next(), ProtocolError, 'the stream stays refused');
    }
  }
});

test('the limit may change between frames', () => {
  const reader = new FrameReader(10);
  reader.push(framed(Buffer.alloc(10)));
  assert.equal(reader.next()?.length, 10);
  reader.push(framed(Buffer.alloc(11)));
  assert.throws(() => reader.next(), ProtocolError);
  reader.limit = 11;
  assert.equal(reader.next()?.length, 11);
});

test('a large frame in small chunks takes time in line with its size', () => {
  const reader = new FrameReader(64 * 1_048_576);
  const payload = Buffer.alloc(32 * 1_048_576, 7);
  const stream = framed(payload);
  const started = process.cpuUsage();
  for (let at = 0; at < stream.length; at += 1_024) {
    reader.push(stream.subarray(at, at + 1_024));
    if (at + 1_024 < stream.length) assert.equal(reader.next(), null);
  }
  assert.ok(reader.next()?.equals(payload));
  const { user, system } = process.cpuUsage(started);
  // Copying all that came so far with each chunk would move 512 GB.
  assert.ok(user + system < 3_000_000, `${user + system} µs`);
});

test('borrowed chunks, written over after each turn, give the same frames; large ones also in pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (payloads, sizes, pieces) => {
        const stream = Buffer.concat(payloads.flatMap((payload) => [sizeOf(payload.length), Buffer.from(payload)]));
        const reader = new FrameReader(1_000);
        const seen: Buffer[] = [];
        reader.onLarge = (size) => {
          if (!pieces) return null;
          const parts: Buffer[] = [];
          return {
            push: (bytes) => void parts.push(Buffer.from(bytes)),
            end() {
              const frame = Buffer.concat(parts);
              assert.equal(frame.length, size + 4);
              seen.push(frame.subarray(4));
            },
          };
        };
        const memory = Buffer.alloc(64);
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const count = Math.min(sizes[turn % sizes.length] ?? 1, stream.length - at);
          stream.copy(memory, 0, at, at + count);
          at += count;
          reader.push(memory.subarray(0, count));
          for (let frame = reader.nextFrame(); frame !== null; frame = reader.nextFrame()) {
            assert.equal(frame.readInt32BE(0), frame.length - 4);
            seen.push(Buffer.from(frame.subarray(4)));
          }
          assert.equal(reader.unreadBytes, 0);
          memory.fill(0xee);
          reader.recycle();
        }
        assert.deepEqual(
          seen,
          payloads.map((payload) => Buffer.from(payload)),
        );
        assert.equal(reader.bufferedBytes, 0);
      },
    ),
  );
});

function sizeOf(bytes: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes);
  return size;
}
