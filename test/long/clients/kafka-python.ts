/** kafka-python: pure Python, tokens by a callback. Its 2.0 line speaks SASL handshake v0 and knows no idempotence. */
import { fileURLToPath } from 'node:url';
import { ensurePythonPackage } from '../../../harness/python.ts';
import { type Client, runProgram } from './client.ts';

const program = fileURLToPath(new URL('python/kafka_python.py', import.meta.url));
const noOidc = 'no OIDC support of its own: the application fetches tokens';

export const kafkaPython: Client = {
  ...inVersion('3.0.12', 'kafka-python'),
  without: { OIDC: noOidc, 'KIP-848': 'speaks classic groups only', share: 'has no share consumer' },
};

export const kafkaPython2: Client = {
  ...inVersion('2.0.6', 'kafka-python-2'),
  without: {
    OIDC: noOidc,
    'KIP-848': 'speaks classic groups only',
    share: 'has no share consumer',
    transactions: 'has no transactions',
  },
  reconnects: true,
};

function inVersion(version: string, id: string): Pick<Client, 'name' | 'id' | 'prepare' | 'run'> {
  const fetched = () => ensurePythonPackage('kafka-python', version);
  return {
    name: `kafka-python ${version}`,
    id,
    async prepare() {
      await fetched();
    },
    async run(task) {
      const { python, env } = await fetched();
      return await runProgram(python, [program], env, task);
    },
  };
}
