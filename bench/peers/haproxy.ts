/**
 * haproxy as a plain relay with 64 KB buffers, the harder anchor (its default of 16 KB costs up to twice as much). It
 * also takes TLS off, as a peer of the gateway, and puts it on, as the client's side of a load that speaks none itself.
 */
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installOnce, say } from '../../harness/cache.ts';
import { releasePorts, reservePorts } from '../../harness/ports.ts';
import { run } from '../../harness/processes.ts';
import { onProxyCore } from '../machine.ts';
import { type Peer, PeerMissing, type Upstream } from './peer.ts';
import { startServer } from './server.ts';

export interface HaproxyOptions {
  readonly name?: string;
  /** PEM file with key and chain: clients must speak TLS. */
  readonly serverPemFile?: string;
  /** Speaks TLS to what stands behind, as a client does, and runs beside the load. */
  readonly tlsToUpstream?: boolean;
  /** Where it listens; a free port by default. */
  readonly port?: number;
}

interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Those of its dependencies that a system may lack. */
const packages = ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'];
const fetchTimeoutMs = 3 * 60_000;

/** @throws PeerMissing where it is neither installed nor to be fetched */
export async function startHaproxy(folder: string, upstream: Upstream, options: HaproxyOptions = {}): Promise<Peer> {
  const name = options.name ?? 'haproxy';
  const program = await findHaproxy();
  const [port = 0] = options.port === undefined ? await reservePorts(1) : [options.port];
  const configFile = join(folder, `${name}.cfg`);
  await writeFile(configFile, configuration(port, upstream, options));
  const plain = { command: program.path, args: ['-f', configFile, '-db'] };
  const { command, args } = options.tlsToUpstream === true ? plain : onProxyCore(plain.command, plain.args);
  const server = await startServer({
    name,
    command,
    args,
    env: program.env,
    port,
    logFile: join(folder, `${name}.log`),
  });
  return {
    name,
    port,
    pid: server.pid,
    openingFile: null,
    async stop() {
      await server.stop();
      releasePorts([port]);
    },
  };
}

function configuration(port: number, upstream: Upstream, { serverPemFile, tlsToUpstream }: HaproxyOptions): string {
  const tls = serverPemFile === undefined ? '' : ` ssl crt ${serverPemFile} ssl-min-ver TLSv1.3`;
  const tlsOut = tlsToUpstream === true ? ' ssl verify none' : '';
  return `global
  nbthread 1
  maxconn 9000
  tune.bufsize 65536
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend in
  bind 127.0.0.1:${port} backlog 4096${tls}
  default_backend out
backend out
  server broker 127.0.0.1:${upstream.port}${tlsOut}
`;
}

async function findHaproxy(): Promise<Program> {
  if (await runs('haproxy', {})) return { path: 'haproxy', env: {} };
  const folder = await installOnce('haproxy', fetchFromDebian);
  const libraries = join(folder, 'usr', 'lib');
  const triplets = (await readdir(libraries))
    .filter((name) => name.includes('linux'))
    .map((name) => join(libraries, name));
  const program = { path: join(folder, 'usr', 'sbin', 'haproxy'), env: { LD_LIBRARY_PATH: triplets.join(':') } };
  if (await runs(program.path, program.env)) return program;
  await rm(folder, { recursive: true, force: true });
  throw new PeerMissing('haproxy was fetched but does not run here. Install it: apt-get install haproxy');
}

async function runs(path: string, env: Readonly<Record<string, string>>): Promise<boolean> {
  return await run(path, ['-v'], { env, timeoutMs: 20_000 }).then(
    ({ code }) => code === 0,
    () => false,
  );
}

/** Debian's own packages, unpacked: neither root nor an installation is needed. */
async function fetchFromDebian(folder: string): Promise<void> {
  say('fetching haproxy from Debian (about 2 MB, once)');
  const debs = join(folder, 'debs');
  await mkdir(debs);
  await chmod(debs, 0o777); // apt drops its rights while it downloads
  const download = await run('apt-get', ['-q', 'download', ...packages], {
    cwd: debs,
    timeoutMs: fetchTimeoutMs,
  }).catch(() => null);
  if (download?.code !== 0) {
    const why =
      download === null
        ? 'there is no apt here'
        : `apt-get download failed: ${download.stderr.trim().split('\n').at(-1) ?? ''}`;
    throw new PeerMissing(`haproxy is not installed, and ${why}. Install it: apt-get install haproxy`);
  }
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['-x', join(debs, deb), folder]);
  await rm(debs, { recursive: true });
}
