/** Starts a program that listens, with its log in a file, and waits until it does. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuardedProcess, startGuarded } from '../../harness/processes.ts';
import { SluiceError } from '../../src/lib/errors.ts';

const readyTimeoutMs = 60_000;
const pollMs = 30;
const logLinesShown = 15;

export interface ServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  readonly logFile: string;
  /** Beyond listening: resolves true when it can be used. */
  readonly ready?: () => Promise<boolean>;
}

/** @throws SluiceError `server-not-started` with the end of its log */
export async function startServer(options: ServerOptions): Promise<GuardedProcess> {
  const output = openSync(options.logFile, 'a');
  const { command, args, env = {} } = options;
  const server = startGuarded({ command, args, env, output });
  closeSync(output);
  const giveUpAt = performance.now() + readyTimeoutMs;
  while (!((await listens(options.port)) && ((await options.ready?.()) ?? true))) {
    if (server.exitCode !== undefined || performance.now() > giveUpAt) {
      await server.stop();
      const log = readFileSync(options.logFile, 'utf8').trim().split('\n').slice(-logLinesShown).join('\n');
      throw new SluiceError('server-not-started', `${options.name} did not start. The end of its log:\n${log}`);
    }
    await sleep(pollMs);
  }
  return server;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
