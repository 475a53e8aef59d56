import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../src/lib/errors.ts';
import { claimFile } from './cache.ts';

/** Below 32768, where Linux takes the ports of outgoing connections from: nobody lands on ours by chance. */
const firstPort = 15_000;
const lastPort = 31_999;
const triesMax = 500;

const folder = join(tmpdir(), `sluice-ports-${userInfo().username}`);
const reserved = new Set<number>();
process.on('exit', () => releasePorts([...reserved]));

/**
 * Free TCP ports on 127.0.0.1, kept for this process until `releasePorts` or its end, so that a server can be stopped
 * and started again on the same port while other test processes look for theirs.
 * @throws {SluiceError} `no-free-port`
 */
export async function reservePorts(count: number): Promise<number[]> {
  mkdirSync(folder, { recursive: true });
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries += 1) {
    if (tries === triesMax)
      throw new SluiceError('no-free-port', `No ${count} free ports were found between ${firstPort} and ${lastPort}.`);
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    if (reserved.has(port) || !(await isFree(port)) || !(await claimFile(lockOf(port)))) continue;
    reserved.add(port);
    found.push(port);
  }
  return found;
}

/** Gives ports of `reservePorts` back. */
export function releasePorts(ports: readonly number[]): void {
  for (const port of ports) {
    if (reserved.delete(port)) rmSync(lockOf(port), { force: true });
  }
}

function lockOf(port: number): string {
  return join(folder, String(port));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * As `reservePorts`, one after the other: for a gateway that has a port for each broker.
 * @throws {SluiceError} `no-free-port`
 */
export async function reservePortRange(count: number): Promise<number[]> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const first = firstPort + Math.floor(Math.random() * (lastPort - firstPort - count));
    const range = Array.from({ length: count }, (_, index) => first + index);
    const claimed: number[] = [];
    for (const port of range) {
      if (reserved.has(port) || !(await isFree(port)) || !(await claimFile(lockOf(port)))) break;
      reserved.add(port);
      claimed.push(port);
    }
    if (claimed.length === count) return claimed;
    releasePorts(claimed);
  }
  throw new SluiceError(
    'no-free-port',
    `No ${count} free ports in a row were found between ${firstPort} and ${lastPort}.`,
  );
}
