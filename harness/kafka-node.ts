import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../src/lib/errors.ts';
import type { NodePorts, User } from './kafka-options.ts';
import { propertiesOf } from './kafka-properties.ts';
import type { NodePlan } from './kafka-properties.ts';
import { scramCredential, scramMechanisms } from './kafka-scram.ts';
import type { ScramMechanism } from './kafka-scram.ts';
import type { KafkaRelease } from './kafka-release.ts';
import { startGuarded } from './processes.ts';
import type { GuardedProcess } from './processes.ts';

const startTimeoutMs = 90_000;
const shutdownGraceMs = 15_000;
const pollMs = 50;
const heapMBDefault = 384;
const logLinesShown = 25;

/** One JVM of a cluster. */
export interface KafkaNode {
  readonly id: number;
  readonly ports: NodePorts;
  readonly logFile: string;
  readonly running: boolean;
  /** Returns when the broker says it has started. @throws {SluiceError} `kafka-not-started` with the end of its log */
  start(): Promise<void>;
  /** The users of SASL PLAIN from the next start on. */
  setPlainUsers(users: readonly User[]): void;
  /** Asks it to shut down in order, or kills it. The data stays. */
  stop(how?: 'shutdown' | 'kill'): Promise<void>;
}

export interface NodeSetup extends Omit<NodePlan, 'dataFolder' | 'release'> {
  /** Holds the node's data, log and properties. The cluster's, in which it lies, is removed if this process dies. */
  folder: string;
  release: KafkaRelease;
  clusterId: string;
}

export function createNode(setup: NodeSetup): KafkaNode {
  const { id, ports, folder, release } = setup;
  const logFile = join(folder, 'kafka.log');
  const propertiesFile = join(folder, 'server.properties');
  const dataFolder = join(folder, 'data');
  let child: GuardedProcess | undefined;
  let users = setup.options.users;

  const start = async (): Promise<void> => {
    if (child !== undefined && child.exitCode === undefined) return;
    await mkdir(dataFolder, { recursive: true });
    await writeFile(
      propertiesFile,
      propertiesOf({
        ...setup,
        options: { ...setup.options, ...(users === undefined ? {} : { users }) },
        dataFolder,
        release: release.version,
      }),
      { mode: 0o600 },
    );
    const output = openSync(logFile, 'a');
    const from = (await readFile(logFile)).length;
    try {
      child = startGuarded({
        command: release.java,
        args: [...jvmArguments(setup), 'kafka.Kafka', propertiesFile],
        first: formatCommand(setup, propertiesFile, dataFolder),
        folder: dirname(folder),
        output,
      });
    } finally {
      closeSync(output);
    }
    await started(child, logFile, from, `Kafka ${release.version}, node ${id}`);
  };
  const stop = async (how: 'shutdown' | 'kill' = 'shutdown'): Promise<void> => {
    await child?.stop(how === 'shutdown' ? shutdownGraceMs : 0);
    child = undefined;
  };
  return {
    id,
    ports,
    logFile,
    start,
    stop,
    setPlainUsers(next) {
      users = next;
    },
    get running() {
      return child !== undefined && child.exitCode === undefined;
    },
  };
}

function jvmArguments({ release, options }: NodeSetup): string[] {
  const allowed =
    options.oauth === undefined ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${options.oauth.jwksUrl}`];
  const classpath = [release.classpath, ...(options.classpath ?? [])].join(':');
  return [...release.jvmFlags, `-Xmx${options.heapMB ?? heapMBDefault}m`, ...allowed, '-cp', classpath];
}

/** The real StorageTool, once per data folder. The controller's format also plants the first SCRAM users. */
function formatCommand(
  { release, options, clusterId, id }: NodeSetup,
  propertiesFile: string,
  dataFolder: string,
): string {
  const scram =
    id === 0
      ? (options.scramUsers ?? []).flatMap((user) =>
          scramMechanisms.flatMap((mechanism) => ['--add-scram', scramEntry(mechanism, user)]),
        )
      : [];
  const words = [
    release.java,
    ...release.jvmFlags,
    '-Xmx128m',
    '-cp',
    release.classpath,
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    clusterId,
    '-c',
    propertiesFile,
    ...scram,
  ];
  return `[ -f ${quoted(join(dataFolder, 'meta.properties'))} ] || ${words.map(quoted).join(' ')}`;
}

/** Salted here: the tool's own way takes no comma in a password, and would show it in the list of processes. */
function scramEntry(mechanism: ScramMechanism, user: User): string {
  const { iterations, salt, saltedPassword } = scramCredential(user, mechanism);
  return `${mechanism}=[name=${user.name},salt="${salt.toString('base64')}",saltedpassword="${saltedPassword.toString('base64')}",iterations=${iterations}]`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function started(child: GuardedProcess, logFile: string, from: number, what: string): Promise<void> {
  const giveUpAt = Date.now() + startTimeoutMs;
  for (;;) {
    const log = (await readFile(logFile)).subarray(from).toString('utf8');
    if (/Kafka Server started|KafkaRaftServer nodeId=\d+\] Kafka Server started/.test(log)) return;
    if (child.exitCode !== undefined || Date.now() > giveUpAt) {
      await child.stop();
      const why = child.exitCode === undefined ? `was not up after ${startTimeoutMs / 1000} s` : 'ended while starting';
      throw new SluiceError('kafka-not-started', `${what} ${why}. The end of its log:\n${tail(log)}`);
    }
    await sleep(pollMs);
  }
}

function tail(log: string): string {
  // Kafka hides passwords itself; only the format tool shows what it derived from those of SCRAM.
  const lines = log.trimEnd().split('\n');
  return lines
    .filter((line) => !line.includes('storedKey='))
    .slice(-logLinesShown)
    .join('\n');
}
