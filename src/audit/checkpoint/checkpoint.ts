/** Checkpoints as C2SP defines them (c2sp.org/tlog-checkpoint): a note of the log's origin, its size and its root. */
import { SluiceError } from '../../lib/errors.ts';
import { hashBytes } from '../merkle/hash.ts';
import type { SignerKey, VerifierKey } from './keys.ts';
import { decodeBase64, formatNote, parseNote } from './note.ts';
import type { Note } from './note.ts';

export interface TreeHead {
  /** Which log; the name of its keys. */
  readonly origin: string;
  /** Entries. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

export interface Checkpoint extends TreeHead {
  readonly note: Note;
}

/** Who signed, as far as the keys asked about can tell. */
export interface Signed {
  /** Keys whose two signatures are there and right. */
  readonly by: readonly VerifierKey[];
  /** Whether a signature claims to be by one of the keys and is not. */
  readonly wrong: boolean;
  /** When, in seconds since the epoch; `null` where none of the keys signed. */
  readonly time: number | null;
}

/** The signed note, one signature after the other. */
export function signCheckpoint(head: TreeHead, keys: readonly SignerKey[], timeSeconds: number): string {
  const text = `${head.origin}\n${head.size}\n${Buffer.from(head.root).toString('base64')}\n`;
  return formatNote({ text, signatures: keys.flatMap((key) => key.sign(text, timeSeconds)) });
}

/** The form alone: who signed is for `signedBy`. @throws SluiceError `note-malformed`, `checkpoint-malformed` */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  const note = parseNote(bytes);
  // Extension lines are opaque and signed; this log writes none.
  const [origin = '', sizeText = '', rootText = '', ...more] = note.text.slice(0, -1).split('\n');
  const size = Number(sizeText);
  const root = decodeBase64(rootText);
  if (origin === '' || more.includes('')) throw malformed('a line of it is empty');
  if (!/^(0|[1-9]\d{0,15})$/.test(sizeText) || !Number.isSafeInteger(size)) throw malformed('its size is no number');
  if (root === null || root.length !== hashBytes) throw malformed('its root is no hash');
  return { origin, size, root, note };
}

export function signedBy(checkpoint: Checkpoint, keys: readonly VerifierKey[]): Signed {
  const { text, signatures } = checkpoint.note;
  const by: VerifierKey[] = [];
  let wrong = false;
  let time: number | null = null;
  for (const key of keys) {
    const findings = signatures.map((signature) => key.check(text, signature));
    wrong ||= findings.some(({ kind }) => kind === 'wrong');
    const timed = findings.find((finding) => finding.kind === 'timed');
    // Both: a signature line that was made unreadable must not pass for one that was never there.
    if (timed === undefined || !findings.some(({ kind }) => kind === 'plain')) continue;
    by.push(key);
    time = Math.max(time ?? 0, timed.time);
  }
  return { by, wrong, time };
}

/** Whether two keys of the log signed it: it leads verifiers from the one to the other, and stays as long as the log. */
export function isAnchor({ origin, note }: Checkpoint): boolean {
  const ids = note.signatures.filter(({ name }) => name === origin).map(({ keyId }) => keyId.toString('hex'));
  // Each key signs twice.
  return new Set(ids).size > 2;
}

function malformed(why: string): SluiceError<'checkpoint-malformed'> {
  return new SluiceError('checkpoint-malformed', `This is no checkpoint: ${why}.`);
}
