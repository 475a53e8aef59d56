/** A gateway of two workers with TLS before a real broker, whose workers are killed while clients work. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CertificateAuthority, createCertificateAuthority } from '../../../harness/certificates.ts';
import { type GatewayProcess, startGatewayProcess } from '../../../harness/gateway-process.ts';
import { workerPids, workersUp } from '../../../harness/gateway-workers.ts';
import { type Idp, startIdp } from '../../../harness/idp.ts';
import { type KafkaCluster, startKafka } from '../../../harness/kafka.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import type { CommonTask } from '../clients/cells.ts';
import { type Ground, clientsPolicy } from '../clients/ground.ts';
import { endOf, readTopic, write } from '../clients/stored.ts';

const user = { id: 'app', secret: 'app-secret', groups: ['team'] };
const partitions = 3;
const bystanders = 8;
const slackMs = 60_000;

type Topics = Pick<Ground, 'openTopic' | 'readTopic' | 'endOf' | 'write'>;

export interface WorkersGround extends Topics {
  task(clientId: string, timeoutMs: number): CommonTask;
  /** Ends the worker that has served longest, with idle connections open on both. @returns how many of them ended */
  killWorker(): Promise<number>;
  /** Connections that the workers held which died since the last call. */
  connectionsLost(): number;
  stop(): Promise<void>;
}

export async function startWorkersGround(): Promise<WorkersGround> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-workers-'));
  const undo: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const kafka = await startKafka();
    undo.push(() => kafka.stop());
    const idp = await startIdp({ clients: [user] });
    undo.push(() => idp.stop());
    const authority = await createCertificateAuthority(folder);
    const gateway = await startGatewayProcess({
      kafka,
      idp,
      policies: { 'team.yaml': clientsPolicy },
      workers: 2,
      tls: await authority.serverFiles('gateway'),
    });
    undo.push(() => gateway.stop());
    return { ...topicsOf(kafka), ...killing(gateway, idp, authority), task: tasks(gateway, idp, authority), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function topicsOf(kafka: KafkaCluster): Topics {
  return {
    async openTopic(what) {
      const topic = `open-${what}-${randomUUID().slice(0, 8)}`;
      await kafka.createTopic(topic, { partitions });
      return topic;
    },
    readTopic: (topic, count, timeoutMs) => readTopic(kafka, topic, count, timeoutMs),
    endOf: (topic) => endOf(kafka, topic),
    write: (topic, messages) => write(kafka, topic, messages),
  };
}

function tasks(gateway: GatewayProcess, idp: Idp, { caFile }: CertificateAuthority): WorkersGround['task'] {
  const auth = { kind: 'oidc', tokenUrl: idp.tokenEndpoint, clientId: user.id, clientSecret: user.secret } as const;
  return (clientId, timeoutMs) => ({ bootstrap: gateway.bootstrap, caFile, auth, clientId, timeoutMs });
}

function killing(
  gateway: GatewayProcess,
  idp: Idp,
  { ca }: CertificateAuthority,
): Pick<WorkersGround, 'killWorker' | 'connectionsLost'> {
  const killed = new Set<number>();
  let told = 0;
  const lost = (): number =>
    gateway
      .entries()
      .filter(({ type }) => type.endsWith('worker.died'))
      .reduce((sum, { data }) => sum + Number(data['connections']), 0);
  const connect = async (): Promise<WireClient> => {
    const client = await WireClient.connect(gateway.brokerAddress(0), { clientId: 'idle', tls: { ca } });
    assert.equal((await client.authenticate(await idp.token(user.id))).errorCode, 0);
    return client;
  };
  return {
    async killWorker() {
      await until('two workers are up', async () => (await workersUp(gateway)) === 2);
      const clients = await Promise.all(Array.from({ length: bystanders }, connect));
      const [victim, pid = 0] = [...workerPids(gateway)].find(([number]) => !killed.has(number)) ?? [];
      assert.ok(victim !== undefined);
      killed.add(victim);
      process.kill(pid, 'SIGKILL');
      await until('the death is entered', () => countOf(gateway, 'worker.died') === killed.size);
      await until('its connections end', () => clients.some(({ closed }) => closed));
      // Long enough for one that ends later, though its worker lives, to be seen.
      await sleep(500);
      const survivors = clients.filter(({ closed }) => !closed);
      for (const client of survivors) {
        const { errorCode } = await client.ask('ListGroups', 4, {});
        assert.equal(errorCode, 0, 'a connection of the other worker goes on');
        client.close();
      }
      return clients.length - survivors.length;
    },
    connectionsLost() {
      const since = lost() - told;
      told += since;
      return since;
    },
  };
}

function countOf(gateway: GatewayProcess, code: string): number {
  return gateway.entries().filter(({ type }) => type.endsWith(code)).length;
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + slackMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${slackMs} ms: ${what}`);
    await sleep(50);
  }
}
