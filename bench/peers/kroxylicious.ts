/**
 * Kroxylicious without filters, the nearest peer: the last release that runs on Java 17, from Maven Central or from a
 * folder that SLUICE_KROXYLICIOUS names (an unpacked distribution, with libs/). Where Maven does not have the
 * distribution (not every mirror does), the runtime of an older release is started instead, and the report says so.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, say } from '../../harness/cache.ts';
import { releasePorts, reservePortRange } from '../../harness/ports.ts';
import { run } from '../../harness/processes.ts';
import { onProxyCore } from '../machine.ts';
import { type Peer, PeerMissing, type Upstream } from './peer.ts';
import { startServer } from './server.ts';

const version = '0.21.0';
const artifact = `io.kroxylicious:kroxylicious-app:${version}:tar.gz:bin`;
const runtimeVersion = '0.12.0';
const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const fetchTimeoutMs = 5 * 60_000;

export interface KroxyliciousPeer extends Peer {
  /** What the reader of its figures must know; empty where it is the release that is meant. */
  readonly note: string;
}

interface Installation {
  readonly classPath: string;
  readonly mainClass: string;
  readonly note: string;
}

/** @throws PeerMissing where it cannot be had */
export async function startKroxylicious(folder: string, upstream: Upstream): Promise<KroxyliciousPeer> {
  const { classPath, mainClass, note } = await find();
  const ports = await reservePortRange(2);
  const [port = 0, brokerPort = 0] = ports;
  const configFile = join(folder, 'kroxylicious.yaml');
  await writeFile(configFile, configuration(port, brokerPort, upstream));
  const { command, args } = onProxyCore('java', ['-cp', classPath, mainClass, '--config', configFile]);
  const server = await startServer({
    name: 'kroxylicious',
    command,
    args,
    port,
    logFile: join(folder, 'kroxylicious.log'),
  });
  return {
    name: 'kroxylicious',
    port,
    pid: server.pid,
    openingFile: null,
    note,
    async stop() {
      await server.stop();
      releasePorts(ports);
    },
  };
}

/** The broker with node id 0 is at the port behind the bootstrap port. */
function configuration(port: number, brokerPort: number, upstream: Upstream): string {
  return `virtualClusters:
  - name: bench
    targetCluster: { bootstrapServers: "127.0.0.1:${upstream.port}" }
    gateways:
      - name: default
        portIdentifiesNode:
          bootstrapAddress: "127.0.0.1:${port}"
          nodeStartPort: ${brokerPort}
          nodeIdRanges: [{ name: brokers, start: 0, end: 0 }]
`;
}

async function find(): Promise<Installation> {
  const own = process.env['SLUICE_KROXYLICIOUS'];
  if (own !== undefined && own !== '') {
    return distribution(own, `kroxylicious is what SLUICE_KROXYLICIOUS names: ${own}.`);
  }
  try {
    return await distribution(await installOnce(`kroxylicious-${version}`, fetchDistribution), '');
  } catch (error) {
    if (!(error instanceof PeerMissing)) throw error;
    const home = await installOnce(`kroxylicious-runtime-${runtimeVersion}`, fetchRuntime);
    const note = `kroxylicious is the runtime of ${runtimeVersion}, without filters: ${error.message}`;
    return { classPath: `${home}:${await jarsIn(home)}`, mainClass: 'StartKroxylicious', note };
  }
}

async function distribution(home: string, note: string): Promise<Installation> {
  return { classPath: await jarsIn(home), mainClass: 'io.kroxylicious.app.Kroxylicious', note };
}

async function jarsIn(home: string): Promise<string> {
  const libraries = join(home, 'libs');
  return (await readdir(libraries)).map((jar) => join(libraries, jar)).join(':');
}

async function fetchDistribution(target: string): Promise<void> {
  say(`fetching Kroxylicious ${version} from Maven (once)`);
  const work = await mkdtemp(`${target}-fetch-`);
  try {
    await maven(work, [`${dependencyPlugin}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`], artifact);
    const [archive] = (await readdir(work)).filter((file) => file.endsWith('.tar.gz'));
    if (archive === undefined) throw new PeerMissing(`Maven has no ${artifact} here`);
    await run('tar', ['-xzf', join(work, archive), '-C', target, '--strip-components=1']);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchRuntime(target: string): Promise<void> {
  say(`fetching the runtime of Kroxylicious ${runtimeVersion} from Maven instead (once)`);
  const libraries = join(target, 'libs');
  await writeFile(join(target, 'pom.xml'), runtimePom);
  const goal = [`${dependencyPlugin}:copy-dependencies`, `-DoutputDirectory=${libraries}`];
  await maven(target, goal, `io.kroxylicious:kroxylicious-runtime:${runtimeVersion}`);
  const source = join(import.meta.dirname, 'StartKroxylicious.java');
  const compiled = await run('javac', ['-cp', join(libraries, '*'), '-d', target, source]).catch(() => null);
  if (compiled?.code !== 0)
    throw new PeerMissing(`kroxylicious takes no part: javac failed: ${compiled?.stderr.trim() ?? 'it was not found'}`);
}

const runtimePom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>bench</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.kroxylicious</groupId><artifactId>kroxylicious-runtime</artifactId><version>${runtimeVersion}</version>
    </dependency>
  </dependencies>
</project>
`;

/** @throws PeerMissing where it does not do what it is asked */
async function maven(folder: string, goal: readonly string[], wanted: string): Promise<void> {
  const result = await run('mvn', ['-B', '-q', '-ntp', ...goal], { cwd: folder, timeoutMs: fetchTimeoutMs }).catch(
    () => null,
  );
  if (result?.code === 0) return;
  const why = result === null ? 'Kroxylicious takes no part: Maven (mvn) was not found' : `Maven has no ${wanted} here`;
  throw new PeerMissing(
    `${why}. For another release unpack its distribution and name the folder in SLUICE_KROXYLICIOUS.`,
  );
}
