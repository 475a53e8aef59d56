import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { connectReading, detectTakeOver, readChunks, takeOver } from './reads.ts';

const payload = randomBytes(8_000_000);
const digest = createHash('sha256').update(payload).digest('hex');

async function listening(onSocket: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ pauseOnConnect: true }, onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** Sends the payload and gives the digest of what comes back. */
async function echoed(port: number): Promise<string> {
  const client = connect({ host: '127.0.0.1', port });
  const hash = createHash('sha256');
  client.on('data', (chunk: Buffer) => hash.update(chunk));
  client.end(payload);
  await once(client, 'close');
  return hash.digest('hex');
}

test('an accepted socket is not taken over before that was tried on this Node', async () => {
  const seen = new Promise<Socket | null>((resolve) => {
    void listening((socket) => {
      resolve(takeOver(socket, { onBytes: () => {} }));
      socket.destroy();
    }).then(({ server, port }) => {
      connect({ host: '127.0.0.1', port }).once('close', () => server.close());
    });
  });
  assert.equal(await seen, null);
});

test('before that, a connecting socket reads by its stream, into one buffer all the same', async () => {
  const { server, port } = await listening((socket) => socket.end(payload));
  const hash = createHash('sha256');
  const sizes = new Set<number>();
  const socket = connectReading(
    { host: '127.0.0.1', port },
    {
      onBytes(bytes, borrowed) {
        assert.equal(borrowed, true);
        sizes.add(bytes.buffer.byteLength);
        hash.update(bytes);
      },
    },
  );
  await gone(socket);
  assert.equal(hash.digest('hex'), digest);
  assert.ok(sizes.size > 1 && [...sizes].every((bytes) => bytes <= 262_144));
  server.close();
});

test('an accepted socket that is taken over gives every byte, paused and resumed, to its end, and the server knows', async () => {
  assert.equal(await detectTakeOver(), true, 'this Node allows it');
  let chunks = 0;
  const { server, port } = await listening((accepted) => {
    const reader = { onBytes: (_bytes: Buffer, _borrowed: boolean): void => {} };
    const socket = takeOver(accepted, reader);
    assert.ok(socket !== null);
    reader.onBytes = (bytes, borrowed) => {
      assert.equal(borrowed, true);
      chunks += 1;
      socket.write(Buffer.from(bytes));
      if (chunks % 5 !== 0) return;
      socket.pause();
      setImmediate(() => socket.resume());
    };
    socket.resume();
  });
  assert.equal(await echoed(port), digest);
  assert.ok(chunks > 1);
  server.close();
  await once(server, 'close');
});

test('where it is not, chunks come as ever', async () => {
  const { server, port } = await listening((accepted) => {
    readChunks(accepted, {
      onBytes(bytes, borrowed) {
        assert.equal(borrowed, false);
        accepted.write(bytes);
      },
    });
    accepted.resume();
  });
  assert.equal(await echoed(port), digest);
  server.close();
  await once(server, 'close');
});

test('a connecting socket reads into one buffer, once that is as large as what comes', async () => {
  const { server, port } = await listening((socket) => socket.end(payload));
  const hash = createHash('sha256');
  const memory = new Map<ArrayBufferLike, number>();
  const socket = connectReading(
    { host: '127.0.0.1', port },
    {
      onBytes(bytes) {
        memory.set(bytes.buffer, (memory.get(bytes.buffer) ?? 0) + bytes.length);
        hash.update(bytes);
      },
    },
  );
  await once(socket, 'close');
  assert.equal(hash.digest('hex'), digest);
  const sizes = [...memory.keys()].map(({ byteLength }) => byteLength);
  assert.deepEqual(sizes, [512, 2_048, 8_192, 32_768, 131_072, 262_144].slice(0, sizes.length));
  assert.equal([...memory.values()][0], 512, 'it makes room when it was filled');
  server.close();
});

test('a connecting socket tells of an error once what came before was handed over', async () => {
  assert.equal(await detectTakeOver(), true, 'this Node allows it');
  const { server, port } = await listening((socket) => {
    socket.resume();
    socket.write('bye', () => setImmediate(() => socket.resetAndDestroy()));
  });
  const seen: string[] = [];
  const failing = connectReading({ host: '127.0.0.1', port }, { onBytes: (bytes) => seen.push(bytes.toString()) });
  failing.on('error', ({ message }) => seen.push(message));
  await gone(failing);
  assert.deepEqual(seen, ['bye', 'read ECONNRESET']);
  server.close();
});

test('and of the end', async () => {
  assert.equal(await detectTakeOver(), true, 'this Node allows it');
  const { server, port } = await listening((accepted) => accepted.end('bye'));
  const seen: string[] = [];
  const ending = connectReading({ host: '127.0.0.1', port }, { onBytes: (bytes) => seen.push(bytes.toString()) });
  ending.once('end', () => seen.push('end'));
  await gone(ending);
  assert.deepEqual(seen, ['bye', 'end']);
  server.close();
});

/** `once` would reject where the socket fails first. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}
