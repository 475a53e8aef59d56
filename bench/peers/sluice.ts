/** The gateway as its users run it: `sluice serve` on a configuration, with SASL, a policy and the audit log in strict mode. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Idp } from '../../harness/idp.ts';
import { releasePorts, reservePortRange } from '../../harness/ports.ts';
import { sluiceProgram } from '../../harness/program.ts';
import { onAllCores, onProxyCore } from '../machine.ts';
import type { Peer, Upstream } from './peer.ts';
import { startServer } from './server.ts';

export interface SluiceOptions {
  readonly name: string;
  readonly idp: Idp;
  /** For connections of the load; made with `writeOpening`. `null`: clients of their own bring a token. */
  readonly openingFile: string | null;
  readonly policy: string;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Folder of another checkout; this one by default. */
  readonly checkout?: string;
  /** Without an audit log: entries are made and thrown away. */
  readonly unaudited?: boolean;
  /** Processes that serve, on all cores together; absent: one process, alone on the proxy's core. */
  readonly workers?: number;
  /** Lets the profiler in. */
  readonly inspect?: boolean;
}

export interface SluicePeer extends Peer {
  readonly auditFolder: string;
  /** Where its inspector listens, if it was let in. */
  readonly inspectorPort: number;
}

export async function startSluice(parent: string, upstream: Upstream, options: SluiceOptions): Promise<SluicePeer> {
  const folder = join(parent, options.name);
  await mkdir(join(folder, 'policies'), { recursive: true });
  const ports = await reservePortRange(4);
  const [port = 0, brokerPort = 0, telemetryPort = 0, inspectorPort = 0] = ports;
  await writeFile(join(folder, 'policies', 'bench.yaml'), options.policy);
  await writeFile(join(folder, 'sluice.yaml'), configuration({ port, brokerPort, telemetryPort }, upstream, options));
  const inspecting = options.inspect === true ? [`--inspect=127.0.0.1:${inspectorPort}`] : [];
  const config = join(folder, 'sluice.yaml');
  const program =
    options.unaudited === true
      ? [join(import.meta.dirname, 'unaudited.ts'), config]
      : [sluiceProgram(options.checkout), 'serve', '--config', config];
  const serve = [...inspecting, ...program];
  const { command, args } = (options.workers === undefined ? onProxyCore : onAllCores)(process.execPath, serve);
  const ready = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${telemetryPort}/readyz`).catch(() => null))?.status === 200;
  const server = await startServer({
    name: options.name,
    command,
    args,
    // As bin/sluice has it.
    env: { MALLOC_ARENA_MAX: '1' },
    port,
    logFile: join(folder, 'sluice.log'),
    ready,
  });
  return {
    name: options.name,
    port,
    pid: server.pid,
    openingFile: options.openingFile,
    inspectorPort,
    auditFolder: join(folder, 'audit'),
    async stop() {
      await server.stop();
      releasePorts(ports);
    },
  };
}

interface Ports {
  readonly port: number;
  readonly brokerPort: number;
  readonly telemetryPort: number;
}

function configuration(
  { port, brokerPort, telemetryPort }: Ports,
  upstream: Upstream,
  { idp, tls, workers }: SluiceOptions,
): string {
  const secured = tls === undefined ? '' : `    tls: { cert: ${tls.certFile}, key: ${tls.keyFile} }\n`;
  return `apiVersion: sluice/v1
kind: Gateway
gatewayId: bench
ports:
  - name: orders
    protocol: kafka
    listen: 127.0.0.1:${port}
${secured}    advertise: { host: 127.0.0.1, ports: ${brokerPort}-${brokerPort}, firstNodeId: 0 }
    upstream: { bootstrap: ["127.0.0.1:${upstream.port}"] }
    authentication: { mechanisms: [OAUTHBEARER, PLAIN], allowTokensWithoutTls: ${tls === undefined} }
identity:
  issuers:
    - { name: idp, issuer: "${idp.issuer}", audience: sluice, claims: { id: sub, groups: groups, kind: workload } }
policies: ./policies
audit: { directory: ./audit, mode: strict }
telemetry: { listen: "127.0.0.1:${telemetryPort}", logLevel: warn }
drainTimeout: 1s
${workers === undefined ? '' : `workers: ${workers}\n`}`;
}
