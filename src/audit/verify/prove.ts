/**
 * Proofs that one entry is in the signed log, in the form of c2sp.org/tlog-proof: the entry's position, the hashes that
 * lead from it to the root, and the checkpoint. The entry itself goes along as the proof's extra data, so that one file
 * tells what was proved. Whoever checks it needs the public key and nothing else of the log.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, messageOf } from '../../lib/errors.ts';
import { auditLineBytesMax } from '../../lib/limits.ts';
import type { Entry } from '../../model/entry.ts';
import { parseCheckpoint, signedBy } from '../checkpoint/checkpoint.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { VerifierKey } from '../checkpoint/keys.ts';
import { decodeBase64 } from '../checkpoint/note.ts';
import { checkpointFolder, checkpointName, checkpointSizes } from '../checkpoint/store.ts';
import { hashBytes, leafHash } from '../merkle/hash.ts';
import { ProofBuilder, inclusionHolds, inclusionRanges } from '../merkle/proof.ts';
import { linesOf } from '../read/lines.ts';
import { parseEntry } from '../read/segments.ts';
import { logSteps } from '../read/steps.ts';
import { endOf, subtreesIn } from '../read/tombstones.ts';

const heading = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 leaves is so deep. */
const hashesMax = 53;

export interface Proof {
  readonly text: string;
  readonly index: number;
  readonly entry: Entry;
  readonly size: number;
}

export interface ProofReport {
  readonly holds: boolean;
  /** Why not; empty where it holds. */
  readonly problem: string;
  readonly entry: Entry | null;
  readonly index: number;
  readonly checkpoint: { readonly origin: string; readonly size: number } | null;
  /** When the tree was signed, RFC 3339; `null` where no trusted key did. */
  readonly signedAt: string | null;
}

/**
 * @throws SluiceError `no-such-entry`, `entry-not-signed` where no checkpoint covers it yet, `audit-tree-broken` where
 *   the log does not lead to what was signed
 */
export async function proveEntry(directory: string, id: string): Promise<Proof> {
  const { index, line, entry } = await findEntry(directory, id);
  const size = (await checkpointSizes(directory)).at(-1) ?? 0;
  if (size <= index) {
    throw new SluiceError('entry-not-signed', `Entry ${id} is in no checkpoint yet. Try again in a few seconds.`, {
      retriable: true,
    });
  }
  const note = await readFile(join(directory, checkpointFolder, checkpointName(size)));
  const checkpoint = parseCheckpoint(note);
  const builder = new ProofBuilder(inclusionRanges(index, size));
  await eachLine(
    directory,
    (each, at) => {
      if (at < size) builder.add(leafHash(each));
      return at + 1 < size;
    },
    (hash, level) => builder.add(hash, level),
  );
  const hashes = builder.proof();
  if (!inclusionHolds({ index, size, leaf: leafHash(line), root: checkpoint.root }, hashes)) {
    throw new SluiceError(
      'audit-tree-broken',
      `The log does not lead to its newest checkpoint, so nothing can be proved with it. \`sluice audit verify\` says where it is broken.`,
    );
  }
  const base64 = hashes.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('');
  const text = `${heading}\nextra ${line.toString('base64')}\nindex ${index}\n${base64}\n${note.toString()}`;
  return { text, index, entry, size };
}

/** Checks a proof against public keys that the verifier has from elsewhere. Never throws for what stands in it. */
export function verifyProof(bytes: Uint8Array, keys: readonly VerifierKey[]): ProofReport {
  try {
    const { line, index, hashes, checkpoint } = parseProof(bytes);
    const { by, wrong, time } = signedBy(checkpoint, keys);
    const { origin, size, root } = checkpoint;
    const included = inclusionHolds({ index, size, leaf: leafHash(line), root }, hashes);
    const signed = !wrong && by.some((key) => key.name === origin);
    const problem = included
      ? signed
        ? ''
        : 'its checkpoint is not signed by the key'
      : 'its hashes do not lead from the entry to the root that was signed';
    const signedAt = signed && time !== null ? new Date(time * 1_000).toISOString() : null;
    return {
      holds: included && signed,
      problem,
      entry: parseEntry(line),
      index,
      checkpoint: { origin, size },
      signedAt,
    };
  } catch (error) {
    return { holds: false, problem: messageOf(error), entry: null, index: -1, checkpoint: null, signedAt: null };
  }
}

interface Parsed {
  readonly line: Buffer;
  readonly index: number;
  readonly hashes: readonly Buffer[];
  readonly checkpoint: Checkpoint;
}

function parseProof(bytes: Uint8Array): Parsed {
  if (bytes.length > 2 * auditLineBytesMax) throw malformed('it is too long');
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const cut = text.indexOf('\n\n');
  const [head, extra = '', indexLine = '', ...rest] = text.slice(0, Math.max(0, cut)).split('\n');
  const line = extra.startsWith('extra ') ? decodeBase64(extra.slice(6)) : null;
  const digits = /^index (0|[1-9]\d{0,15})$/.exec(indexLine)?.[1];
  if (head !== heading || line === null || digits === undefined) throw malformed('it does not begin as one');
  if (rest.length > hashesMax) throw malformed('it has more hashes than any tree');
  const hashes = rest.map((hash) => decodeBase64(hash));
  if (!hashes.every((hash) => hash?.length === hashBytes)) throw malformed('a line of it is no hash');
  const checkpoint = parseCheckpoint(Buffer.from(text.slice(cut + 2)));
  return { line, index: Number(digits), hashes: hashes.filter((hash) => hash !== null), checkpoint };
}

async function findEntry(directory: string, id: string): Promise<{ index: number; line: Buffer; entry: Entry }> {
  const needle = Buffer.from(`"id":${JSON.stringify(id)}`);
  const found: { index: number; line: Buffer; entry: Entry }[] = [];
  await eachLine(directory, (line, index) => {
    const entry = line.includes(needle) ? parseEntry(line) : null;
    if (entry?.id === id) found.push({ index, line: Buffer.from(line), entry });
    return found.length === 0;
  });
  const [first] = found;
  if (first === undefined) throw new SluiceError('no-such-entry', `There is no entry ${id} in ${directory}.`);
  return first;
}

/** Until `visit` says that it has enough. @param pass called for the perfect subtrees of what retention removed */
async function eachLine(
  directory: string,
  visit: (line: Buffer, index: number) => boolean,
  pass: (hash: Buffer, level: number) => void = () => {},
): Promise<void> {
  let index = 0;
  for (const step of (await logSteps(directory)).steps) {
    if (step.kind === 'gone') {
      const { data } = step.tombstone;
      for (const { hash, level } of subtreesIn(data) ?? []) pass(hash, level);
      index = endOf(data);
      continue;
    }
    const { path, cutAt } = step.segment;
    for await (const { lines } of linesOf(path, 0, cutAt)) {
      for (const line of lines) {
        if (!visit(line, index)) return;
        index += 1;
      }
    }
  }
}

function malformed(why: string): SluiceError<'proof-malformed'> {
  return new SluiceError('proof-malformed', `This is no proof: ${why}.`);
}
