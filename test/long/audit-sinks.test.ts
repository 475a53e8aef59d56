/** Checkpoints of the audit log in real S3-compatible storage with object lock, and in a topic of a real Kafka. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { kcat } from '../../harness/kcat.ts';
import { startKafka } from '../../harness/kafka.ts';
import type { KafkaCluster } from '../../harness/kafka.ts';
import { releasePorts, reservePorts } from '../../harness/ports.ts';
import { addressesOf } from '../../harness/scene.ts';
import { startS3 } from '../../harness/s3.ts';
import type { S3Server } from '../../harness/s3.ts';
import {
  auditEvent,
  bucketTarget,
  exportLog,
  openAuditLog,
  parseCheckpoint,
  topicTarget,
} from '../../src/audit/audit.ts';
import type { OwnedAuditLog, TopicSender } from '../../src/audit/audit.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { CheckpointPushSettings } from '../../src/model/settings.ts';
import { createTopicWriter } from '../../src/ports/kafka/kafka.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-sinks-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function open(name: string, push: CheckpointPushSettings, sendToTopic?: TopicSender): Promise<OwnedAuditLog> {
  const checkpoint = { everyMs: 60_000, entries: 1_000, keyFile: join(folder, `${name}-key`), push };
  const base = { directory: join(folder, name), mode: 'strict', gatewayId: 'gw', clock: systemClock } as const;
  return openAuditLog({ ...base, logger: silentLogger, checkpoint, ...(sendToTopic !== undefined && { sendToTopic }) });
}

async function checkpointsIn(name: string): Promise<string[]> {
  const names = await readdir(join(folder, name, 'checkpoints'));
  return names.filter((each) => each.endsWith('.checkpoint')).sort();
}

async function linesIn(name: string): Promise<string[]> {
  const names = (await readdir(join(folder, name))).filter((each) => each.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((each) => readFile(join(folder, name, each), 'utf8')));
  return texts.flatMap((text) => text.trimEnd().split('\n'));
}

describe('S3-compatible storage', () => {
  let s3: S3Server;
  before(async () => {
    s3 = await startS3('checkpoints');
    process.env['SLUICE_TEST_S3_ID'] = s3.accessKeyId;
    process.env['SLUICE_TEST_S3_SECRET'] = s3.secretAccessKey;
  });
  after(() => s3.stop());

  const settings = (more: Partial<NonNullable<CheckpointPushSettings['s3']>> = {}): CheckpointPushSettings => ({
    s3: {
      endpoint: s3.endpoint,
      region: 'us-east-1',
      bucket: s3.bucket,
      prefix: 'gw-1/',
      pathStyle: true,
      accessKeyId: { env: 'SLUICE_TEST_S3_ID' },
      secretAccessKey: { env: 'SLUICE_TEST_S3_SECRET' },
      lock: { mode: 'compliance', forMs: 86_400_000 },
      ...more,
    },
  });

  /** What AWS's own client sees. */
  async function boto(script: string): Promise<string> {
    const head = `import boto3,json,sys\nfrom botocore.exceptions import ClientError\ns3=boto3.client('s3',endpoint_url='${s3.endpoint}',region_name='us-east-1',aws_access_key_id='${s3.accessKeyId}',aws_secret_access_key='${s3.secretAccessKey}')\n`;
    const { stdout } = await promisify(execFile)(s3.python.program, ['-c', head + script], {
      env: { ...process.env, ...s3.python.env },
    });
    return stdout.trim();
  }

  test('holds each checkpoint, locked: nobody can remove it before its time', async () => {
    const log = await open('locked', settings());
    log.append(auditEvent('gateway.stopped', { reason: 'x' }));
    await log.close();
    assert.deepEqual(
      log.sinks().map(({ sink, ok, failures }) => [sink, ok, failures]),
      [['s3', true, 0]],
    );
    const newest = (await checkpointsIn('locked')).at(-1) ?? '';
    const seen = JSON.parse(
      await boto(`
o=s3.get_object(Bucket='${s3.bucket}',Key='gw-1/${newest}')
out={'body':o['Body'].read().decode(),'mode':o['ObjectLockMode'],'until':o['ObjectLockRetainUntilDate'].timestamp()}
try:
  s3.delete_object(Bucket='${s3.bucket}',Key='gw-1/${newest}',VersionId=o['VersionId'])
  out['delete']='done'
except ClientError as e: out['delete']=e.response['Error']['Code']
print(json.dumps(out))`),
    ) as { body: string; mode: string; until: number; delete: string };
    const here = await readFile(join(folder, 'locked', 'checkpoints', newest));
    assert.equal(parseCheckpoint(Buffer.from(seen.body)).note.text, parseCheckpoint(here).note.text);
    assert.deepEqual([seen.mode, seen.delete], ['COMPLIANCE', 'AccessDenied']);
    assert.ok(Math.abs(seen.until * 1_000 - Date.now() - 86_400_000) < 600_000);
  });

  test('refuses a wrong signature, which is told and holds nothing up', async () => {
    process.env['SLUICE_TEST_S3_WRONG'] = 'wrong';
    const log = await open('refused', settings({ secretAccessKey: { env: 'SLUICE_TEST_S3_WRONG' } }));
    log.append(auditEvent('gateway.stopped', { reason: 'x' }));
    await log.durable();
    while (log.sinks()[0]?.ok !== false) await sleep(20);
    await log.durable();
    await log.close();
    assert.equal(log.sinks()[0]?.size, 0);
  });

  test('takes an export, again from where it was', async () => {
    const log = await open('exported', {});
    for (let i = 0; i < 700; i += 1) log.append(auditEvent('gateway.stopped', { reason: `n${i}` }));
    await log.close();
    const { lock: _, ...bucket } = settings({ prefix: 'export/' }).s3 ?? assert.fail();
    const options = {
      directory: join(folder, 'exported'),
      cursorFile: join(folder, 'exported.cursor'),
      follow: false,
      skipGone: false,
      signal: new AbortController().signal,
      target: bucketTarget(bucket, Date.now),
    };
    assert.equal((await exportLog(options)).entries, 702);
    await rm(options.cursorFile);
    assert.equal((await exportLog(options)).entries, 702, 'the same objects again');
    const lines = await boto(`
# Not by prefix: moto and botocore sign an encoded slash in different ways.
for o in sorted(x['Key'] for x in s3.list_objects_v2(Bucket='${s3.bucket}')['Contents'] if x['Key'].startswith('export/')):
  sys.stdout.write(s3.get_object(Bucket='${s3.bucket}',Key=o)['Body'].read().decode())`);
    assert.deepEqual(lines.split('\n'), await linesIn('exported'));
  });

  test('gets what it missed once it can be reached', async () => {
    const [port = 0] = await reservePorts(1);
    const { createServer, request } = await import('node:http');
    const log = await open('later', settings({ endpoint: `http://127.0.0.1:${port}` }));
    log.append(auditEvent('gateway.stopped', { reason: 'x' }));
    await log.durable();
    while (log.sinks()[0]?.ok !== false) await sleep(20);
    // A way to the real one appears. The host that was signed is passed on.
    const proxy = createServer((incoming, answer) => {
      const target = request(
        `${s3.endpoint}${incoming.url}`,
        { method: incoming.method, headers: incoming.headers },
        (response) => {
          answer.writeHead(response.statusCode ?? 0);
          response.pipe(answer);
        },
      );
      incoming.pipe(target);
    });
    await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
    while (log.sinks()[0]?.ok !== true) await sleep(50);
    assert.ok((log.sinks()[0]?.size ?? 0) > 0);
    await log.close();
    proxy.closeAllConnections();
    proxy.close();
    releasePorts([port]);
  });
});

describe('a topic', () => {
  let kafka: KafkaCluster;
  before(async () => {
    kafka = await startKafka();
  });
  after(() => kafka.stop());

  test('holds each checkpoint under the name of the log; one that is missing is told', async () => {
    const writer = createTopicWriter({ bootstrap: addressesOf(kafka.bootstrap()) });
    const send: TopicSender = (_, topic, records) => writer.write(topic, records);
    await kafka.createTopic('checkpoints', { partitions: 3 });
    try {
      const log = await open('topic', { kafka: { port: 'orders', topic: 'checkpoints' } }, send);
      await log.close();
      assert.deepEqual(
        log.sinks().map(({ sink, ok }) => [sink, ok]),
        [['kafka', true]],
      );
      const other = await open('nowhere', { kafka: { port: 'orders', topic: 'no-such-topic' } }, send);
      await other.close();
      assert.equal(other.sinks()[0]?.ok, false);
      const options = {
        directory: join(folder, 'topic'),
        cursorFile: join(folder, 'topic.cursor'),
        follow: false,
        skipGone: false,
        signal: new AbortController().signal,
        target: topicTarget('orders', 'exported', send),
      };
      await kafka.createTopic('exported', { partitions: 3 });
      await exportLog(options);
      const read = await kcat(['-C', '-q', '-e', '-b', kafka.bootstrap(), '-t', 'exported']);
      assert.deepEqual(read.stdout.trimEnd().split('\n').sort(), (await linesIn('topic')).sort());
    } finally {
      writer.close();
    }
    const { stdout } = await kcat([
      '-C',
      '-q',
      '-e',
      '-b',
      kafka.bootstrap(),
      '-t',
      'checkpoints',
      '-f',
      '%k|%s\u001e',
    ]);
    const records = stdout
      .split('\u001e')
      .filter((text) => text.trim() !== '')
      .map((text) => text.trimStart().split('|'));
    assert.ok(records.every(([key]) => key === 'sluice/gw'));
    const here = await readFile(join(folder, 'topic', 'checkpoints', (await checkpointsIn('topic')).at(-1) ?? ''));
    const newest = parseCheckpoint(here).note.text;
    assert.ok(
      records.some(([, value = '']) => parseCheckpoint(Buffer.from(value)).note.text === newest),
      stdout,
    );
  });
});
