import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { connectionBufferBytesMax } from '../../lib/limits.ts';
import { AnswerQueue } from './answers.ts';
import type { KafkaObserver } from './observer.ts';

const silentObserver: KafkaObserver = {
  connectionOpened() {},
  connectionClosed() {},
  requestHandled() {},
  bytes() {},
  upstreamFailed() {},
};

/** A socket that only remembers what was written, as far as the queue can tell. */
function written(): { socket: Socket; bytes: () => Buffer } {
  const stream = new PassThrough({ highWaterMark: 64 * connectionBufferBytesMax });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { socket: stream as unknown as Socket, bytes: () => Buffer.concat(chunks) };
}

test('answers leave in the order of the requests, whichever is ready first', async () => {
  const { socket, bytes } = written();
  const queue = new AnswerQueue(
    socket,
    'orders',
    silentObserver,
    () => {},
    () => {},
  );
  const [first, second, third] = [queue.reserve('Fetch', 11), queue.reserve('Fetch', 11), queue.reserve('Fetch', 11)];
  third.settle([Buffer.from('3')], 'answered');
  first.settle([Buffer.from('1')], 'answered');
  assert.equal(queue.length, 2);
  second.settle([Buffer.from('2a'), Buffer.from('2b')], 'answered');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bytes().toString(), '12a2b3');
  assert.equal(queue.empty, true);
});

test('answers that one before them holds up count as backed up, so that the broker is not read on', async () => {
  const { socket } = written();
  const queue = new AnswerQueue(
    socket,
    'orders',
    silentObserver,
    () => {},
    () => {},
  );
  const first = queue.reserve('Fetch', 11);
  const second = queue.reserve('Fetch', 11);
  assert.equal(queue.backedUp, false);
  second.settle([Buffer.alloc(connectionBufferBytesMax + 1)], 'forwarded');
  assert.equal(queue.backedUp, true);
  first.settle([Buffer.alloc(1)], 'forwarded');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(queue.backedUp, false);
});

test('lent memory may be written over once nothing is unsent, also behind an answer that is late', async () => {
  const { socket, bytes } = written();
  const queue = new AnswerQueue(
    socket,
    'orders',
    silentObserver,
    () => {},
    () => {},
  );
  const [first, second] = [queue.reserve('Fetch', 11), queue.reserve('Fetch', 11)];
  const lent = Buffer.from('second');
  second.settle([lent], 'forwarded', true);
  lent.fill('x');
  first.settle([Buffer.from('first ')], 'forwarded');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(queue.unsent, false);
  assert.equal(bytes().toString(), 'first second');
});

test('an answer leaves in pieces only as the first in line, and what follows waits for its end', async () => {
  const { socket, bytes } = written();
  const queue = new AnswerQueue(
    socket,
    'orders',
    silentObserver,
    () => {},
    () => {},
  );
  const [first, second, third] = [queue.reserve('Fetch', 11), queue.reserve('Fetch', 11), queue.reserve('Fetch', 11)];
  assert.equal(second.begin(), false);
  assert.equal(first.begin(), true);
  third.settle([Buffer.from('3')], 'answered');
  first.piece(Buffer.from('1a'));
  second.settle([Buffer.from('2')], 'answered');
  first.piece(Buffer.from('1b'));
  first.finish('forwarded');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bytes().toString(), '1a1b23');
});
