/** Two ends of a real connection. For tests only. */
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import type { TestContext } from 'node:test';

export interface SocketPair {
  /** The accepted end. */
  readonly socket: Socket;
  readonly client: Socket;
  /** What has come to `client`. */
  readonly received: () => Buffer;
}

/** Both are destroyed when the test ends. */
export async function socketPair(t: TestContext): Promise<SocketPair> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await accepted) as [Socket];
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  t.after(() => {
    for (const end of [socket, client]) end.destroy();
    server.close();
  });
  return { socket, client, received: () => Buffer.concat(chunks) };
}
