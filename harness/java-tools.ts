import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureKafka, kafkaVersion } from './kafka-release.ts';
import type { KafkaRelease } from './kafka-release.ts';
import { run } from './processes.ts';
import type { Run } from './processes.ts';

/** The tools by the names of their scripts in a Kafka distribution, without `kafka-` and `.sh`. */
const classes = {
  topics: 'org.apache.kafka.tools.TopicCommand',
  acls: 'org.apache.kafka.tools.AclCommand',
  configs: 'kafka.admin.ConfigCommand',
  cluster: 'org.apache.kafka.tools.ClusterTool',
  groups: 'org.apache.kafka.tools.GroupsCommand',
  'consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'streams-groups': 'org.apache.kafka.tools.streams.StreamsGroupCommand',
  'console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
  'producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'share-consumer-perf-test': 'org.apache.kafka.tools.ShareConsumerPerformance',
  'verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'verifiable-share-consumer': 'org.apache.kafka.tools.VerifiableShareConsumer',
  'transactional-message-copier': 'org.apache.kafka.tools.TransactionalMessageCopier',
  'get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'replica-verification': 'org.apache.kafka.tools.ReplicaVerificationTool',
  'log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  transactions: 'org.apache.kafka.tools.TransactionsCommand',
  features: 'org.apache.kafka.tools.FeatureCommand',
  'metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'delegation-tokens': 'org.apache.kafka.tools.DelegationTokenCommand',
  'client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'streams-application-reset': 'org.apache.kafka.tools.StreamsResetter',
} as const;

export type JavaTool = keyof typeof classes;

/** Where 4.2 has another class than its predecessors. */
const classesBefore4: Partial<Record<JavaTool, string>> = {
  acls: 'kafka.admin.AclCommand',
  'console-producer': 'kafka.tools.ConsoleProducer',
  'broker-api-versions': 'kafka.admin.BrokerApiVersionsCommand',
};

export interface ToolOptions {
  args?: readonly string[];
  /** Client properties (SASL, TLS, `group.protocol` …). They go into a private file that `configFlag` names. */
  config?: Readonly<Record<string, string>>;
  /** Default: what the tool of that version calls it. */
  configFlag?: string;
  stdin?: string;
  /** Killed after this, with code 124. Default 60 s. */
  timeoutMs?: number;
  /** Further JVM flags, such as `oauthUrls`. */
  jvm?: readonly string[];
  heapMB?: number;
  /** Default as for `ensureKafka`. */
  version?: string;
}

const heapMBDefault = 192;

/** The flag without which Java's clients refuse to speak to a token endpoint (KAFKA-18745). */
export function oauthUrls(...urls: string[]): string {
  return `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${urls.join(',')}`;
}

/**
 * Runs one of Kafka's own tools to its end; `--bootstrap-server` and all else is in `args`. Its log goes to stderr,
 * warnings and errors only.
 * @throws {SluiceError} those of `ensureKafka`
 */
export async function javaTool(tool: JavaTool, options: ToolOptions = {}): Promise<Run> {
  const release = await ensureKafka(options.version ?? kafkaVersion);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tool-'));
  try {
    const { command, args } = await javaCommand(release, tool, options, folder);
    return await run(command, args, { stdin: options.stdin ?? '', timeoutMs: options.timeoutMs ?? 60_000 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The command line of a tool, for callers that keep it running; its properties file goes into `folder`. */
async function javaCommand(
  release: KafkaRelease,
  tool: JavaTool,
  options: ToolOptions,
  folder: string,
): Promise<{ command: string; args: string[] }> {
  const before4 = Number(release.version.split('.')[0]) < 4;
  const name = (before4 ? classesBefore4[tool] : undefined) ?? classes[tool];
  const heap = `-Xmx${options.heapMB ?? heapMBDefault}m`;
  const jvm = [...release.jvmFlags, heap, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', ...(options.jvm ?? [])];
  const config: string[] = [];
  if (options.config !== undefined) {
    const file = join(folder, 'client.properties');
    const lines = Object.entries(options.config).map(([key, value]) => `${key}=${escaped(value)}\n`);
    await writeFile(file, lines.join(''), { mode: 0o600 });
    config.push(options.configFlag ?? configFlagOf(tool, release.version), file);
  }
  return { command: release.java, args: [...jvm, '-cp', release.classpath, name, ...(options.args ?? []), ...config] };
}

/** From 4.2 on every tool says `--command-config` (KIP-1147); before, each had its own word. */
function configFlagOf(tool: JavaTool, version: string): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 4 || (major === 4 && minor >= 2)) return '--command-config';
  if (tool.includes('producer')) return '--producer.config';
  if (tool === 'console-consumer' || tool === 'consumer-perf-test' || tool === 'verifiable-consumer')
    return '--consumer.config';
  return '--command-config';
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
