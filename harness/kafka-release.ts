import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../src/lib/errors.ts';
import { exists, installOnce, say, withLock } from './cache.ts';
import { fetchFromMaven } from './maven.ts';
import type { Artifact } from './maven.ts';
import { run, startGuarded } from './processes.ts';
import { reservePorts, releasePorts } from './ports.ts';

/** What tests and demo run on unless `SLUICE_KAFKA_VERSION` names another release, such as 3.9.1. */
export const kafkaVersion: string = process.env['SLUICE_KAFKA_VERSION'] || '4.2.1';

export interface KafkaRelease {
  version: string;
  /** The java program. */
  java: string;
  /** Every jar, in a fixed order: the class archive is valid for exactly this path. */
  classpath: string;
  /** Flags that make a JVM start fast and stay small; the heap is the caller's to set. */
  jvmFlags: readonly string[];
}

const slf4jVersion = '1.7.36';
const javaMajorMin = 17;
const trainingMsMax = 60_000;
const lightFlags = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const logFlags = [
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
  '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn',
];

/**
 * Apache Kafka with its tools, from Maven into the cache (44 MB, once). Safe for several processes at once.
 * @throws {SluiceError} `java-missing`, `java-too-old`, `maven-missing`, `maven-failed`
 */
export async function ensureKafka(version: string = kafkaVersion): Promise<KafkaRelease> {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw new SluiceError('kafka-version', `"${version}" is not a Kafka version such as 4.2.1.`);
  const { java, major } = await findJava();
  const folder = await installOnce(`kafka-${version}`, async (draft) => {
    say(`fetching Apache Kafka ${version} from Maven (about 45 MB, once)`);
    const lib = join(draft, 'lib');
    await mkdir(lib);
    await fetchFromMaven(artifactsOf(version), lib);
  });
  const jars = (await readdir(join(folder, 'lib'))).filter((name) => name.endsWith('.jar')).toSorted();
  const classpath = jars.map((name) => join(folder, 'lib', name)).join(':');
  const archive = join(folder, `classes-java${major}.jsa`);
  const release = { version, java, classpath, jvmFlags: [...lightFlags, ...logFlags] };
  await withLock(`kafka-${version}-classes`, () => ensureArchive(release, archive));
  return { ...release, jvmFlags: [`-XX:SharedArchiveFile=${archive}`, ...release.jvmFlags] };
}

function artifactsOf(version: string): Artifact[] {
  const binding = 'org.slf4j:slf4j-reload4j';
  const connect = ['connect-runtime', 'connect-api', 'connect-json'].map((name) => `org.apache.kafka:${name}`);
  return [
    { group: 'org.apache.kafka', name: 'kafka_2.13', version, without: [binding] },
    { group: 'org.apache.kafka', name: 'kafka-tools', version, without: [binding, ...connect] },
    { group: 'org.slf4j', name: 'slf4j-simple', version: slf4jVersion },
  ];
}

async function findJava(): Promise<{ java: string; major: number }> {
  const home = process.env['JAVA_HOME'];
  const java = home ? join(home, 'bin', 'java') : 'java';
  const result = await run(java, ['-version'], { timeoutMs: 20_000 }).catch(() => {
    throw new SluiceError(
      'java-missing',
      `Java was not found (${java}). Install Java ${javaMajorMin} or newer: apt-get install openjdk-17-jre-headless`,
    );
  });
  const major = Number(/version "(\d+)/.exec(result.stderr + result.stdout)?.[1] ?? 0);
  if (major < javaMajorMin) {
    throw new SluiceError(
      'java-too-old',
      `${java} is Java ${major || 'of an unknown version'}; Kafka needs ${javaMajorMin} or newer. Set JAVA_HOME to one.`,
    );
  }
  return { java, major };
}

/**
 * A class data archive, written by one short run of a broker: it takes the start from 4.8 s to 2.8 s and 60 MB off a
 * broker's memory (measured on 2 cores). A JVM that cannot use the archive ignores it, and so do we if none came about.
 */
async function ensureArchive(release: KafkaRelease, archive: string): Promise<void> {
  if (await exists(archive)) return;
  say(`preparing Apache Kafka ${release.version} for fast starts (some seconds, once)`);
  const work = `${archive}.work`;
  const draft = `${archive}.draft`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const [client = 0, controller = 0] = await reservePorts(2);
  const file = join(work, 'server.properties');
  await writeFile(file, trainingProperties(client, controller, join(work, 'data')));
  const jvm = [...release.jvmFlags, '-Xmx400m', '-cp', release.classpath];
  const format = await run(release.java, [
    ...jvm,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    'MkU3OEVBNTcwNTJENDM2Qg',
    '-c',
    file,
  ]);
  if (format.code === 0) {
    await trainOnce([`-XX:ArchiveClassesAtExit=${draft}`, ...jvm, 'kafka.Kafka', file], release.java, work);
    await rename(draft, archive).catch(() => writeFile(archive, ''));
  }
  releasePorts([client, controller]);
  await rm(work, { recursive: true, force: true });
}

/** Starts the broker and ends it in order, which is when the JVM writes the archive. */
async function trainOnce(args: readonly string[], java: string, work: string): Promise<void> {
  const logFile = join(work, 'kafka.log');
  const output = openSync(logFile, 'a');
  const broker = startGuarded({ command: java, args, output, folder: work });
  closeSync(output);
  const giveUpAt = Date.now() + trainingMsMax;
  while (broker.exitCode === undefined && Date.now() < giveUpAt) {
    if ((await readFile(logFile, 'utf8')).includes('Kafka Server started')) break;
    await sleep(200);
  }
  await broker.stop(trainingMsMax);
}

function trainingProperties(client: number, controller: number, data: string): string {
  return [
    'process.roles=broker,controller',
    'node.id=0',
    `controller.quorum.voters=0@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${data}`,
  ].join('\n');
}
