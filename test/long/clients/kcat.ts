/** kcat of Debian, on a librdkafka of 2023: the oldest librdkafka that people still have. */
import { kcat as runKcat } from '../../../harness/kcat.ts';
import type { Run } from '../../../harness/processes.ts';
import type { Client } from './client.ts';
import { fetchToken } from './node/program.ts';
import type { Denials, DenialsAnswer, Received, RoundTrip, RoundTripAnswer, Task } from './task.ts';

const noOauth = 'Debian’s is built without HTTP, and a command line has no callback';

export const kcat: Client = {
  name: 'kcat of Debian',
  id: 'kcat',
  textOnly: true,
  without: {
    OIDC: noOauth,
    callback: noOauth,
    're-auth': 'a password on the command line is not renewed',
    'KIP-848': 'its librdkafka speaks classic groups only',
    share: 'has no share consumer',
    transactions: 'it only writes in transactions (test/e2e/clients.test.ts)',
    admin: 'has no administration',
  },
  async prepare() {
    await runKcat(['-V']);
  },
  run: async <Answer>(task: Task) => (await perform(task)) as Answer,
};

async function perform(task: Task): Promise<object> {
  if (task.step === 'roundtrip') return await roundTrip(task);
  if (task.step === 'denials') return await denials(task);
  throw new Error(`kcat has no step ${task.step}`);
}

async function flagsOf({ auth, bootstrap, caFile, clientId }: Task): Promise<string[]> {
  const properties: Record<string, string> = { 'ssl.ca.location': caFile, 'client.id': clientId };
  if (auth.kind === 'mtls') {
    properties['security.protocol'] = 'SSL';
    properties['ssl.certificate.location'] = auth.certFile;
    properties['ssl.key.location'] = auth.keyFile;
  } else {
    properties['security.protocol'] = 'SASL_SSL';
    properties['sasl.mechanisms'] = 'PLAIN';
    properties['sasl.username'] = 'token';
    properties['sasl.password'] = (await fetchToken(auth)).value;
  }
  return ['-b', bootstrap, ...Object.entries(properties).flatMap(([name, value]) => ['-X', `${name}=${value}`])];
}

interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly payload: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

async function roundTrip(task: RoundTrip): Promise<RoundTripAnswer> {
  const flags = await flagsOf(task);
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
  const lines = task.records.map(({ key, value }) => `${text(key)}\t${text(value)}\n`).join('');
  const headers = (task.records[0]?.headers ?? []).flatMap(([name, value]) => ['-H', `${name}=${text(value)}`]);
  const sent = await runKcat([...flags, '-P', '-t', task.topic, '-K', '\t', ...headers], { stdin: lines });
  if (sent.code !== 0) throw new Error(sent.stderr);
  const { stdout } = await runKcat(
    [
      ...flags,
      '-J',
      '-q',
      '-c',
      String(task.records.length),
      '-X',
      'auto.offset.reset=earliest',
      '-G',
      task.group,
      task.topic,
    ],
    { timeoutMs: task.timeoutMs },
  );
  return { received: stdout.trim().split('\n').map(receivedOf) };
}

function receivedOf(line: string): Received {
  const { partition, offset, key, payload, headers } = JSON.parse(line) as Line;
  const base64 = (value: string | undefined): string => Buffer.from(value ?? '').toString('base64');
  const pairs: [string, string][] = [];
  for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at] ?? '', base64(headers[at + 1])]);
  return { partition, offset, key: base64(key), value: base64(payload), headers: pairs };
}

async function denials(task: Denials): Promise<DenialsAnswer> {
  const flags = await flagsOf(task);
  const said = ({ code, stderr }: Run): string => (code === 0 ? 'none' : stderr);
  const patience = { timeoutMs: 20_000 };
  return {
    produce: said(await runKcat([...flags, '-P', '-t', task.deniedTopic], { ...patience, stdin: 'x\n' })),
    consume: said(await runKcat([...flags, '-C', '-e', '-t', task.deniedTopic], patience)),
    group: said(await runKcat([...flags, '-G', task.deniedGroup, task.openTopic], patience)),
  };
}
