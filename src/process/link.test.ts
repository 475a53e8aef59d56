import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import { Backoff } from './backoff.ts';
import { Link } from './link.ts';

interface Message {
  readonly text: string;
}

const sockets: Socket[] = [];
after(() => sockets.forEach((socket) => socket.destroy()));

async function pair(): Promise<{ a: Socket; b: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const a = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [b] = (await once(server, 'connection')) as [Socket];
  server.close();
  sockets.push(a, b);
  return { a, b };
}

function linked(socket: Socket): { link: Link<Message, Message>; got: string[]; closed: Promise<string> } {
  const got: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const link = new Link<Message, Message>(socket, { message: ({ text }) => got.push(text), closed: resolve });
  return { link, got, closed: promise };
}

test('messages come in order and whole, however the bytes are cut, and the end after the last', async () => {
  const { a, b } = await pair();
  const { got, closed } = linked(b);
  const texts = ['a', 'ü\n"\u2028', 'x'.repeat(300_000), ''];
  const bytes = Buffer.from(texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  for (let at = 0; at < bytes.length; at += 7_919) a.write(bytes.subarray(at, at + 7_919));
  a.end();
  assert.equal(await closed, 'the other side is gone');
  assert.deepEqual(got, texts);
});

test('each side is told when the other closes, once, and sending then does nothing', async () => {
  const { a, b } = await pair();
  const [one, two] = [linked(a), linked(b)];
  one.link.send({ text: 'last' });
  await one.link.flushed();
  one.link.close();
  assert.equal(await one.closed, 'closed from this side');
  assert.equal(await two.closed, 'the other side is gone');
  assert.deepEqual(two.got, ['last']);
  one.link.send({ text: 'too late' });
  await one.link.flushed();
});

test('what is no message ends the link, not the process', async () => {
  const { a, b } = await pair();
  const { got, closed } = linked(b);
  a.write('{"text":"fine"}\nnonsense\n{"text":"behind it"}\n');
  assert.equal(await closed, 'a message is not JSON');
  assert.deepEqual(got, ['fine']);
});

test('workers that die at once are replaced ever later, and make a crash loop; one that lived ends it', () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, () => backoff.died(500));
  assert.deepEqual(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  assert.equal(backoff.looping, true);
  assert.equal(backoff.died(60_000), 100);
  assert.equal(backoff.looping, false);
  for (let index = 0; index < 3; index += 1) backoff.died(1);
  backoff.lived();
  assert.equal(backoff.looping, false);
});
