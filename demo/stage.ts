/** The demo's stage: real Kafka, a real IdP, and `sluice serve` as a process of its own on files a user could have written. */
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Idp, startIdp } from '../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../harness/kafka.ts';
import { releasePorts, reservePortRange } from '../harness/ports.ts';
import { removeAtExit, removeFolder, startGuarded } from '../harness/processes.ts';
import { sluiceProgram } from '../harness/program.ts';
import { readEntries } from '../harness/scene.ts';
import type { Entry } from '../src/model/entry.ts';

/** Who the demo's IdP knows. The secrets are for this demo alone. */
export const clients = [
  { id: 'checkout-service', secret: 'checkout-demo-secret', groups: ['payments'] },
  { id: 'fraud-detector', secret: 'fraud-demo-secret', groups: ['analytics'] },
] as const;

/** The gateway's own user at the broker; clients never see it. */
const upstreamUser = { name: 'sluice-gateway', password: 'known-to-the-gateway-only' };
const brokerPortCount = 2;
const readyTimeoutMs = 30_000;
const entryTimeoutMs = 15_000;

export interface Stage {
  readonly kafka: KafkaCluster;
  readonly idp: Idp;
  /** Configuration, policies, audit log and the gateway's own log; removed at the end. */
  readonly folder: string;
  readonly bootstrap: string;
  readonly telemetry: string;
  /** Puts a policy file in place; the gateway notices by itself. */
  writePolicy(file: string, text: string): void;
  /** Waits for the newest audit entry since `from` that satisfies the condition. */
  proof(from: number, condition: (entry: Entry) => boolean): Promise<Entry | null>;
  /** How many entries there are now: a mark for `proof`. */
  mark(): number;
  stop(): Promise<void>;
}

/** @throws whatever could not be started, after what was started is stopped */
export async function setStage(say: (line: string) => void): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  removeAtExit(folder);
  const undo: (() => Promise<void> | void)[] = [() => removeFolder(folder)];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    say('starting Apache Kafka and an identity provider');
    const [kafka, idp] = await Promise.all([
      startKafka({ listeners: ['plaintext', 'sasl'], scramUsers: [upstreamUser] }),
      startIdp({ clients: [...clients], ttlSeconds: 900 }),
    ]);
    undo.push(() => idp.stop());
    undo.push(() => kafka.stop());
    for (const topic of ['payments', 'payroll', 'refunds']) await kafka.createTopic(topic, { partitions: 2 });
    const ports = await reservePortRange(brokerPortCount + 2);
    undo.push(() => releasePorts(ports));
    const [first = 0] = ports;
    say('starting sluice serve');
    writeFiles(folder, kafka, idp, first);
    undo.push(await serve(folder, first + brokerPortCount + 1));
    return { ...stageOf(folder, kafka, idp, first), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function writeFiles(folder: string, kafka: KafkaCluster, idp: Idp, firstPort: number): void {
  cpSync(fileURLToPath(new URL('./policies', import.meta.url)), join(folder, 'policies'), { recursive: true });
  writeFileSync(
    join(folder, 'sluice.yaml'),
    `apiVersion: sluice/v1
kind: Gateway
gatewayId: demo
ports:
  - name: demo
    protocol: kafka
    listen: 127.0.0.1:${firstPort}
    advertise: { host: 127.0.0.1, ports: ${firstPort + 1}-${firstPort + brokerPortCount}, firstNodeId: 0 }
    upstream:
      bootstrap: [${kafka.bootstrap('sasl')}]
      sasl: { mechanism: SCRAM-SHA-512, username: ${upstreamUser.name}, password: { env: SLUICE_DEMO_KAFKA_PASSWORD } }
    authentication:
      mechanisms: [OAUTHBEARER, PLAIN]
      allowTokensWithoutTls: true      # for this machine alone: tokens cross the loopback in the clear
identity:
  issuers:
    - name: demo-idp
      issuer: ${idp.issuer}
      audience: sluice
      claims: { id: sub, groups: groups, kind: workload }
policies: ./policies
audit: { directory: ./audit, window: 1s }
telemetry: { listen: 127.0.0.1:${firstPort + brokerPortCount + 1} }
`,
  );
}

async function serve(folder: string, telemetryPort: number): Promise<() => Promise<void>> {
  const log = join(folder, 'gateway.log');
  const output = openSync(log, 'a');
  const gateway = startGuarded({
    command: process.execPath,
    args: [sluiceProgram(), 'serve', '--config', join(folder, 'sluice.yaml')],
    env: { SLUICE_DEMO_KAFKA_PASSWORD: upstreamUser.password },
    output,
  });
  closeSync(output);
  const stop = (): Promise<void> => gateway.stop(5_000);
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${telemetryPort}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return stop;
    if (gateway.exitCode !== undefined || performance.now() > deadline) {
      await stop();
      throw new Error(`sluice serve did not become ready:\n${readFileSync(log, 'utf8').trim()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function stageOf(folder: string, kafka: KafkaCluster, idp: Idp, firstPort: number): Omit<Stage, 'stop'> {
  const audit = join(folder, 'audit');
  mkdirSync(audit, { recursive: true });
  return {
    kafka,
    idp,
    folder,
    bootstrap: `127.0.0.1:${firstPort}`,
    telemetry: `http://127.0.0.1:${firstPort + brokerPortCount + 1}`,
    writePolicy: (file, text) => writeFileSync(join(folder, 'policies', file), text),
    mark: () => readEntries(audit).length,
    async proof(from, condition) {
      const deadline = performance.now() + entryTimeoutMs;
      for (;;) {
        const found = readEntries(audit).slice(from).findLast(condition);
        if (found !== undefined) return found;
        if (performance.now() > deadline) return null;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
