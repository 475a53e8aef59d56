/**
 * The program of a worker: one event loop that serves the connections it is handed. What must be one for the whole
 * gateway (policy files, audit log, sessions, metrics' address) stays with the supervisor, whose child it is; without
 * it a worker ends, for nothing it does could be entered in the log.
 */
import { Socket } from 'node:net';
import { keepCompiledCode } from '../lib/compiled-code.ts';
import { messageOf } from '../lib/errors.ts';
import { boundYoungGeneration } from '../lib/young-generation.ts';
import { HandedSockets, Link, linkFile } from '../process/process.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { WorkerPlane } from './worker-plane.ts';

const orphanDrainMs = 2_000;
/** After an error nobody caught, how long what was counted has to reach the log. */
const emergencyMs = 3_000;
const exitCodes = { stopped: 0, internalError: 70, orphaned: 75 } as const;

boundYoungGeneration();
const pipe = new Socket({ fd: linkFile, readable: true, writable: true });
const link: Link<FromWorker, ToWorker> = new Link(pipe, { message: take, closed: orphaned });
const sockets = new HandedSockets((report) => link.send(report));
let plane: WorkerPlane | null = null;
let ending = false;

// The supervisor says when to end; a terminal sends these to every process it started.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => {});
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (thrown: unknown) => failed(event, thrown));

function take(message: ToWorker): void {
  switch (message.kind) {
    case 'start':
      plane = new WorkerPlane(message, link);
      plane.prepare().then(
        (ports) => {
          sockets.open((socket, index) => ports(socket, index));
          keepCompiledCode();
        },
        (error: unknown) => cannotStart(error),
      );
      return;
    case 'drain':
      void end(message.timeoutMs, message.reason, exitCodes.stopped);
      return;
    default:
      plane?.take(message);
  }
}

async function cannotStart(error: unknown): Promise<void> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'worker-not-started';
  link.send({ kind: 'failed', code, message: messageOf(error) });
  await link.flushed();
  process.exit(exitCodes.internalError);
}

function orphaned(): void {
  if (ending) return;
  process.stderr.write('a worker lost its supervisor: it ends\n');
  plane?.disconnected();
  void end(orphanDrainMs, 'the gateway is gone', exitCodes.orphaned);
}

function failed(event: string, thrown: unknown): void {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const message = `${event}: a defect in a worker; it ends, so that nothing runs on in an unknown state`;
  link.send({ kind: 'log', level: 'error', fields: { error: messageOf(thrown), stack }, message });
  if (ending) process.exit(exitCodes.internalError);
  void end(0, event, exitCodes.internalError);
  setTimeout(() => process.exit(exitCodes.internalError), emergencyMs).unref();
}

async function end(timeoutMs: number, reason: string, code: number): Promise<void> {
  if (ending) return;
  ending = true;
  sockets.close();
  try {
    await plane?.stop(timeoutMs, reason);
    await link.flushed();
  } finally {
    process.exit(code);
  }
}
