/** @platformatic/kafka: JavaScript, with groups of KIP-848, tokens by a callback. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Client, runProgram } from './client.ts';

const about = new URL('../package.json', import.meta.resolve('@platformatic/kafka'));
const { version } = JSON.parse(readFileSync(about, 'utf8')) as { version: string };
const program = fileURLToPath(new URL('node/platformatic.ts', import.meta.url));

export const platformatic: Client = {
  name: `@platformatic/kafka ${version}`,
  id: 'platformatic',
  without: {
    OIDC: 'no OIDC support of its own: the application fetches tokens',
    share: 'has no share consumer',
  },
  prepare: async () => {},
  run: (task) => runProgram(process.execPath, [program], {}, task),
};
