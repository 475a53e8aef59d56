/**
 * Kroxylicious without filters, the nearest peer: the last release that runs on Java 17. From Maven Central, or from a
 * folder that SLUICE_KROXYLICIOUS names (an unpacked distribution, with bin/ and libs/).
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
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
const fetchTimeoutMs = 5 * 60_000;

/** @throws PeerMissing where it cannot be had */
export async function startKroxylicious(folder: string, upstream: Upstream): Promise<Peer> {
  const own = process.env['SLUICE_KROXYLICIOUS'];
  const home = own === undefined || own === '' ? await installOnce(`kroxylicious-${version}`, fetchFromMaven) : own;
  const ports = await reservePortRange(2);
  const [port = 0, brokerPort = 0] = ports;
  const configFile = join(folder, 'kroxylicious.yaml');
  await writeFile(configFile, configuration(port, brokerPort, upstream));
  const jars = (await readdir(join(home, 'libs'))).map((jar) => join(home, 'libs', jar)).join(':');
  const { command, args } = onProxyCore('java', [
    '-cp',
    jars,
    'io.kroxylicious.app.Kroxylicious',
    '--config',
    configFile,
  ]);
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

async function fetchFromMaven(target: string): Promise<void> {
  say(`fetching Kroxylicious ${version} from Maven (once)`);
  const work = await mkdtemp(`${target}-fetch-`);
  try {
    const args = ['-B', '-q', '-ntp', copyGoal, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`];
    const result = await run('mvn', args, { cwd: work, timeoutMs: fetchTimeoutMs }).catch(() => null);
    const [archive] = (await readdir(work)).filter((file) => file.endsWith('.tar.gz'));
    if (result?.code !== 0 || archive === undefined) {
      const why = result === null ? 'Maven (mvn) was not found' : `Maven has no ${artifact} here`;
      throw new PeerMissing(
        `Kroxylicious takes no part: ${why}. Unpack a distribution and name its folder in SLUICE_KROXYLICIOUS.`,
      );
    }
    await run('tar', ['-xzf', join(work, archive), '-C', target, '--strip-components=1']);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
