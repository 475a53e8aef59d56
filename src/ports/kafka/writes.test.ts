import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Outlet } from './outlet.ts';
import { socketPair } from './testing/socket-pair.ts';
import { DirectWriter, detectDirectWrites } from './writes.ts';

const partBytesMax = 200_000;

/** Unlike `once`, also where an error comes first. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

test('nothing is written past a stream before that was tried on this Node', async (t) => {
  const { socket } = await socketPair(t);
  assert.equal(
    DirectWriter.on(socket, () => {}),
    null,
  );
});

test('this Node allows it', async () => {
  assert.equal(await detectDirectWrites(), true);
});

test('bytes that leave at once are not pending, and what the other end does not take is until it did', async (t) => {
  const { socket, client, received } = await socketPair(t);
  let sent = 0;
  const writer = DirectWriter.on(socket, () => (sent += 1));
  assert.ok(writer !== null);
  client.pause();
  assert.equal(writer.write(Buffer.from('at once ')), true);
  assert.deepEqual([writer.pendingBytes, sent], [0, 0]);
  const much = randomBytes(20_000_000);
  assert.equal(writer.write(much), true);
  assert.equal(writer.pendingBytes, much.length);
  assert.equal(writer.write(Buffer.from(' behind')), true);
  client.resume();
  while (writer.pendingBytes > 0) await sleep(5);
  assert.equal(sent, 2);
  socket.end();
  await once(client, 'end');
  assert.deepEqual(received(), Buffer.concat([Buffer.from('at once '), much, Buffer.from(' behind')]));
});

/** Reads on a thread of its own, checks that every part is of one value, and tells how many are not. */
const reader = `
  const { parentPort, workerData: { port, partBytes } } = require('node:worker_threads');
  const part = Buffer.alloc(partBytes);
  let at = 0, wrong = 0;
  const callback = (count, bytes) => {
    for (let taken = 0; taken < count; ) {
      const length = Math.min(partBytes - at, count - taken);
      part.set(bytes.subarray(taken, taken + length), at);
      at = (at + length) % partBytes;
      taken += length;
      if (at === 0 && !part.subarray(1).equals(part.subarray(0, -1))) wrong += 1;
    }
    return true;
  };
  const onread = { buffer: Buffer.alloc(partBytes), callback };
  require('node:net').connect({ port, onread }).on('end', () => parentPort.postMessage(wrong));
`;

// Between the two tries of one write the other end may make room: then all has left, and is still to be reported.
test('memory is lent until its write is reported, however fast the other end reads', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const accepted = once(server, 'connection');
  const { port } = server.address() as AddressInfo;
  const lent = Buffer.allocUnsafeSlow(262_144);
  const thread = new Worker(reader, { eval: true, workerData: { port, partBytes: lent.length } });
  const told = once(thread, 'message');
  const [socket] = (await accepted) as [Socket];
  const writer = DirectWriter.on(socket, () => {});
  assert.ok(writer !== null);
  for (let round = 0; round < 12_000; round += 1) {
    while (writer.pendingBytes > 0) await turn();
    assert.equal(writer.pendingBytes, 0);
    assert.equal(writer.write(lent.fill(round)), true);
  }
  socket.end();
  assert.deepEqual(await told, [0]);
});

test('what the stream has to write is not overtaken', async (t) => {
  const { socket } = await socketPair(t);
  const writer = DirectWriter.on(socket, () => {});
  socket.cork();
  socket.write('first');
  assert.equal(writer?.write(Buffer.from('second')), false);
  socket.uncork();
  await turn();
  assert.equal(writer?.write(Buffer.from('second')), true);
});

test('the end comes behind what is pending', async (t) => {
  const { socket, client, received } = await socketPair(t);
  const writer = DirectWriter.on(socket, () => {});
  client.pause();
  const much = randomBytes(20_000_000);
  writer?.write(much);
  socket.end();
  client.resume();
  await once(client, 'end');
  assert.deepEqual(received(), much);
});

test('a connection that is gone closes the socket, with bytes pending or not', async (t) => {
  const pending = await socketPair(t);
  const writer = DirectWriter.on(pending.socket, () => {});
  pending.client.pause();
  writer?.write(randomBytes(20_000_000));
  pending.client.resetAndDestroy();
  await closed(pending.socket);
  assert.equal(writer?.write(Buffer.from('more')), false);

  const idle = await socketPair(t);
  const other = DirectWriter.on(idle.socket, () => {});
  idle.socket.pause();
  idle.client.resetAndDestroy();
  const gone = closed(idle.socket);
  for (let tries = 0; tries < 100 && !idle.socket.destroyed; tries += 1) {
    other?.write(Buffer.from('into the void'));
    await sleep(5);
  }
  await gone;
});

test('an outlet keeps the order, whatever leaves at once, is held, is gathered or waits', async (t) => {
  const { socket, client, received } = await socketPair(t);
  let waiting = false;
  const outlet = new Outlet(socket, () => (waiting = false));
  const expected: Buffer[] = [];
  const part = (): Buffer => {
    const bytes = randomBytes(1 + Math.floor(Math.random() * partBytesMax));
    expected.push(bytes);
    return bytes;
  };
  for (let round = 0; round < 300; round += 1) {
    if (round % 50 === 0) client.pause();
    if (round % 50 === 25) client.resume();
    const held = Math.random() < 0.5;
    if (held) outlet.hold();
    for (let parts = Math.floor(Math.random() * 4); parts > 0; parts -= 1) {
      const whole = part();
      const middle = Math.floor(whole.length / 2);
      outlet.write(whole.subarray(0, middle));
      outlet.write(whole.subarray(middle));
    }
    if (held) outlet.release();
    if (outlet.holds(1)) waiting = true;
    if (Math.random() < 0.3) await turn();
  }
  client.resume();
  const all = Buffer.concat(expected);
  while (received().length < all.length) await sleep(5);
  assert.deepEqual(received(), all);
  await turn();
  assert.equal(outlet.holds(1), false);
  assert.equal(waiting, false, 'who saw bytes waiting was told that they left');
});
