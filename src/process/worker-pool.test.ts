import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../lib/logger.ts';
import { Front } from './front.ts';
import { WorkerPool } from './worker-pool.ts';

const program = fileURLToPath(new URL('testing/echo-worker.ts', import.meta.url));

async function echoing(t: TestContext, count: number): Promise<{ pool: WorkerPool<object>; port: number }> {
  const pool = new WorkerPool<object>({
    count,
    program,
    logger: silentLogger,
    drainTimeoutMs: 1_000,
    greet() {},
    drain: (worker) => worker.link.send({}),
    message() {},
    gone() {},
  });
  const front = new Front((socket, index) => pool.take(socket, index));
  const [port = 0] = await front.open([{ host: '127.0.0.1', port: 0, owner: 'test' }]);
  t.after(async () => {
    front.close();
    await pool.stop();
  });
  await pool.start();
  return { pool, port };
}

/** Connects, says something after a while, and is true where that is answered. */
function served(port: number, afterMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.once('connect', () => setTimeout(() => socket.write('x'), afterMs));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('close', () => resolve(false));
  });
}

test('a worker that dies while its successor starts has no second one', async (t) => {
  const { pool } = await echoing(t, 2);
  const [old] = pool.all();
  const rolled = pool.roll();
  old?.kill('the test');
  await rolled;
  // Longer than a dead worker's replacement waits.
  await sleep(500);
  assert.deepEqual([pool.status().up, [...pool.all()].length], [2, 2]);
});

test('a worker that is replaced first serves the connections that it has just been given', async (t) => {
  const { pool, port } = await echoing(t, 2);
  const tries: Promise<boolean>[] = [];
  const state = { rolling: true };
  const rolled = pool.roll().finally(() => (state.rolling = false));
  for (; state.rolling; await sleep(5)) tries.push(served(port, 100));
  await rolled;
  const answers = await Promise.all(tries);
  assert.ok(answers.length > 20, `${answers.length} connections`);
  assert.equal(answers.filter((answered) => !answered).length, 0, `of ${answers.length} connections`);
  assert.equal(pool.status().up, 2);
});
