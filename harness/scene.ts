/**
 * A whole scene on one machine: real Kafka, a real IdP, and a gateway between clients and brokers, put together as
 * the product puts itself together. For tests, the demo and benchmarks.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../src/lib/clock.ts';
import { type Logger, silentLogger } from '../src/lib/logger.ts';
import { type Gateway, startGateway } from '../src/main.ts';
import type { Entry } from '../src/model/entry.ts';
import type { AdvertiseSettings, KafkaPortSettings, RecordingSettings, Settings } from '../src/model/settings.ts';
import { type CertificateAuthority, createCertificateAuthority } from './certificates.ts';
import { type Idp, type IdpClient, startIdp } from './idp.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { type KafkaCluster, startKafka } from './kafka.ts';
import { releasePorts, reservePortRange } from './ports.ts';

/** Parts of the port's settings that a scene may set otherwise. */
export type PortOverrides = Partial<Omit<KafkaPortSettings, 'name' | 'protocol' | 'listen'>> & {
  readonly tls?: 'none' | 'server' | 'mutual-optional' | 'mutual-required';
  readonly proxyProtocol?: 'off' | 'required';
};

export interface SceneOptions {
  /** A cluster that is up already; it is not stopped with the scene. Else one is started. */
  readonly cluster?: KafkaCluster;
  /** An IdP that is up already, with the clients in it; it is not stopped with the scene. Else one is started. */
  readonly idp?: Idp;
  readonly kafka?: KafkaOptions;
  readonly clients: readonly IdpClient[];
  /** File name to text. */
  readonly policies: Readonly<Record<string, string>>;
  readonly port?: PortOverrides;
  readonly logger?: Logger;
  readonly audit?: Partial<Settings['audit']>;
  readonly recording?: Partial<RecordingSettings>;
  /** The gateway's; the system's by default. */
  readonly clock?: Clock;
  /** Default 2000. */
  readonly drainTimeoutMs?: number;
}

export interface Scene {
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  readonly gateway: Gateway;
  readonly settings: Settings;
  readonly folder: string;
  /** Where clients connect: `host:port`. */
  readonly bootstrap: string;
  /** Where a broker is reached through the gateway, in port-per-broker mode: `host:port`. */
  brokerAddress(nodeId: number): string;
  /** Signs the gateway's certificate and those of its clients, where the port has TLS. */
  readonly authority: CertificateAuthority | null;
  /** Writes a policy file and resolves when its revision is in force; rejects where it is refused. */
  applyPolicy(file: string, text: string): Promise<void>;
  /** Every entry on disk now, in order. */
  entries(): Entry[];
  /** Waits until an entry is there that satisfies the condition. */
  entry(description: string, condition: (entry: Entry) => boolean): Promise<Entry>;
  stop(): Promise<void>;
}

/** Brokers that a scene's gateway sets ports aside for. */
const brokerPorts = 4;
const entryTimeoutMs = 15_000;

/** Starts everything. What was started is stopped again when a later part fails. */
export async function startScene(options: SceneOptions): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-scene-'));
  const undo: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const [kafka, idp] = await Promise.all([
      options.cluster ?? startKafka(options.kafka),
      options.idp ?? startIdp({ clients: options.clients }),
    ]);
    if (options.cluster === undefined) undo.push(() => kafka.stop());
    if (options.idp === undefined) undo.push(() => idp.stop());
    const ports = await reservePortRange(brokerPorts + 1);
    undo.push(() => releasePorts(ports));
    const authority =
      (options.port?.tls ?? 'none') === 'none'
        ? null
        : await createCertificateAuthority(join(folder, 'tls'), 'gateway');
    const settings = await settingsOf(options, { folder, kafka, idp, firstPort: ports[0] ?? 0, authority });
    await mkdir(settings.policyDirectory);
    for (const [file, text] of Object.entries(options.policies))
      writeFileSync(join(settings.policyDirectory, file), text);
    const gateway = await startGateway(settings, {
      logger: options.logger ?? silentLogger,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
    undo.push(() => gateway.stop());
    return { ...sceneOf({ kafka, idp, gateway, settings, folder, authority }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Ground {
  readonly folder: string;
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  readonly firstPort: number;
  readonly authority: CertificateAuthority | null;
}

async function settingsOf(options: SceneOptions, ground: Ground): Promise<Settings> {
  const { folder, idp } = ground;
  return {
    gatewayId: 'scene',
    ports: [await portSettings(options, ground)],
    issuers: [
      {
        name: 'idp',
        issuer: idp.issuer,
        audiences: ['sluice'],
        algorithms: ['RS256', 'ES256'],
        clockLeewayMs: 1_000,
        keysMaxAgeMs: 3_600_000,
        mapping: { id: 'sub', groups: 'groups', kind: { value: 'workload' } },
        requiredClaims: {},
      },
    ],
    policyDirectory: join(folder, 'policies'),
    audit: {
      directory: join(folder, 'audit'),
      mode: 'strict',
      windowMs: 1_000,
      checkpoint: { everyMs: 1_000, entries: 1_000, keyFile: join(folder, 'audit-key') },
      ...options.audit,
    },
    recording: {
      directory: join(folder, 'recordings'),
      keyFile: join(folder, 'recordings-key'),
      mode: 'strict',
      segmentBytesMax: 67_108_864,
      freeBytesMin: 0,
      ...options.recording,
    },
    telemetry: { listen: { host: '127.0.0.1', port: 0 }, logLevel: 'info' },
    drainTimeoutMs: options.drainTimeoutMs ?? 2_000,
  };
}

async function portSettings(options: SceneOptions, ground: Ground): Promise<KafkaPortSettings> {
  const { tls = 'none', proxyProtocol = 'off', advertise, ...overrides } = options.port ?? {};
  const { kafka, firstPort, authority } = ground;
  const server = await authority?.serverFiles('gateway', { dns: ['localhost', '*.sluice.test'], ips: ['127.0.0.1'] });
  const clientAuth = (
    { none: 'none', server: 'none', 'mutual-optional': 'optional', 'mutual-required': 'required' } as const
  )[tls];
  return {
    name: 'orders',
    protocol: 'kafka',
    listen: {
      host: '127.0.0.1',
      port: firstPort,
      proxyProtocol,
      ...(server === undefined || authority === null
        ? {}
        : {
            tls: {
              certFile: server.certFile,
              keyFile: server.keyFile,
              clientAuth,
              ...(clientAuth === 'none' ? {} : { clientCaFile: authority.caFile }),
            },
          }),
    },
    advertise: advertised(advertise, firstPort),
    upstream: { bootstrap: addressesOf(kafka.bootstrap('plaintext')) },
    authentication: {
      mechanisms: ['OAUTHBEARER', 'PLAIN'],
      allowTokensWithoutTls: true,
      maxSessionLifetimeMs: 3_600_000,
      certificates: [],
    },
    idleTimeoutMs: 600_000,
    ...overrides,
  };
}

/** A port per broker unless told otherwise; port 0 stands for the scene's own. */
function advertised(wanted: AdvertiseSettings | undefined, firstPort: number): AdvertiseSettings {
  if (wanted === undefined) {
    return { mode: 'ports', host: '127.0.0.1', firstPort: firstPort + 1, firstNodeId: 0, count: brokerPorts };
  }
  if (wanted.mode === 'sni') return wanted.port === 0 ? { ...wanted, port: firstPort } : wanted;
  return wanted.firstPort === 0 ? { ...wanted, firstPort: firstPort + 1 } : wanted;
}

/** `a:1,b:2` as addresses. */
export function addressesOf(bootstrap: string): { host: string; port: number }[] {
  return bootstrap.split(',').map((address) => {
    const colon = address.lastIndexOf(':');
    return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  });
}

function sceneOf(
  parts: Omit<Scene, 'bootstrap' | 'brokerAddress' | 'applyPolicy' | 'entries' | 'entry' | 'stop'>,
): Omit<Scene, 'stop'> {
  const { gateway, settings } = parts;
  const { host, port } = gateway.address('orders');
  const entries = (): Entry[] => readEntries(settings.audit.directory);
  return {
    ...parts,
    bootstrap: `${host}:${port}`,
    brokerAddress: (nodeId) => `${host}:${port + 1 + nodeId}`,
    entries,
    async applyPolicy(file, text) {
      writeFileSync(join(settings.policyDirectory, file), text);
      if (!(await gateway.reloadPolicies())) throw new Error(`policy ${file} was refused`);
    },
    async entry(description, condition) {
      const deadline = performance.now() + entryTimeoutMs;
      for (;;) {
        const found = entries().find(condition);
        if (found !== undefined) return found;
        if (performance.now() > deadline) throw new Error(`no audit entry within ${entryTimeoutMs} ms: ${description}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

/** The log's whole lines, in order. */
export function readEntries(directory: string): Entry[] {
  const files = readdirSync(directory)
    .filter((file) => file.endsWith('.jsonl'))
    .sort();
  return files.flatMap((file) => {
    const lines = readFileSync(join(directory, file), 'utf8').split('\n');
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Entry);
  });
}
