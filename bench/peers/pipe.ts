/** A proxy of a few lines of Node, which knows nothing of Kafka: what the runtime itself costs. */
import { join } from 'node:path';
import { releasePorts, reservePorts } from '../../harness/ports.ts';
import { onProxyCore } from '../machine.ts';
import type { Peer, Upstream } from './peer.ts';
import { startServer } from './server.ts';

export async function startPipe(folder: string, upstream: Upstream): Promise<Peer> {
  const [port = 0] = await reservePorts(1);
  const program = join(import.meta.dirname, '..', 'pipe-proxy.ts');
  const { command, args } = onProxyCore(process.execPath, [program, String(port), String(upstream.port)]);
  const server = await startServer({ name: 'node-pipe', command, args, port, logFile: join(folder, 'node-pipe.log') });
  return {
    name: 'node-pipe',
    port,
    pid: server.pid,
    openingFile: null,
    async stop() {
      await server.stop();
      releasePorts([port]);
    },
  };
}
