/** A small Kafka Streams application on the streams group protocol (KIP-1071). It needs a JDK: Java compiles it as it runs. */
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { javaTool } from '../../../harness/java-tools.ts';
import { ensureKafkaClients } from '../../../harness/kafka-clients.ts';
import { ensureKafka } from '../../../harness/kafka-release.ts';
import { startGuarded } from '../../../harness/processes.ts';
import { attempt } from './attempt.ts';
import type { Scene } from './capture.ts';

const version = '4.2.1';
const group = 'streams-group';
const workMs = 20_000;

export async function runStreams(scene: Scene): Promise<void> {
  if (scene.version < version) return;
  scene.plaintext.label(`Java ${version} streams`);
  await attempt(scene, 'streams', async () => await countWords(scene));
}

const program = `
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;

public class Count {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("application.id", "${group}");
    properties.put("bootstrap.servers", args[0]);
    properties.put("state.dir", args[1]);
    properties.put("group.protocol", "streams");
    properties.put("default.key.serde", Serdes.String().getClass());
    properties.put("default.value.serde", Serdes.String().getClass());
    StreamsBuilder builder = new StreamsBuilder();
    builder.<String, String>stream("streams-in").groupBy((key, value) -> value).count();
    new KafkaStreams(builder.build(), properties).start();
    Thread.currentThread().join();
  }
}
`;

async function countWords(scene: Scene): Promise<void> {
  const { java, jvmFlags } = await ensureKafka(version);
  const server = ['--bootstrap-server', scene.plaintext.address];
  await javaTool('topics', { args: [...server, '--create', '--topic', 'streams-in', '--partitions', '2'], version });
  const file = join(scene.folder, 'Count.java');
  await writeFile(file, program);
  const output = openSync(join(scene.folder, 'streams.log'), 'a');
  const flags = jvmFlags.filter((flag) => !flag.includes('SharedArchive'));
  const args = [
    ...flags,
    '-cp',
    await ensureKafkaClients('kafka-streams', version),
    file,
    scene.plaintext.address,
    join(scene.folder, 'streams'),
  ];
  const application = startGuarded({ command: java, args, output });
  closeSync(output);
  await sleep(workMs);
  for (const what of [[], ['--members']])
    await javaTool('streams-groups', { args: [...server, '--describe', '--group', group, ...what], version });
  await application.stop(5_000);
}
