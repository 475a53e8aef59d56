/** `sluice serve` as a process of its own, as a user runs it: for what a process does with signals and memory. */
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../src/model/entry.ts';
import type { Idp } from './idp.ts';
import type { KafkaCluster } from './kafka.ts';
import { releasePorts, reservePortRange } from './ports.ts';
import { startGuarded } from './processes.ts';
import { sluiceProgram } from './program.ts';
import { readEntries } from './scene.ts';

export interface GatewayProcessOptions {
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  /** File name to text. */
  readonly policies: Readonly<Record<string, string>>;
  /** As in `sluice.yaml`; default `30s`. */
  readonly drainTimeout?: string;
  /** As in `sluice.yaml`; default 1. */
  readonly workers?: number;
  /** As in `sluice.yaml`; default `1h`. */
  readonly maxSessionLifetime?: string;
  /** Clients must speak TLS; else none does. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

export interface Memory {
  readonly residentBytes: number;
  /** The most it ever was. */
  readonly peakBytes: number;
}

export interface GatewayProcess {
  /** Of the gateway itself. */
  readonly pid: number;
  readonly bootstrap: string;
  brokerAddress(nodeId: number): string;
  /** Without a path: `http://host:port`. */
  readonly telemetry: string;
  /** What it has written to its log so far. */
  log(): string;
  entries(): Entry[];
  /** Folder of its audit log. */
  readonly auditDirectory: string;
  memory(): Memory;
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGHUP'): void;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** The same, or undefined while it runs. */
  exitCode(): number | undefined;
  /** Ends it where it still runs, and removes its files. */
  stop(): Promise<void>;
}

const brokerPorts = 4;
const readyTimeoutMs = 120_000;

/** Starts it and waits until it is ready. @throws where it does not become ready, with its log */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gateway-'));
  const ports = await reservePortRange(brokerPorts + 2);
  const [first = 0] = ports;
  const telemetry = `http://127.0.0.1:${first + brokerPorts + 1}`;
  writeFiles(folder, options, first);
  const logFile = join(folder, 'gateway.log');
  const output = openSync(logFile, 'a');
  const guarded = startGuarded({
    command: process.execPath,
    args: [sluiceProgram(), 'serve', '--config', join(folder, 'sluice.yaml')],
    folder,
    output,
  });
  closeSync(output);
  const log = (): string => readFileSync(logFile, 'utf8');
  const stop = async (): Promise<void> => {
    await guarded.stop(5_000);
    releasePorts(ports);
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await isReady(telemetry))) {
    if (guarded.exitCode !== undefined || performance.now() > deadline) {
      const said = log();
      await stop();
      throw new Error(`sluice serve did not become ready:\n${said}`);
    }
    await sleep(50);
  }
  const pid = childOf(guarded.pid);
  return {
    pid,
    telemetry,
    bootstrap: `127.0.0.1:${first}`,
    brokerAddress: (nodeId) => `127.0.0.1:${first + 1 + nodeId}`,
    log,
    entries: () => readEntries(join(folder, 'audit')),
    auditDirectory: join(folder, 'audit'),
    memory: () => memoryOf(pid),
    signal: (name) => process.kill(pid, name),
    ended: guarded.ended,
    exitCode: () => guarded.exitCode,
    stop,
  };
}

/** Whether `/readyz` says so now; false also where nobody answers. */
export async function isReady(telemetry: string): Promise<boolean> {
  return await fetch(`${telemetry}/readyz`).then(
    (response) => response.ok,
    () => false,
  );
}

function writeFiles(folder: string, options: GatewayProcessOptions, firstPort: number): void {
  const { tls } = options;
  mkdirSync(join(folder, 'policies'));
  for (const [file, text] of Object.entries(options.policies)) writeFileSync(join(folder, 'policies', file), text);
  const config = {
    apiVersion: 'sluice/v1',
    kind: 'Gateway',
    gatewayId: 'process',
    ports: [
      {
        name: 'orders',
        protocol: 'kafka',
        listen: `127.0.0.1:${firstPort}`,
        ...(tls !== undefined && { tls: { cert: tls.certFile, key: tls.keyFile } }),
        advertise: { host: '127.0.0.1', ports: `${firstPort + 1}-${firstPort + brokerPorts}`, firstNodeId: 0 },
        upstream: { bootstrap: options.kafka.bootstrap('plaintext').split(',') },
        authentication: {
          mechanisms: ['OAUTHBEARER', 'PLAIN'],
          allowTokensWithoutTls: tls === undefined,
          maxSessionLifetime: options.maxSessionLifetime ?? '1h',
        },
      },
    ],
    identity: {
      issuers: [
        {
          name: 'idp',
          issuer: options.idp.issuer,
          audience: 'sluice',
          claims: { id: 'sub', groups: 'groups', kind: 'workload' },
        },
      ],
    },
    policies: './policies',
    audit: { directory: './audit', window: '1s' },
    telemetry: { listen: `127.0.0.1:${firstPort + brokerPorts + 1}` },
    drainTimeout: options.drainTimeout ?? '30s',
    ...(options.workers !== undefined && { workers: options.workers }),
  };
  // Every JSON document is a YAML document.
  writeFileSync(join(folder, 'sluice.yaml'), JSON.stringify(config, null, 2));
}

/** The guard's own child: the program, not the shell that watches over it. */
function childOf(guard: number): number {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      if (Number(parent) === guard && readFileSync(`/proc/${name}/cmdline`, 'utf8').startsWith(`${process.execPath}\0`))
        return Number(name);
    } catch {
      // It has ended since the folder was read.
    }
  }
  throw new Error(`guard ${guard} has no child`);
}

function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1_024;
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}
