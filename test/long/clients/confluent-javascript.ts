/** @confluentinc/kafka-javascript: librdkafka under Node, built on demand, with its own OIDC support. */
import { fileURLToPath } from 'node:url';
import { confluentJavascriptVersion, ensureConfluentJavascript } from '../../../harness/confluent-javascript.ts';
import { type Client, runProgram } from './client.ts';

const program = fileURLToPath(new URL('node/confluent.ts', import.meta.url));

export const confluentJavascript: Client = {
  name: `@confluentinc/kafka-javascript ${confluentJavascriptVersion}`,
  id: 'confluent-javascript',
  without: { share: 'does not expose the share consumer of librdkafka' },
  async prepare() {
    await ensureConfluentJavascript();
  },
  async run(task) {
    const { folder, env } = await ensureConfluentJavascript();
    return await runProgram(process.execPath, [program, folder], env, task);
  },
};
