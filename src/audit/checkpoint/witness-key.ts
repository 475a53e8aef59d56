/**
 * Public keys of witnesses (c2sp.org/tlog-cosignature): `NAME+ID+base64(0x04 ‖ public key)`. A witness signs that it saw
 * a checkpoint, and that it never saw one that contradicts it.
 */
import { createPublicKey, hash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SluiceError } from '../../lib/errors.ts';
import { decodeBase64, isKeyName, keyIdBytes } from './note.ts';
import type { NoteSignature } from './note.ts';

const cosignatureType = 0x04;
const ed25519Bytes = 32;
const timeBytes = 8;
const signatureBytes = 64;
/** What stands before the 32 bytes of an Ed25519 key in SPKI (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export class WitnessKey {
  readonly name: string;
  readonly text: string;
  readonly #id: Buffer;
  readonly #key: KeyObject;

  /** @throws SluiceError `key-malformed` */
  private constructor(name: string, text: string, publicKey: Buffer) {
    this.name = name;
    this.text = text;
    const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(cosignatureType), publicKey]);
    // SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public key)[:4].
    this.#id = hash('sha256', input, 'buffer').subarray(0, keyIdBytes);
    this.#key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
  }

  /** @throws SluiceError `key-malformed` */
  static parse(text: string): WitnessKey {
    const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
    const bytes = decodeBase64(encoded);
    if (!isKeyName(name) || bytes === null) throw malformed('it is not NAME+ID+BASE64');
    if (bytes[0] !== cosignatureType || bytes.length !== 1 + ed25519Bytes)
      throw malformed('only Ed25519 cosignature keys (type 4) are taken');
    const key = new WitnessKey(name, text, bytes.subarray(1));
    if (key.#id.toString('hex') !== id) throw malformed('its id is not that of its name and key');
    return key;
  }

  /**
   * When the witness signed the text, in seconds since the epoch: `null` where the signature is another's.
   * @returns `wrong` where it claims to be by this witness and is not
   */
  check(text: string, { name, keyId, signature }: NoteSignature): number | 'wrong' | null {
    if (name !== this.name || !keyId.equals(this.#id)) return null;
    if (signature.length !== timeBytes + signatureBytes) return 'wrong';
    const time = signature.readBigUInt64BE(0);
    const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
    const holds = verify(null, message, this.#key, signature.subarray(timeBytes));
    return holds && time > 0n && time <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : 'wrong';
  }
}

/** Which of the witnesses signed a note, and whether a signature that names one of them is not its own. */
export function cosignedBy(
  note: { readonly text: string; readonly signatures: readonly NoteSignature[] },
  witnesses: readonly WitnessKey[],
  quorum: number,
): {
  readonly by: readonly WitnessKey[];
  readonly wrong: boolean;
  /** Since when `quorum` of them had signed, in seconds since the epoch; 0 where they have not. */
  readonly time: number;
} {
  const by: WitnessKey[] = [];
  const times: number[] = [];
  let wrong = false;
  for (const witness of witnesses) {
    const found = note.signatures.map((signature) => witness.check(note.text, signature));
    wrong ||= found.includes('wrong');
    const signed = found.filter((time) => typeof time === 'number');
    if (signed.length === 0 || by.some(({ text }) => text === witness.text)) continue;
    by.push(witness);
    times.push(Math.max(...signed));
  }
  return { by, wrong, time: times.sort((a, b) => b - a)[quorum - 1] ?? 0 };
}

function malformed(why: string): SluiceError<'key-malformed'> {
  return new SluiceError('key-malformed', `This is no key of a witness: ${why}.`);
}
