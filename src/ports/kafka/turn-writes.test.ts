import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turnEnd, setTimeout as sleep } from 'node:timers/promises';
import { Outlet } from './outlet.ts';
import { socketPair } from './testing/socket-pair.ts';
import { TurnWrites, type TurnWriter } from './turn-writes.ts';
import { detectDirectWrites } from './writes.ts';

class Writer implements TurnWriter {
  readonly written: string[] = [];
  free = true;

  writeNow(part: Buffer): boolean {
    this.written.push(part.toString());
    return this.free;
  }
}

/** Writes of many connections, until the parts of a turn are kept. */
async function busy(turn: TurnWrites): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    for (let i = 0; i < 100; i += 1) if (turn.wants(10)) return;
    await turnEnd();
  }
  assert.fail('nothing is kept');
}

test('a turn of few writes keeps nothing', async () => {
  const turn = new TurnWrites();
  for (let turns = 0; turns < 1_000; turns += 1) {
    for (let i = 0; i < 4; i += 1) assert.equal(turn.wants(10), false);
    await turnEnd();
  }
});

test('what is kept is a copy, and is written at the end of the turn in its order', async () => {
  const turn = new TurnWrites();
  await busy(turn);
  const [a, b] = [new Writer(), new Writer()];
  const lent = Buffer.from('one');
  turn.keep(lent, a);
  lent.fill('x');
  turn.keep(Buffer.from('two'), b);
  turn.keep(Buffer.from('three'), a);
  assert.deepEqual(a.written, []);
  await turnEnd();
  assert.deepEqual([a.written, b.written], [['one', 'three'], ['two']]);
});

test('with few writes in a turn parts are kept no more, and large ones never are', async () => {
  const turn = new TurnWrites();
  await busy(turn);
  assert.equal(turn.wants(100_000), false);
  turn.keep(Buffer.from('alone'), new Writer());
  await turnEnd();
  assert.equal(turn.wants(10), false);
});

test('more than there is room for is written before the turn ends', async () => {
  const turn = new TurnWrites();
  await busy(turn);
  const writer = new Writer();
  const parts = Array.from({ length: 200 }, (_, i) => String(i).padEnd(4_000));
  for (const part of parts) turn.keep(Buffer.from(part), writer);
  assert.ok(writer.written.length > 100, 'some are written');
  await turnEnd();
  assert.deepEqual(writer.written, parts);
});

test('memory that is still needed is not used again', async () => {
  const turn = new TurnWrites();
  await busy(turn);
  const seen: Buffer[] = [];
  const slow: TurnWriter = {
    writeNow(part) {
      seen.push(part);
      return false;
    },
  };
  turn.keep(Buffer.from('first'), slow);
  turn.flush();
  turn.keep(Buffer.from('other'), slow);
  turn.flush();
  assert.deepEqual(seen.map(String), ['first', 'other']);
});

test('many connections, quick and slow, get every byte in its order', async (t) => {
  assert.equal(await detectDirectWrites(), true);
  const lines = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const pair = await socketPair(t);
      return { ...pair, outlet: new Outlet(pair.socket, () => {}), expected: [] as Buffer[] };
    }),
  );
  for (let round = 0; round < 400; round += 1) {
    for (const { outlet, client, expected } of lines) {
      if (Math.random() < 0.02) client.pause();
      if (Math.random() < 0.02) client.resume();
      for (let parts = Math.floor(Math.random() * 3); parts > 0; parts -= 1) {
        const most = Math.random() < 0.05 ? 200_000 : 3_000;
        const part = randomBytes(1 + Math.floor(Math.random() * most));
        expected.push(Buffer.from(part));
        outlet.write(part);
        // Its memory is lent only while there are bytes that have not left.
        if (!outlet.holds(1)) part.fill(0);
      }
    }
    await turnEnd();
  }
  for (const { outlet, socket, client, expected, received } of lines) {
    outlet.write(Buffer.from('end'));
    outlet.flush();
    socket.end();
    client.resume();
    const all = Buffer.concat([...expected, Buffer.from('end')]);
    while (received().length < all.length) await sleep(5);
    assert.ok(received().equals(all));
  }
});
