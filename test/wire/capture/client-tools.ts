import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { javaTool } from '../../../harness/java-tools.ts';
import type { JavaTool, ToolOptions } from '../../../harness/java-tools.ts';
import { kcat } from '../../../harness/kcat.ts';
import { attempt } from './attempt.ts';
import type { Scene } from './capture.ts';

export async function runKcat(scene: Scene): Promise<void> {
  const at = ['-b', scene.plaintext.address];
  const steps: [string, string[], string?][] = [
    ['list', ['-L']],
    ['produce', ['-P', '-t', 'stage', '-p', '0', '-K', ':'], 'k:from kcat\n'],
    ['produce lz4', ['-P', '-t', 'stage', '-p', '1', '-z', 'lz4', '-X', 'enable.idempotence=true'], 'idempotent\n'],
    ['consume', ['-C', '-t', 'stage', '-p', '0', '-o', 'beginning', '-e']],
    ['query', ['-Q', '-t', 'stage:0:-1']],
    ['group', ['-G', 'kcat-group', '-c', '1', 'stage', '-X', 'auto.offset.reset=earliest']],
  ];
  for (const [what, args, stdin] of steps) {
    await attempt(scene, `kcat ${what}`, async () => {
      const { code, stderr } = await kcat([...at, ...args], { stdin: stdin ?? '', timeoutMs: 20_000 });
      if (code !== 0) throw new Error(stderr.slice(0, 300));
    });
  }
}

interface Step {
  readonly tool: JavaTool;
  readonly args: readonly string[];
  readonly more?: ToolOptions;
  /** The broker refuses it; what counts is that it was asked. */
  readonly fails?: boolean;
  /** First release that has it. */
  readonly from?: string;
  /** Oldest broker it speaks to. */
  readonly broker?: string;
}

/** Kafka's own tools of one release against the broker. */
export async function runJavaTools(scene: Scene, release: string): Promise<void> {
  scene.plaintext.label(`Java ${release} tools`);
  scene.sasl.label(`Java ${release} tools`);
  const topic = `java-${release}`;
  const plan = join(scene.folder, `reassign-${release}.json`);
  const partition = { topic, partition: 0, replicas: [0], log_dirs: ['/no/such/folder'] };
  await writeFile(plan, JSON.stringify({ version: 1, partitions: [partition] }));
  for (const step of [...dataSteps(topic), ...groupSteps(topic), ...adminSteps(topic), ...lastSteps(topic)]) {
    if (release < (step.from ?? '') || scene.version < (step.broker ?? '')) continue;
    await attempt(scene, `${release} ${step.tool} ${step.args.join(' ')}`, async () => {
      const words = step.args.map((word) =>
        word === 'HERE' ? scene.plaintext.address : word === 'PLAN' ? plan : word,
      );
      const args = step.args.includes('HERE') ? words : ['--bootstrap-server', scene.plaintext.address, ...words];
      const { code, stdout, stderr } = await javaTool(step.tool, {
        ...step.more,
        args,
        version: release,
        timeoutMs: 35_000,
      });
      if (code !== 0 && step.fails !== true) throw new Error(`exit ${code}: ${(stderr + stdout).slice(-400)}`);
    });
  }
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256'])
    await attempt(scene, `${release} ${mechanism}`, async () => await authenticate(scene, release, mechanism));
}

async function authenticate(scene: Scene, release: string, mechanism: string): Promise<void> {
  const { name, password } = scene.user;
  const login = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  const jaas = `org.apache.kafka.common.security.${login} required username="${name}" password="${password}";`;
  const config = { 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': mechanism, 'sasl.jaas.config': jaas };
  const tool = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await javaTool('delegation-tokens', {
      args: ['--bootstrap-server', scene.sasl.address, ...args],
      config,
      version: release,
    });
    if (code !== 0) throw new Error(`exit ${code}: ${(stderr + stdout).slice(-400)}`);
    return stdout;
  };
  const made = await tool('--create', '--max-life-time-period', '600000', '--renewer-principal', 'User:someone');
  const hmac = /[\w+/]{40,}={0,2}/.exec(made)?.[0] ?? '';
  await tool('--describe');
  await tool('--renew', '--renew-time-period', '60000', '--hmac', hmac);
  await tool('--expire', '--expiry-time-period', '-1', '--hmac', hmac);
}

function dataSteps(topic: string): Step[] {
  const read = ['--topic', topic, '--from-beginning', '--max-messages', '1', '--timeout-ms', '15000'];
  return [
    { tool: 'topics', args: ['--create', '--topic', topic, '--partitions', '2', '--config', 'retention.ms=60000'] },
    { tool: 'console-producer', args: ['--topic', topic], more: { stdin: 'one\ntwo\n' } },
    {
      tool: 'console-producer',
      args: [
        '--topic',
        topic,
        '--compression-codec',
        'zstd',
        '--reader-property',
        'parse.key=true',
        '--reader-property',
        'key.separator=:',
      ],
      more: { stdin: 'k:three\n' },
      from: '4.2',
    },
    { tool: 'console-consumer', args: [...read, '--group', `${topic}-classic`] },
    // again: the committed offset has an epoch now, which makes it ask for the end of that epoch
    { tool: 'console-consumer', args: [...read, '--group', `${topic}-classic`] },
    {
      tool: 'console-consumer',
      args: [...read, '--isolation-level', 'read_committed'],
      more: { config: { 'group.protocol': 'consumer', 'group.id': `${topic}-consumer` } },
    },
    {
      tool: 'producer-perf-test',
      args: [
        '--topic',
        topic,
        '--num-records',
        '2',
        '--record-size',
        '20',
        '--throughput',
        '-1',
        '--transactional-id',
        `${topic}-tx`,
        '--transaction-duration-ms',
        '1000',
      ],
      from: '4.2',
    },
    { tool: 'verifiable-producer', args: ['--topic', topic, '--max-messages', '2', '--acks', '1'] },
    {
      tool: 'transactional-message-copier',
      args: [
        '--broker-list',
        'HERE',
        '--input-topic',
        topic,
        '--input-partition',
        '0',
        '--output-topic',
        'spare',
        '--transactional-id',
        `${topic}-copy`,
        '--consumer-group',
        `${topic}-copy`,
        '--max-messages',
        '1',
        '--transaction-size',
        '1',
      ],
    },
    { tool: 'get-offsets', args: ['--topic', topic] },
    { tool: 'get-offsets', args: ['--topic', topic, '--time', '-3'] },
  ];
}

function groupSteps(topic: string): Step[] {
  const share = `${topic}-share`;
  const classic = ['--group', `${topic}-classic`];
  return [
    {
      tool: 'configs',
      args: ['--alter', '--group', share, '--add-config', 'share.auto.offset.reset=earliest'],
      from: '4.2',
      broker: '4.2',
    },
    {
      tool: 'console-share-consumer',
      args: ['--topic', topic, '--group', share, '--max-messages', '1', '--timeout-ms', '15000'],
      from: '4.2',
      broker: '4.2',
    },
    {
      tool: 'console-share-consumer',
      args: ['--topic', topic, '--group', share, '--max-messages', '1', '--timeout-ms', '15000', '--release'],
      from: '4.2',
      broker: '4.2',
    },
    { tool: 'share-groups', args: ['--list'], from: '4.2', broker: '4.2' },
    { tool: 'share-groups', args: ['--describe', '--group', share], from: '4.2', broker: '4.2' },
    { tool: 'share-groups', args: ['--describe', '--group', share, '--members'], from: '4.2', broker: '4.2' },
    {
      tool: 'share-groups',
      args: ['--reset-offsets', '--to-earliest', '--execute', '--topic', topic, '--group', share],
      from: '4.2',
      broker: '4.2',
    },
    {
      tool: 'share-groups',
      args: ['--delete-offsets', '--topic', topic, '--group', share],
      from: '4.2',
      broker: '4.2',
    },
    { tool: 'groups', args: ['--list'], from: '4.2' },
    { tool: 'streams-groups', args: ['--list'], from: '4.2' },
    { tool: 'consumer-groups', args: ['--list', '--state'] },
    { tool: 'consumer-groups', args: ['--describe', '--all-groups', '--members', '--verbose'] },
    { tool: 'consumer-groups', args: ['--describe', ...classic] },
    { tool: 'consumer-groups', args: ['--reset-offsets', '--to-earliest', '--topic', topic, '--execute', ...classic] },
    { tool: 'consumer-groups', args: ['--delete-offsets', '--topic', topic, ...classic] },
    { tool: 'consumer-groups', args: ['--delete', ...classic] },
  ];
}

function adminSteps(topic: string): Step[] {
  const entity = ['--entity-type', 'topics', '--entity-name', topic];
  const acl = ['--allow-principal', 'User:someone', '--operation', 'Read', '--topic', topic];
  return [
    { tool: 'topics', args: ['--describe', '--topic', topic] },
    { tool: 'topics', args: ['--list'] },
    { tool: 'topics', args: ['--alter', '--topic', topic, '--partitions', '3'] },
    { tool: 'configs', args: ['--describe', ...entity] },
    { tool: 'configs', args: ['--alter', '--add-config', 'retention.ms=80000', ...entity] },
    {
      tool: 'configs',
      args: [
        '--alter',
        '--add-config',
        'producer_byte_rate=1000000',
        '--entity-type',
        'users',
        '--entity-name',
        'someone',
      ],
    },
    { tool: 'configs', args: ['--describe', '--entity-type', 'users'] },
    { tool: 'client-metrics', args: ['--list'] },
    { tool: 'acls', args: ['--add', ...acl] },
    { tool: 'acls', args: ['--list'] },
    { tool: 'acls', args: ['--remove', '--force', ...acl] },
    { tool: 'transactions', args: ['list'] },
    { tool: 'transactions', args: ['describe', '--transactional-id', `${topic}-copy`] },
    { tool: 'transactions', args: ['describe-producers', '--topic', topic, '--partition', '0'] },
    { tool: 'log-dirs', args: ['--describe', '--topic-list', topic] },
    { tool: 'metadata-quorum', args: ['describe', '--replication'] },
    {
      tool: 'metadata-quorum',
      args: ['remove-controller', '--controller-id', '99', '--controller-directory-id', 'AAAAAAAAAAAAAAAAAAAAAQ'],
      fails: true,
    },
    { tool: 'features', args: ['describe'] },
    { tool: 'features', args: ['downgrade', '--feature', 'group.version=0', '--dry-run'], fails: true },
    {
      tool: 'configs',
      args: [
        '--alter',
        '--add-config',
        'SCRAM-SHA-256=[password=of-a-broker-that-is-gone]',
        '--entity-type',
        'users',
        '--entity-name',
        'someone',
      ],
    },
    { tool: 'leader-election', args: ['--election-type', 'preferred', '--topic', topic, '--partition', '0'] },
    { tool: 'reassign-partitions', args: ['--list'] },
    { tool: 'reassign-partitions', args: ['--execute', '--reassignment-json-file', 'PLAN'], fails: true },
    { tool: 'cluster', args: ['list-endpoints', '--bootstrap-server', 'HERE'], from: '4.2' },
    { tool: 'broker-api-versions', args: [] },
  ];
}

function lastSteps(topic: string): Step[] {
  return [
    { tool: 'cluster', args: ['unregister', '--bootstrap-server', 'HERE', '--id', '99'], fails: true },
    { tool: 'topics', args: ['--delete', '--topic', topic] },
  ];
}
