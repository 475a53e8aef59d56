/** The least a Node proxy can do: `pipe` both ways. Started by the benchmarks: pipe-proxy.ts PORT UPSTREAM_PORT */
import { connect, createServer } from 'node:net';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
if (port === undefined || upstreamPort === undefined) throw new Error('usage: pipe-proxy.ts PORT UPSTREAM_PORT');
createServer({ noDelay: true }, (client) => {
  const upstream = connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true });
  client.pipe(upstream).pipe(client);
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    socket.on('error', () => {});
    socket.on('close', () => other.destroy());
  }
}).listen({ port, host: '127.0.0.1', backlog: 4_096 });
