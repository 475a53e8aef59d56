import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Server, type TLSSocket, connect, createServer } from 'node:tls';
import { createCertificateAuthority } from '../../../harness/certificates.ts';
import type { OnBytes } from './reads.ts';
import { detectGatheredReads, readGathered } from './secure-reads.ts';

const folder = await mkdtemp(join(tmpdir(), 'sluice-secure-reads-'));
after(() => rm(folder, { recursive: true }));
const authority = await createCertificateAuthority(folder);
const files = await authority.serverFiles('gateway');
const payload = randomBytes(8_000_000);

async function listening(onSecure: (socket: TLSSocket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer(files, onSecure);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

function dialled(port: number): TLSSocket {
  return connect({ host: '127.0.0.1', port, ca: authority.ca, servername: 'localhost' });
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Reads a server's end of a connection as gathered, and gives all that came once it has ended. */
function reading(socket: TLSSocket, onTurn: (bytes: number) => void = () => {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  const reader: { onBytes: OnBytes } = {
    onBytes(bytes, borrowed) {
      assert.equal(borrowed, true);
      parts.push(Buffer.from(bytes));
      onTurn(bytes.length);
    },
  };
  assert.equal(readGathered(socket, reader), true);
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(parts))));
}

test('a TLS socket is not read so before that was tried on this Node', async () => {
  const { server, port } = await listening((socket) => {
    assert.equal(readGathered(socket, { onBytes: () => {} }), false);
    // Untouched: its bytes come as ever.
    socket.once('data', (chunk: Buffer) => socket.end(chunk));
  });
  const client = dialled(port);
  client.write('as ever');
  const [answer] = (await once(client, 'data')) as [Buffer];
  assert.equal(answer.toString(), 'as ever');
  server.close();
  await once(server, 'close');
});

test('every byte comes in order, paused and resumed, and more than a record at a time', async () => {
  assert.equal(await detectGatheredReads(), true, 'this Node allows it');
  let turns = 0;
  const whole = Promise.withResolvers<Buffer>();
  const { server, port } = await listening((socket) => {
    whole.resolve(
      reading(socket, () => {
        turns += 1;
        if (turns % 3 !== 0) return;
        socket.pause();
        setTimeout(() => socket.resume(), 1);
      }),
    );
  });
  dialled(port).end(payload);
  assert.equal(digest(await whole.promise), digest(payload));
  assert.ok(turns > 1 && turns < payload.length / 16_384 / 2, `${turns} turns`);
  server.close();
  await once(server, 'close');
});

test('memory that was handed over stays as it is while the socket is paused', async () => {
  await detectGatheredReads();
  const held = Promise.withResolvers<{ before: string; after: string }>();
  const { server, port } = await listening((socket) => {
    const reader: { onBytes: OnBytes } = {
      onBytes(bytes) {
        socket.pause();
        const before = digest(bytes);
        setTimeout(() => {
          held.resolve({ before, after: digest(bytes) });
          socket.destroy();
        }, 100);
      },
    };
    assert.ok(readGathered(socket, reader));
    socket.resume();
  });
  const client = dialled(port);
  client.on('error', () => {});
  const other = dialled(port);
  other.on('error', () => {});
  // Two connections take memory in turn; neither may write over the other's.
  client.write(payload);
  other.write(Buffer.alloc(payload.length, 7));
  const { before, after: later } = await held.promise;
  assert.equal(later, before);
  for (const socket of [client, other]) socket.destroy();
  server.close();
  await once(server, 'close');
});

test('what came before the end, or before a reset, is handed over before it is told', async () => {
  await detectGatheredReads();
  for (const leave of ['end', 'reset'] as const) {
    const order: string[] = [];
    const done = Promise.withResolvers<void>();
    const { server, port } = await listening((socket) => {
      const reader: { onBytes: OnBytes } = { onBytes: (bytes) => void order.push(bytes.toString()) };
      assert.ok(readGathered(socket, reader));
      socket.on('end', () => order.push('told'));
      socket.on('error', () => order.push('told'));
      socket.on('close', () => done.resolve());
      socket.resume();
    });
    const plain = connectPlain({ host: '127.0.0.1', port });
    const client = connect({ socket: plain, ca: authority.ca, servername: 'localhost' });
    client.on('error', () => {});
    await once(client, 'secureConnect');
    client.write('last words', () => void (leave === 'end' ? client.end() : plain.resetAndDestroy()));
    await done.promise;
    assert.deepEqual(order, ['last words', 'told'], leave);
    server.close();
    await once(server, 'close');
  }
});

test('connections that wait hold no memory to read into', async () => {
  await detectGatheredReads();
  const sockets: TLSSocket[] = [];
  const { server, port } = await listening((socket) => {
    sockets.push(socket);
    readGathered(socket, { onBytes: (bytes) => void socket.write(Buffer.from(bytes)) });
    socket.on('error', () => {});
    socket.resume();
  });
  const clients = Array.from({ length: 40 }, () => dialled(port));
  const before = process.memoryUsage().arrayBuffers;
  await Promise.all(
    clients.map(async (client) => {
      client.write('ping');
      await once(client, 'data');
    }),
  );
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  assert.equal(sockets.length, 40);
  // 40 buffers of 256 KB would be 10 MB; those kept for turns to come are 16.
  assert.ok(grownBytes < 6_000_000, `${grownBytes} bytes`);
  for (const client of clients) client.destroy();
  server.close();
  await once(server, 'close');
});
