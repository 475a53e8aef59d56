/** Real clients at their everyday work, each step on its own: what one refuses to do is told and passed over. */
import { runKafkajs } from './client-kafkajs.ts';
import { runPlatformatic } from './client-platformatic.ts';
import { runJavaTools, runKcat } from './client-tools.ts';
import { runStreams } from './client-streams.ts';
import type { Scene } from './capture.ts';

export async function runClients(scene: Scene): Promise<void> {
  await runKafkajs(scene);
  await runPlatformatic(scene);
  await runKcat(scene);
  await runStreams(scene);
  for (const version of ['4.2.1', '3.9.1']) await runJavaTools(scene, version);
}
