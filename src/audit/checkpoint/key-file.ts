/** The file of the keys that sign the log: one per line, the last one is in force. Made, for its owner alone, where there is none. */
import { chmod, mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { SignerKey } from './keys.ts';

const fileMode = 0o600;
const heading = `# What signs the audit log. Keep it secret, keep a copy of it in another place, and never keep it with copies of the
# log. The last key is in force; the one before it is needed once more, when the gateway starts with a new one.
`;

export interface KeyFile {
  /** Oldest first; at least one. */
  readonly keys: readonly [SignerKey, ...SignerKey[]];
  /** Whether others than its owner may read it. */
  readonly exposed: boolean;
}

/** @returns `null` where there is no such file @throws SluiceError `audit-key-unusable` */
export async function readKeyFile(path: string): Promise<KeyFile | null> {
  let text: string;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw unusable(path, messageOf(cause), cause);
  }
  try {
    const [first, ...rest] = text
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => SignerKey.parse(line));
    if (first === undefined) throw new SluiceError('key-malformed', 'There is no key in it.');
    if (rest.some((key) => key.verifier.name !== first.verifier.name)) {
      throw new SluiceError('key-malformed', 'Its keys are of different logs.');
    }
    return { keys: [first, ...rest], exposed: (mode & 0o077) !== 0 };
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
}

/** @throws SluiceError `audit-key-unusable` where the file is there already or cannot be made */
export async function makeKeyFile(path: string, origin: string): Promise<KeyFile> {
  const key = SignerKey.generate(origin);
  try {
    await mkdir(dirname(path), { recursive: true });
    // `wx`: a key is never overwritten.
    await write(path, 'wx', `${heading}${key.secretText()}\n`);
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
  return { keys: [key], exposed: false };
}

/** Puts a new key below those in the file; the gateway takes it up when it starts next. @throws SluiceError `audit-key-unusable` */
export async function addKey(path: string): Promise<SignerKey> {
  const found = await readKeyFile(path);
  if (found === null) throw unusable(path, 'there is no such file; the gateway makes it when it first starts');
  const key = SignerKey.generate(found.keys[0].verifier.name);
  const lines = [...found.keys, key].map((each) => `${each.secretText()}\n`);
  try {
    const draft = `${path}.new`;
    await write(draft, 'w', `${heading}${lines.join('')}`);
    await chmod(draft, fileMode);
    await rename(draft, path);
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
  return key;
}

async function write(path: string, flags: 'w' | 'wx', text: string): Promise<void> {
  const file = await open(path, flags, fileMode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unusable(path: string, detail: string, cause?: unknown): SluiceError<'audit-key-unusable'> {
  return new SluiceError('audit-key-unusable', `The audit key ${path} cannot be used: ${detail}`, { cause });
}
