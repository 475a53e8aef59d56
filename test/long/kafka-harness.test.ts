import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { startKafka } from '../../harness/kafka.ts';
import { processesNaming, run } from '../../harness/processes.ts';

// These are tests of the harness itself, so they never run on somebody's own Kafka.
delete process.env['SLUICE_KAFKA'];

test('a cluster dies with the process that started it, even by SIGKILL', async () => {
  const door = new URL('../../harness/kafka.ts', import.meta.url).href;
  const script = `import { startKafka } from '${door}'; import { writeSync } from 'node:fs';
    const kafka = await startKafka(); writeSync(1, kafka.log(0)); process.kill(process.pid, 'SIGKILL');`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  assert.match(stdout, /kafka\.log$/);
  const folder = dirname(dirname(stdout));
  for (let tries = 0; tries < 50 && (existsSync(folder) || (await processesNaming(folder)).length > 0); tries += 1)
    await sleep(100);
  assert.deepEqual(await processesNaming(folder), []);
  assert.equal(existsSync(folder), false);
});

test('three nodes, one of which goes and comes back', async () => {
  const three = await startKafka({ nodes: 3 });
  try {
    console.log(`three nodes were ready after ${Math.round(three.startMs)} ms`);
    assert.deepEqual(new Set(await three.admin.brokerIds()), new Set([0, 1, 2]));
    await three.createTopic('replicated', { partitions: 6, replicationFactor: 3 });
    await three.stopNode(2);
    assert.deepEqual(new Set(await three.admin.brokerIds()), new Set([0, 1]));
    await three.startNode(2);
    assert.deepEqual(new Set(await three.admin.brokerIds()), new Set([0, 1, 2]));
  } finally {
    await three.stop();
  }
});

test('an older release starts as well', async () => {
  const old = await startKafka({
    version: '3.9.1',
    listeners: ['plaintext', 'sasl'],
    scramUsers: [{ name: 'bob', password: 'first, second' }],
  });
  try {
    console.log(`Kafka ${old.version} was ready after ${Math.round(old.startMs)} ms`);
    const sasl = { mechanism: 'scram-sha-256', username: 'bob', password: 'first, second' } as const;
    const admin = new Kafka({ brokers: [old.bootstrap('sasl')], sasl, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await old.createTopic('old');
    assert.deepEqual(await admin.listTopics(), ['old']);
    await admin.disconnect();
  } finally {
    await old.stop();
  }
});

test('a killed node comes back with what it had', async () => {
  const kafka = await startKafka();
  try {
    await kafka.createTopic('kept');
    await kafka.stopNode(0, 'kill');
    await kafka.startNode(0);
    assert.ok((await (await kafka.admin.client()).listTopics()).includes('kept'));
  } finally {
    await kafka.stop();
  }
});
