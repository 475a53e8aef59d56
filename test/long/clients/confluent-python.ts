/** confluent-kafka-python: librdkafka from a wheel, with its own OIDC support. */
import { fileURLToPath } from 'node:url';
import { ensurePythonPackage } from '../../../harness/python.ts';
import { type Client, runProgram } from './client.ts';

const version = '2.16.1';
const program = fileURLToPath(new URL('python/confluent.py', import.meta.url));

export const confluentPython: Client = {
  name: `confluent-kafka-python ${version}`,
  id: 'confluent-python',
  without: {},
  async prepare() {
    await ensurePythonPackage('confluent-kafka', version);
  },
  async run(task, said) {
    const { python, env } = await ensurePythonPackage('confluent-kafka', version);
    return await runProgram(python, [program], env, task, said);
  },
};
