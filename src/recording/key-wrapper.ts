/**
 * Data keys are kept wrapped by a key that stands elsewhere. Another keeper of keys, such as a KMS, is another
 * implementation of `KeyWrapper`; nothing else knows where the wrapping key is.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError, messageOf } from '../lib/errors.ts';

export interface WrappedKey {
  /** Which kind of wrapper made it. */
  readonly wrapper: string;
  /** Which of its keys. */
  readonly keyId: string;
  /** Base64. */
  readonly wrapped: string;
}

export interface KeyWrapper {
  /**
   * @param dataKey 32 bytes
   * @param context what the key is for: unwrapping with another context fails
   * @throws SluiceError `recording-key-unusable`
   */
  wrap(dataKey: Buffer, context: Buffer): Promise<WrappedKey>;
  /** @throws SluiceError `recording-key-unusable` where it is not the key, or not the context */
  unwrap(wrapped: WrappedKey, context: Buffer): Promise<Buffer>;
}

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const fileMode = 0o600;
const prefix = 'sluice-recording-key';
const heading = `# What unwraps the data keys of recordings. Keep it secret, keep a copy of it in another place, and never keep it with
# copies of the recordings. The last key wraps; those before it are needed for recordings that they wrapped.
`;

interface FileKey {
  readonly id: string;
  readonly key: Buffer;
}

/** Keys in a file of the gateway's user, read when they are first needed. */
export class FileKeyWrapper implements KeyWrapper {
  readonly #path: string;
  readonly #makes: boolean;
  #keys: Promise<readonly FileKey[]> | null = null;

  /** @param makes whether a key is made where there is no file: by the gateway, never by who reads */
  constructor(path: string, makes: boolean) {
    this.#path = path;
    this.#makes = makes;
  }

  async wrap(dataKey: Buffer, context: Buffer): Promise<WrappedKey> {
    const current = (await this.#read()).at(-1);
    if (current === undefined) throw unusable(this.#path, 'there is no key in it');
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(context);
    const sealed = Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
    return { wrapper: 'file', keyId: current.id, wrapped: sealed.toString('base64') };
  }

  async unwrap({ wrapper, keyId, wrapped }: WrappedKey, context: Buffer): Promise<Buffer> {
    if (wrapper !== 'file') throw unusable(this.#path, `the recording's key is kept by "${wrapper}", not in a file`);
    const found = (await this.#read()).find(({ id }) => id === keyId);
    if (found === undefined)
      throw unusable(this.#path, `it does not hold the key ${keyId}, by which the recording's key was wrapped`);
    const sealed = Buffer.from(wrapped, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', found.key, sealed.subarray(0, nonceBytes)).setAAD(context);
      decipher.setAuthTag(sealed.subarray(nonceBytes + keyBytes, nonceBytes + keyBytes + tagBytes));
      const dataKey = decipher.update(sealed.subarray(nonceBytes, nonceBytes + keyBytes));
      decipher.final();
      if (sealed.length !== nonceBytes + keyBytes + tagBytes) throw new Error('its length is wrong');
      return dataKey;
    } catch (cause) {
      const detail = `the recording's wrapped key, or what the recording says of itself, was altered`;
      throw new SluiceError('recording-altered', `${detail}: the key ${keyId} does not unwrap it.`, { cause });
    }
  }

  #read(): Promise<readonly FileKey[]> {
    this.#keys ??= this.#load().catch((error: unknown) => {
      // Whoever comes next tries again.
      this.#keys = null;
      throw error;
    });
    return this.#keys;
  }

  async #load(): Promise<readonly FileKey[]> {
    const found = await read(this.#path);
    if (found !== null) return found;
    if (!this.#makes)
      throw unusable(this.#path, 'there is no such file. Only who has the key that wrapped a recording can read it');
    return await makeFile(this.#path);
  }
}

/** Oldest first; the last one wraps. @throws SluiceError `recording-key-unusable` */
export async function wrappingKeyIds(path: string): Promise<string[]> {
  const found = await read(path);
  if (found === null) throw unusable(path, 'there is no such file; the gateway makes it with its first recording');
  return found.map(({ id }) => id);
}

/** Puts a new key below those in the file, which the gateway takes up when it starts next. @returns its id */
export async function addWrappingKey(path: string): Promise<string> {
  const found = await read(path);
  if (found === null) throw unusable(path, 'there is no such file; the gateway makes it with its first recording');
  const key = keyOf(randomBytes(keyBytes));
  try {
    await write(`${path}.new`, 'w', heading + [...found, key].map(lineOf).join(''));
    await chmod(`${path}.new`, fileMode);
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
  return key.id;
}

async function makeFile(path: string): Promise<readonly FileKey[]> {
  const key = keyOf(randomBytes(keyBytes));
  try {
    await mkdir(dirname(path), { recursive: true });
    // `wx`: a key is never overwritten, and of two processes that make one the other takes it up.
    await write(path, 'wx', heading + lineOf(key));
    return [key];
  } catch (cause) {
    const other = codeOf(cause) === 'EEXIST' ? await waitForKey(path) : null;
    if (other === null) throw unusable(path, messageOf(cause), cause);
    return other;
  }
}

/** The other process may have made the file and not yet written it. */
async function waitForKey(path: string): Promise<readonly FileKey[] | null> {
  for (let tries = 0; tries < 50; tries += 1) {
    const found = await read(path).catch(() => null);
    if (found !== null && found.length > 0) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return null;
}

async function read(path: string): Promise<readonly FileKey[] | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    throw unusable(path, messageOf(cause), cause);
  }
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [word, id, base64] = line.split('+', 2).concat(line.split('+').slice(2).join('+'));
    const key = keyOf(Buffer.from(base64 ?? '', 'base64'));
    if (word !== prefix || key.key.length !== keyBytes || key.id !== id)
      throw unusable(path, 'a line in it is not a recording key as the gateway makes them');
    return key;
  });
}

function keyOf(key: Buffer): FileKey {
  return { id: createHash('sha256').update('sluice-recording-key/1\0').update(key).digest('hex').slice(0, 16), key };
}

function lineOf({ id, key }: FileKey): string {
  return `${prefix}+${id}+${key.toString('base64')}\n`;
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

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function unusable(path: string, detail: string, cause?: unknown): SluiceError<'recording-key-unusable'> {
  return new SluiceError('recording-key-unusable', `The recording key ${path} cannot be used: ${detail}.`, { cause });
}
