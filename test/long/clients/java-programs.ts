/** The Java programs of this folder: compiled once per version of the client library, and run. */
import { closeSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oauthUrls } from '../../../harness/java-tools.ts';
import { ensureKafkaClients } from '../../../harness/kafka-clients.ts';
import { type GuardedProcess, run, startGuarded } from '../../../harness/processes.ts';
import { answerOf } from './client.ts';
import type { Task } from './task.ts';

const sources = fileURLToPath(new URL('java/', import.meta.url));
const compileTimeoutMs = 120_000;
const jvmFlags = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xmx192m',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
];
const graceMs = 20_000;

export interface JavaPrograms {
  /** Runs `Clients` to its end; `said` is handed its log then. */
  run<Answer>(task: Task, said?: (log: string) => void): Promise<Answer>;
  /** Starts a program that is ended from outside; `log` is what it has said so far. */
  start(program: 'Clients' | 'Streams', task: Task): GuardedProcess & { log(): string };
}

/** @throws {SluiceError} those of `ensureKafkaClients`; an error with the compiler's words */
export async function javaPrograms(
  library: 'kafka-clients' | 'kafka-streams',
  version: string,
  folder: string,
): Promise<JavaPrograms> {
  const classpath = await ensureKafkaClients(library, version);
  const classes = join(folder, `${library}-${version}`);
  mkdirSync(classes, { recursive: true });
  const files = globSync(library === 'kafka-streams' ? '{*,streams/*}.java' : '*.java', { cwd: sources });
  const compiler = await run('javac', ['-d', classes, '-cp', classpath, ...files.map((file) => join(sources, file))], {
    timeoutMs: compileTimeoutMs,
  }).catch(() => {
    throw new Error('javac was not found. Install a JDK: apt-get install openjdk-17-jdk-headless');
  });
  if (compiler.code !== 0)
    throw new Error(`the Java programs do not compile with ${library} ${version}:\n${compiler.stderr}`);
  const command = (program: string, task: Task): string[] => [
    ...jvmFlags,
    ...(task.auth.kind === 'mtls' ? [] : [oauthUrls(task.auth.tokenUrl)]),
    '-cp',
    `${classes}:${classpath}`,
    program,
  ];
  let started = 0;
  return {
    async run(task, said) {
      const done = await run('java', command('Clients', task), {
        stdin: JSON.stringify(task),
        timeoutMs: task.timeoutMs + graceMs,
      });
      said?.(done.stderr);
      assertQuiet(done.stderr);
      return answerOf(done);
    },
    start(program, task) {
      started += 1;
      const file = join(classes, `task-${started}.json`);
      const logFile = join(classes, `log-${started}.txt`);
      writeFileSync(file, JSON.stringify(task), { mode: 0o600 });
      const output = openSync(logFile, 'a');
      const guarded = startGuarded({ command: 'java', args: [...command(program, task), file], output });
      closeSync(output);
      const stop = guarded.stop.bind(guarded);
      return {
        pid: guarded.pid,
        ended: guarded.ended,
        stop,
        get exitCode() {
          return guarded.exitCode;
        },
        log: () => readFileSync(logFile, 'utf8'),
      };
    },
  };
}

/** KIP-714: clients send metrics where the other side takes them, and must not stumble where it does not. */
function assertQuiet(log: string): void {
  const lines = log.split('\n').filter((line) => /\b(WARN|ERROR)\b/.test(line) && /telemetry/i.test(line));
  if (lines.length > 0) throw new Error(`the client stumbles over its telemetry:\n${lines.join('\n')}`);
}
