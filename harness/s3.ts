/** S3-compatible storage on this machine: moto's server, which checks signatures and knows object lock. */
import { spawn } from 'node:child_process';
import { SluiceError } from '../src/lib/errors.ts';
import { releasePorts, reservePorts } from './ports.ts';
import { ensurePythonPackage } from './python.ts';

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly python: { readonly program: string; readonly env: Readonly<Record<string, string>> };
  stop(): Promise<void>;
}

const packages = [
  ['moto[s3]', '5.1.0'],
  ['flask', '3.1.0'],
  ['flask-cors', '5.0.0'],
] as const;
const startMs = 60_000;
/** What is done before anybody has a key: a user, its policy, its key, the bucket. */
const unsignedCalls = 4;

/** A bucket with object lock, and a key that may do everything with it. @throws SluiceError `python-missing`, `pip-failed`, `s3-not-up` */
export async function startS3(bucket: string): Promise<S3Server> {
  const found = [];
  for (const [name, version] of packages) found.push(await ensurePythonPackage(name, version));
  const [{ python } = { python: 'python3' }] = found;
  const env = { PYTHONPATH: found.map(({ env: { PYTHONPATH = '' } }) => PYTHONPATH).join(':') };
  const [port = 0] = await reservePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn(python, ['-c', 'from moto.server import main; main()', '-H', '127.0.0.1', '-p', String(port)], {
    env: { ...process.env, ...env, INITIAL_NO_AUTH_ACTION_COUNT: String(unsignedCalls) },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    releasePorts([port]);
  };
  try {
    await waitFor(endpoint);
    const keys = await makeUser(endpoint);
    const made = await fetch(`${endpoint}/${bucket}`, {
      method: 'PUT',
      headers: { 'x-amz-bucket-object-lock-enabled': 'true' },
    });
    if (!made.ok) throw new SluiceError('s3-not-up', `The bucket could not be made: ${await made.text()}`);
    return { endpoint, bucket, ...keys, python: { program: python, env }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function waitFor(endpoint: string): Promise<void> {
  const until = Date.now() + startMs;
  for (;;) {
    try {
      await fetch(`${endpoint}/moto-api/`);
      return;
    } catch (cause) {
      if (Date.now() > until) throw new SluiceError('s3-not-up', 'The S3 server did not come up.', { cause });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function makeUser(endpoint: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const all = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
  await iam(endpoint, { Action: 'CreateUser', UserName: 'gateway' });
  const policy = { PolicyName: 'all', PolicyDocument: JSON.stringify(all) };
  await iam(endpoint, { Action: 'PutUserPolicy', UserName: 'gateway', ...policy });
  const answer = await iam(endpoint, { Action: 'CreateAccessKey', UserName: 'gateway' });
  const text = (name: string): string => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1] ?? '';
  return { accessKeyId: text('AccessKeyId'), secretAccessKey: text('SecretAccessKey') };
}

async function iam(endpoint: string, fields: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    body: new URLSearchParams({ Version: '2010-05-08', ...fields }),
    headers: {
      // The service is told by the credential's scope.
      authorization:
        'AWS4-HMAC-SHA256 Credential=none/20260312/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0',
    },
  });
  const text = await answer.text();
  if (!answer.ok) throw new SluiceError('s3-not-up', `The user could not be made: ${text}`);
  return text;
}
