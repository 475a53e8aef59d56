import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { tryOnLoopback } from './loopback-trial.ts';

const dialled = (port: number): Socket => connect(port, '127.0.0.1');

test('what an end throws, at once or later, or fails with, says that it does not work', async () => {
  const missing = (): never => {
    throw new TypeError('no such method on this Node');
  };
  assert.equal(await tryOnLoopback({ accepted: missing, dialled }), false);
  assert.equal(await tryOnLoopback({ accepted: () => Promise.resolve().then(missing), dialled }), false);
  assert.equal(
    await tryOnLoopback({ accepted: (socket) => void socket.destroy(new Error('it broke')), dialled }),
    false,
  );
});

test('it works where one end says so, and both ends are closed', async () => {
  const ends: Socket[] = [];
  const works = await tryOnLoopback({
    accepted(socket, finish) {
      ends.push(socket);
      finish(true);
    },
    dialled(port) {
      const socket = dialled(port);
      ends.push(socket);
      return socket;
    },
  });
  assert.equal(works, true);
  assert.equal(ends.length, 2);
  for (const end of ends) if (!end.closed) await once(end, 'close');
});
