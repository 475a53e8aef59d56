/** kafkajs: pure JavaScript, classic groups, tokens by a callback. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Client, runProgram } from './client.ts';

const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string };

export const kafkajs: Client = {
  name: `kafkajs ${version}`,
  id: 'kafkajs',
  without: {
    OIDC: 'no OIDC support of its own: the application fetches tokens',
    'KIP-848': 'speaks classic groups only',
    share: 'has no share consumer',
  },
  // It asks every broker for the coordinator, and keeps only that none would say.
  saysOfDenied: { group: /find group coordinator/i, transaction: /find group coordinator/i },
  prepare: async () => {},
  run: (task) => runProgram(process.execPath, [fileURLToPath(new URL('node/kafkajs.ts', import.meta.url))], {}, task),
};
