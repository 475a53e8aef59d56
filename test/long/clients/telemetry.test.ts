/**
 * KIP-714 where the broker has a receiver of clients' metrics plugged in: what Java and librdkafka push through the
 * gateway arrives. Where it has none, the cells of the matrix hold that clients stay quiet.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ensureKafka } from '../../../harness/kafka-release.ts';
import { run } from '../../../harness/processes.ts';
import { WireClient } from '../../../harness/wire-client.ts';
import { common } from './cells.ts';
import type { Client } from './client.ts';
import { confluentPython } from './confluent-python.ts';
import { type Ground, startGround } from './ground.ts';
import { java } from './java.ts';
import type { SteadyAnswer } from './task.ts';

const clientMetricsResource = 16;
/** Eight seconds of records. */
const count = 200;
const intervalMs = 40;
let folder: string;
let pushes: string;
let ground: Ground | undefined;
let absent: string | null = null;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-receiver-'));
  pushes = join(folder, 'pushes.txt');
  const source = fileURLToPath(new URL('java/receiver/Receiver.java', import.meta.url));
  const { classpath } = await ensureKafka();
  const compiled = await run('javac', ['-d', folder, '-cp', classpath, source]).catch(() => null);
  if (compiled?.code !== 0) {
    absent = compiled === null ? 'javac was not found: apt-get install openjdk-17-jdk-headless' : compiled.stderr;
    return;
  }
  ground = await startGround({
    classpath: [folder],
    config: { 'metric.reporters': 'Receiver', 'receiver.file': pushes },
  });
  await subscribe(ground);
});

after(async () => {
  await ground?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Every client, every metric, every second. */
async function subscribe({ scene }: Ground): Promise<void> {
  const admin = await WireClient.connect(scene.kafka.bootstrap());
  const configs = [
    { name: 'interval.ms', configOperation: 0, value: '1000' },
    { name: 'metrics', configOperation: 0, value: 'org.apache.kafka' },
  ];
  const { responses } = await admin.ask('IncrementalAlterConfigs', 1, {
    resources: [{ resourceType: clientMetricsResource, resourceName: 'all', configs }],
  });
  admin.close();
  assert.deepEqual(
    responses.map(({ errorCode }) => errorCode),
    [0],
  );
}

for (const client of [java, confluentPython] satisfies readonly Client[]) {
  test(`${client.name} pushes its metrics through the gateway`, async (t) => {
    if (absent !== null || ground === undefined) {
      t.skip(absent ?? '');
      return;
    }
    await client.prepare();
    const topic = await ground.openTopic(client.id);
    const begun = performance.now();
    const { acknowledged, failures } = await client.run<SteadyAnswer>({
      ...common(ground, ground.auth('oidc'), `${client.id}-metrics`),
      step: 'steady',
      topic,
      group: `${topic}-group`,
      groupProtocol: 'classic',
      count,
      intervalMs,
    });
    const seconds = Math.round((performance.now() - begun) / 1_000);
    assert.deepEqual([acknowledged.length, failures], [count, []]);
    const own = existsSync(pushes)
      ? readFileSync(pushes, 'utf8')
          .split('\n')
          .filter((line) => line.startsWith(`${client.id}-metrics `))
      : [];
    assert.ok(own.length >= 2, `${own.length} pushes`);
    assert.ok(own.some((line) => Number(line.split(' ')[2]) > 100));
    t.diagnostic(
      `${client.name}: ${own.length} pushes of ${new Set(own.map((line) => line.split(' ')[1])).size} clients in ${seconds} s`,
    );
  });
}
