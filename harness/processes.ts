import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../src/lib/errors.ts';

/**
 * Runs a program so that it cannot outlive this process, not even when this process is killed with SIGKILL: a shell
 * holds the reading end of a pipe whose writing end only we have. A line on it asks the program to end; the end of
 * the pipe kills it and removes the folder. The shell and all it starts are one process group.
 *
 * $1: folder to remove at the end of the pipe, or nothing. $2: shell text to run first (may fail). Then the program.
 */
const guard = `
folder=$1; first=$2; shift 2
exec 3<&0 </dev/null
if [ -n "$first" ]; then sh -c "$first" 3<&- || exit 97; fi
"$@" 3<&- & child=$!
(
  while read -r _; do kill -TERM "$child" 2>/dev/null; done <&3
  kill -KILL $$ "$child" 2>/dev/null
  sleep 0.2
  if [ -n "$folder" ]; then rm -rf "$folder"; fi
  kill -KILL 0
) >/dev/null 2>&1 & watch=$!
wait "$child"; code=$?
kill -KILL "$watch" 2>/dev/null
exit "$code"
`;

export interface GuardedOptions {
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Shell text that runs first in the same guard; the program starts only if it succeeds. */
  first?: string;
  /** Removed when this process dies without stopping the program. */
  folder?: string;
  /** File descriptor for its stdout and stderr. */
  output: number;
}

export interface GuardedProcess {
  /** The process group: the guard and all it started. */
  readonly pid: number;
  /** The exit code of the program, or undefined while it runs. 137 when killed, 97 when `first` failed. */
  readonly exitCode: number | undefined;
  readonly ended: Promise<number>;
  /** Asks it to end (SIGTERM), and kills it after `graceMs`. Without grace it is killed at once. */
  stop(graceMs?: number): Promise<void>;
}

const running = new Set<number>();
const folders = new Set<string>();
let hooked = false;

/** Starts a program under guard. @throws {SluiceError} `program-not-started` */
export function startGuarded(options: GuardedOptions): GuardedProcess {
  hookExit();
  const child = spawn(
    'sh',
    ['-c', guard, 'guard', options.folder ?? '', options.first ?? '', options.command, ...options.args],
    {
      detached: true,
      stdio: ['pipe', options.output, options.output],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    },
  );
  const pid = child.pid;
  if (pid === undefined)
    throw new SluiceError('program-not-started', `${options.command} could not be started: no shell.`);
  running.add(pid);
  let exitCode: number | undefined;
  const ended = once(child, 'exit').then(([code]) => {
    running.delete(pid);
    killGroup(pid);
    return (exitCode = typeof code === 'number' ? code : 137);
  });
  child.stdin?.on('error', () => {}); // the guard may be gone already
  // A cluster that somebody forgot to stop must not keep a test run alive.
  letGo(child);
  return {
    pid,
    ended,
    get exitCode() {
      return exitCode;
    },
    async stop(graceMs = 0) {
      child.ref();
      if (graceMs > 0 && exitCode === undefined) {
        child.stdin?.write('end\n');
        await Promise.race([ended, sleep(graceMs)]);
      }
      killGroup(pid);
      await ended;
    },
  };
}

function letGo(child: ChildProcess): void {
  child.unref();
  const pipe = child.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null;
  pipe?.unref?.();
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: the whole group is gone, which is what was wanted
  }
}

/** Has `folder` removed when this process ends, if `forgetFolder` did not do so before. */
export function removeAtExit(folder: string): void {
  hookExit();
  folders.add(folder);
}

export function removeFolder(folder: string): void {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Ends what was started when this process ends: normally, by an uncaught error, or by a signal. A program with its own
 * handler for a signal keeps its say: then only its exit counts.
 */
function hookExit(): void {
  if (hooked) return;
  hooked = true;
  process.on('exit', () => {
    for (const pid of running) killGroup(pid);
    for (const folder of folders) removeFolder(folder);
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const end = (): void => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    };
    process.on(signal, end);
  }
}

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  stdin?: string;
  /** Killed after this; the code is then 124, as with timeout(1). Default 60 s. */
  timeoutMs?: number;
}

/** Bound on what is kept of a program's output; the rest is dropped. */
const outputBytesMax = 64 * 1024 * 1024;

/** Runs a program to its end. @throws {SluiceError} `program-missing` when there is no such program. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  hookExit();
  const child = spawn(command, args, {
    detached: true,
    stdio: 'pipe',
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const pid = child.pid;
  if (pid === undefined) {
    await once(child, 'error').catch(() => {});
    throw new SluiceError('program-missing', `${command} is not installed, or not in PATH.`);
  }
  running.add(pid);
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  child.stdin.on('error', () => {}); // it may end before it has read all
  child.stdin.end(options.stdin ?? '');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(pid);
  }, options.timeoutMs ?? 60_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  running.delete(pid);
  return { code: timedOut ? 124 : (code ?? 137), stdout: out(), stderr: err() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= outputBytesMax) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Command lines of all processes of this machine that name `text` (Linux). */
export async function processesNaming(text: string): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return ids.map(commandLine).filter((line) => line.includes(text));
}

function commandLine(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // gone in the meantime
  }
}
