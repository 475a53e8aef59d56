/**
 * Keys of notes as text, in the form of the Go implementation: `NAME+ID+base64(type ‖ public key)` for who verifies,
 * `PRIVATE+KEY+NAME+ID+base64(type ‖ seed)` for who signs. Ed25519 alone.
 */
import { createPrivateKey, createPublicKey, hash, randomBytes, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SluiceError } from '../../lib/errors.ts';
import { decodeBase64, isKeyName, keyIdBytes } from './note.ts';
import type { NoteSignature } from './note.ts';

/** Type bytes of c2sp.org/signed-note: a plain signature, and one that says when (c2sp.org/tlog-cosignature). */
const plainType = 0x01;
const timedType = 0x04;

const ed25519Bytes = 32;
const timeBytes = 8;
const signatureBytes = 64;
const privatePrefix = 'PRIVATE+KEY+';
/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 and SPKI (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** What one signature line says, as far as one key can tell. */
export type SignatureFinding =
  | { readonly kind: 'other-key' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'plain' }
  /** Signed together with the time at which the signer saw the tree, in seconds since the epoch. */
  | { readonly kind: 'timed'; readonly time: number };

export class VerifierKey {
  readonly name: string;
  /** The vkey: public, what auditors pin. */
  readonly text: string;
  readonly #key: KeyObject;
  readonly #plainId: Buffer;
  readonly #timedId: Buffer;

  constructor(name: string, publicKey: Uint8Array) {
    this.name = name;
    this.#plainId = keyId(name, plainType, publicKey);
    this.#timedId = keyId(name, timedType, publicKey);
    this.#key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
    this.text = keyText(name, this.#plainId, publicKey);
  }

  /** @throws SluiceError `key-malformed` */
  static parse(text: string): VerifierKey {
    const { name, material } = parseKey(text, 'public');
    const key = new VerifierKey(name, material);
    if (key.text !== text) throw malformed('its id is not that of its name and key');
    return key;
  }

  get ids(): { readonly plain: Buffer; readonly timed: Buffer } {
    return { plain: this.#plainId, timed: this.#timedId };
  }

  check(text: string, { name, keyId: id, signature }: NoteSignature): SignatureFinding {
    if (name !== this.name) return { kind: 'other-key' };
    if (id.equals(this.#plainId)) {
      return this.#verify(Buffer.from(text), signature) ? { kind: 'plain' } : { kind: 'wrong' };
    }
    if (!id.equals(this.#timedId)) return { kind: 'other-key' };
    if (signature.length !== timeBytes + signatureBytes) return { kind: 'wrong' };
    const time = signature.readBigUInt64BE(0);
    const holds = this.#verify(timedMessage(time, text), signature.subarray(timeBytes));
    return holds && time <= Number.MAX_SAFE_INTEGER ? { kind: 'timed', time: Number(time) } : { kind: 'wrong' };
  }

  #verify(message: Buffer, signature: Buffer): boolean {
    return signature.length === signatureBytes && verify(null, message, this.#key, signature);
  }
}

export class SignerKey {
  readonly verifier: VerifierKey;
  /** The whole private key. */
  readonly #text: string;
  readonly #key: KeyObject;

  private constructor(name: string, seed: Uint8Array) {
    this.#key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.verifier = new VerifierKey(name, spki.subarray(spkiPrefix.length));
    this.#text = privatePrefix + keyText(name, this.verifier.ids.plain, seed);
  }

  /** @throws SluiceError `key-malformed` where no key can be called so */
  static generate(name: string): SignerKey {
    if (!isKeyName(name)) throw malformed(`no key can be called "${name}"`);
    return new SignerKey(name, randomBytes(ed25519Bytes));
  }

  /** @throws SluiceError `key-malformed`, which repeats nothing of the key */
  static parse(text: string): SignerKey {
    if (!text.startsWith(privatePrefix)) throw malformed(`a private key begins with ${privatePrefix}`);
    const { name, material } = parseKey(text.slice(privatePrefix.length), 'private');
    const key = new SignerKey(name, material);
    if (key.#text !== text) throw malformed('its id is not that of its name and key');
    return key;
  }

  /** For the key's own file, and nothing else. */
  secretText(): string {
    return this.#text;
  }

  /** The note's own signature, and one more that says when it was made. */
  sign(text: string, timeSeconds: number): NoteSignature[] {
    const { plain, timed } = this.verifier.ids;
    const time = BigInt(timeSeconds);
    const stamp = Buffer.alloc(timeBytes);
    stamp.writeBigUInt64BE(time);
    const { name } = this.verifier;
    return [
      { name, keyId: plain, signature: sign(null, Buffer.from(text), this.#key) },
      { name, keyId: timed, signature: Buffer.concat([stamp, sign(null, timedMessage(time, text), this.#key)]) },
    ];
  }
}

function timedMessage(time: bigint, text: string): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
}

/** SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]. */
function keyId(name: string, type: number, publicKey: Uint8Array): Buffer {
  const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), publicKey]);
  return hash('sha256', input, 'buffer').subarray(0, keyIdBytes);
}

function keyText(name: string, id: Buffer, material: Uint8Array): string {
  return `${name}+${id.toString('hex')}+${Buffer.concat([Buffer.of(plainType), material]).toString('base64')}`;
}

function parseKey(text: string, kind: 'public' | 'private'): { name: string; material: Buffer } {
  // The last part is base64, which may itself hold a plus.
  const match = /^([^+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/=]+)$/.exec(text);
  const [, name = '', encoded = ''] = match ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === null) throw malformed(`a ${kind} key is NAME+ID+BASE64`);
  if (bytes[0] !== plainType || bytes.length !== 1 + ed25519Bytes) throw malformed('only Ed25519 keys are taken');
  return { name, material: bytes.subarray(1) };
}

function malformed(why: string): SluiceError<'key-malformed'> {
  return new SluiceError('key-malformed', `This is no key of an audit log: ${why}.`);
}
