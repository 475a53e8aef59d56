/**
 * Signed notes as C2SP defines them (c2sp.org/signed-note): a text that ends in a line end, an empty line, and one
 * signature per line: `— NAME base64(key id ‖ signature)`. Anything else is refused: a second form of the same note
 * would be a byte that nobody notices to have changed.
 */
import { SluiceError } from '../../lib/errors.ts';
import { auditNoteBytesMax, auditNoteSignaturesMax } from '../../lib/limits.ts';

export const keyIdBytes = 4;

export interface NoteSignature {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Buffer;
  readonly signature: Buffer;
}

export interface Note {
  /** With its last line end: what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Whether a key may be called so: not empty, no spaces of any kind, no plus, nothing unprintable. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 512 && name.isWellFormed() && !/[\s+\p{Z}\p{C}]/u.test(name);
}

export function formatNote({ text, signatures }: Note): string {
  const lines = signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`,
  );
  return `${text}\n${lines.join('')}`;
}

/** @throws SluiceError `note-malformed` */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > auditNoteBytesMax) throw malformed(`it has more than ${auditNoteBytesMax} bytes`);
  const note = decode(bytes);
  // "MUST NOT contain any ASCII control characters other than newline".
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw malformed('it holds control characters');
  const cut = note.lastIndexOf('\n\n');
  if (cut === -1 || !note.endsWith('\n')) throw malformed('it is not a text, an empty line and signatures');
  const lines = note.slice(cut + 2, -1).split('\n');
  if (lines.length > auditNoteSignaturesMax) throw malformed(`it has more than ${auditNoteSignaturesMax} signatures`);
  return { text: note.slice(0, cut + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const [dash, name = '', text = '', ...more] = line.split(' ');
  const bytes = decodeBase64(text);
  if (dash !== '—' || more.length > 0 || !isKeyName(name) || bytes === null || bytes.length <= keyIdBytes) {
    throw malformed('a line below its empty line is no signature');
  }
  return { name, keyId: bytes.subarray(0, keyIdBytes), signature: bytes.subarray(keyIdBytes) };
}

/** Standard base64 in its one canonical form (RFC 4648 §3.5), or `null`. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('it is not UTF-8');
  }
}

function malformed(why: string): SluiceError<'note-malformed'> {
  return new SluiceError('note-malformed', `This is no signed note: ${why}.`);
}
